/* What a command writes to. */
#ifndef FORAY_BASE_STREAM_H
#define FORAY_BASE_STREAM_H

enum stream { STREAM_OUT, STREAM_ERR };

#endif
