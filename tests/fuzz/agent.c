/* Any bytes as an agent's answer: what is read lies inside it, and comes out again as it was. */
#include "way/agent.h"
#include "base/mem.h"
#include "way/wire.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool promise) {
    if (!promise)
        abort();
}

static bool lies_in(struct str part, struct str whole) {
    return part.n == 0 || (part.s >= whole.s && part.s + part.n <= whole.s + whole.n);
}

static void check_keys(struct str message) {
    agent_keys keys = {0}, again = {0};
    if (agent_read_keys(message, &keys)) {
        struct buf b = {0};
        buf_putc(&b, 12);
        wire_put_u32(&b, (uint32_t)keys.n);
        for (size_t i = 0; i < keys.n; i++) {
            require(lies_in(keys.v[i].blob, message) && lies_in(keys.v[i].comment, message));
            wire_put_string(&b, keys.v[i].blob);
            wire_put_string(&b, keys.v[i].comment);
        }
        require(b.n <= message.n && memcmp(b.s, message.s, b.n) == 0);
        require(agent_read_keys(buf_view(&b), &again) && again.n == keys.n);
        buf_free(&b);
    }
    vec_free(&keys);
    vec_free(&again);
}

static void check_signature(struct str message) {
    struct str algorithm, signature;
    if (!agent_read_signature(message, &algorithm, &signature))
        return;
    require(lies_in(algorithm, message) && lies_in(signature, message));
    require(algorithm.n + signature.n + 13 <= message.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    char *bytes = mem_alloc(size);
    if (size != 0)
        memcpy(bytes, data, size);
    check_keys((struct str){bytes, size});
    check_signature((struct str){bytes, size});
    free(bytes);
    return 0;
}
