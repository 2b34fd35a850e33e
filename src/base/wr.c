// SPDX-License-Identifier: Apache-2.0
#include "base/wr.h"

#include <string.h>

struct wr wr_of(void *p, size_t cap)
{
    return (struct wr) { .p = p, .cap = cap };
}

uint8_t *wr_room(struct wr *wr, size_t n)
{
    uint8_t *room = wr->p + wr->len;

    if (wr->bad || n > wr->cap - wr->len) {
        wr_refuse(wr);
        return NULL;
    }
    wr->len += n;
    return room;
}

static void wr_uint(struct wr *wr, uint64_t value, size_t n)
{
    uint8_t *room = wr_room(wr, n);

    for (size_t i = 0; room && i < n; i++)
        room[i] = (uint8_t)(value >> (8 * (n - 1 - i)));
}

void wr_u8(struct wr *wr, uint8_t value)
{
    wr_uint(wr, value, 1);
}

void wr_u16(struct wr *wr, uint16_t value)
{
    wr_uint(wr, value, 2);
}

void wr_u32(struct wr *wr, uint32_t value)
{
    wr_uint(wr, value, 4);
}

void wr_u64(struct wr *wr, uint64_t value)
{
    wr_uint(wr, value, 8);
}

void wr_bytes(struct wr *wr, struct bytes b)
{
    uint8_t *room = wr_room(wr, b.n);

    if (room && b.n)
        memcpy(room, b.p, b.n);
}

void wr_str(struct wr *wr, const char *text)
{
    wr_bytes(wr, bytes_str(text));
}

static void wr_var(struct wr *wr, struct bytes b, size_t prefix)
{
    if (prefix < sizeof(uint64_t) && b.n >> (8 * prefix) != 0)
        wr_refuse(wr);
    wr_uint(wr, b.n, prefix);
    wr_bytes(wr, b);
}

void wr_var8(struct wr *wr, struct bytes b)
{
    wr_var(wr, b, 1);
}

void wr_var16(struct wr *wr, struct bytes b)
{
    wr_var(wr, b, 2);
}

void wr_var32(struct wr *wr, struct bytes b)
{
    wr_var(wr, b, 4);
}

void wr_refuse(struct wr *wr)
{
    wr->bad = true;
}

struct bytes wr_done(const struct wr *wr)
{
    return wr->bad ? BYTES_NONE : bytes_of(wr->p, wr->len);
}

struct err wr_end(const struct wr *wr)
{
    ENSURE(!wr->bad, ERR_TOO_LARGE, "message does not fit its buffer");
    return OK;
}
