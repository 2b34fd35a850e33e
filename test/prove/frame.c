// SPDX-License-Identifier: Apache-2.0
// proto/frame.h: a frame of any stream is inside it, is never empty, and is found only when it is
// there as a whole; a frame that was written is the one that is read.
// bound: 16 bytes of stream
// unwind: 25
// sources: src/proto/frame.c
#include "prove.h"

#include "proto/frame.h"
#include "proto/limits.h"

static void back(struct bytes text)
{
    uint8_t out[24];
    struct wr wr = WR_OF(out);
    size_t at = frame_begin(&wr), whole;
    struct bytes body;
    struct err err;

    wr_bytes(&wr, text);
    frame_end(&wr, at);
    prove(wr.bad == (text.n == 0));
    if (wr.bad)
        return;
    err = frame_next(wr_done(&wr), &whole, &body);
    prove(err.code == ERR_NONE && whole == wr.len && body.n == text.n);
    prove(bytes_equal(body, text));
}

int main(void)
{
    struct bytes stream = any_bytes(16), body;
    size_t whole;
    struct err err = frame_next(stream, &whole, &body);

    prove(is_inside(body, stream) && whole <= stream.n);
    prove(err.code == ERR_NONE || (whole == 0 && body.n == 0));
    prove(whole == 0 || (body.n >= 1 && whole == FRAME_HEAD_BYTES + body.n));
    back(stream);
    return 0;
}
