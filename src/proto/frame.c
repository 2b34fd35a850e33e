// SPDX-License-Identifier: Apache-2.0
// Control-plane frames. A length of zero or above the limit ends the connection: the stream cannot
// be brought into step again. Never copies: the body is a view of the stream.
#include "proto/frame.h"

struct err frame_next(struct bytes stream, size_t *whole, struct bytes *body)
{
    struct rd rd = rd_of(stream);
    uint32_t length = rd_u32(&rd);

    *whole = 0;
    *body = BYTES_NONE;
    if (stream.n < FRAME_HEAD_BYTES)
        return OK;
    ENSURE(length > 0, ERR_MALFORMED, "frame: expected a JSON object, not nothing");
    ENSURE(length <= FRAME_BYTES_MAX, ERR_TOO_LARGE, "frame: expected at most 1 MiB");
    if (rd.left.n < length)
        return OK;
    *body = rd_bytes(&rd, length);
    *whole = FRAME_HEAD_BYTES + body->n;
    return OK;
}

size_t frame_begin(struct wr *wr)
{
    size_t at = wr->len;

    wr_u32(wr, 0);
    return at;
}

void frame_end(struct wr *wr, size_t at)
{
    size_t length = wr->len - at - FRAME_HEAD_BYTES;
    struct wr head = wr_of(wr->p + at, FRAME_HEAD_BYTES);

    if (wr->bad)
        return;
    if (length == 0 || length > FRAME_BYTES_MAX) {
        wr_refuse(wr);
        return;
    }
    wr_u32(&head, (uint32_t)length);
}
