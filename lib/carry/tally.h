#ifndef FORAY_CARRY_TALLY_H
#define FORAY_CARRY_TALLY_H

#include <stdint.h>

/* What has been carried so far for a try; of what is fetched, `expected` grows as it is found. */
struct tally {
    uint64_t files, bytes, expected;
    uint64_t spared; /* of the bytes: they were there already */
};

#endif
