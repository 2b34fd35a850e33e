// SPDX-License-Identifier: Apache-2.0
// proto/frame.h: a stream in the pieces in which it may arrive. A frame that was found stays the
// same when more arrives, is found only when it is there as a whole, and is written as the same
// bytes again; after a refusal nothing is found.
// Input: a byte, the size of the pieces less 1, and the stream.
#include "fuzz.h"

#include "proto/frame.h"

#define STREAM_MAX 4096U

// The frames in stream[0..n), each with its own bytes; how much of it they are.
static size_t take(struct bytes stream, enum err_code *code)
{
    static uint8_t out[STREAM_MAX + FRAME_HEAD_BYTES];
    size_t taken = 0, whole;
    struct bytes body;

    for (;;) {
        struct bytes left = bytes_skip(stream, taken);
        struct wr wr = WR_OF(out);
        size_t at = frame_begin(&wr);

        *code = frame_next(left, &whole, &body).code;
        must(!*code || whole == 0);
        must(whole > 0 || body.n == 0);
        if (whole == 0)
            return taken;
        must(whole <= left.n && body.p == left.p + FRAME_HEAD_BYTES);
        wr_bytes(&wr, body);
        frame_end(&wr, at);
        must(bytes_equal(wr_done(&wr), bytes_take(left, whole)));
        taken += whole;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct bytes stream = bytes_take(bytes_skip(bytes_of(data, n), 1), STREAM_MAX);
    size_t taken = 0, there = 0;
    enum err_code now = ERR_NONE, whole;

    if (n == 0)
        return 0;
    while (there < stream.n && !now) {
        there += 1 + (size_t)data[0];
        there = there < stream.n ? there : stream.n;
        taken += take(bytes_skip(bytes_take(stream, there), taken), &now);
    }
    must(take(bytes_take(stream, there), &whole) == taken && whole == now);
    return 0;
}
