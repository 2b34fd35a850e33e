// SPDX-License-Identifier: Apache-2.0
#include "base/rd.h"

#include <string.h>

struct rd rd_of(struct bytes all)
{
    return (struct rd) { .left = all };
}

static uint64_t rd_uint(struct rd *rd, size_t n)
{
    struct bytes b = rd_bytes(rd, n);
    uint64_t value = 0;

    for (size_t i = 0; i < b.n; i++)
        value = value << 8 | b.p[i];
    return value;
}

uint8_t rd_u8(struct rd *rd)
{
    return (uint8_t)rd_uint(rd, 1);
}

uint16_t rd_u16(struct rd *rd)
{
    return (uint16_t)rd_uint(rd, 2);
}

uint32_t rd_u32(struct rd *rd)
{
    return (uint32_t)rd_uint(rd, 4);
}

uint64_t rd_u64(struct rd *rd)
{
    return rd_uint(rd, 8);
}

struct bytes rd_bytes(struct rd *rd, size_t n)
{
    struct bytes taken = { rd->left.p, n };

    if (rd->bad || n > rd->left.n) {
        rd_refuse(rd);
        return BYTES_NONE;
    }
    rd->left = bytes_skip(rd->left, n);
    return taken;
}

void rd_copy(struct rd *rd, void *out, size_t n)
{
    struct bytes b = rd_bytes(rd, n);

    memset(out, 0, n);
    if (b.n)
        memcpy(out, b.p, b.n);
}

static struct bytes rd_var(struct rd *rd, size_t n, size_t most)
{
    if (n > most)
        rd_refuse(rd);
    return rd_bytes(rd, n);
}

struct bytes rd_var8(struct rd *rd, size_t most)
{
    return rd_var(rd, rd_u8(rd), most);
}

struct bytes rd_var16(struct rd *rd, size_t most)
{
    return rd_var(rd, rd_u16(rd), most);
}

struct bytes rd_var32(struct rd *rd, size_t most)
{
    return rd_var(rd, rd_u32(rd), most);
}

bool rd_bool(struct rd *rd)
{
    uint8_t value = rd_u8(rd);

    if (value > 1)
        rd_refuse(rd);
    return value == 1 && !rd->bad;
}

void rd_refuse(struct rd *rd)
{
    rd->bad = true;
    rd->left = BYTES_NONE;
}

struct err rd_end(const struct rd *rd)
{
    ENSURE(!rd->bad, ERR_MALFORMED,
           "message is shorter than its fields or holds a forbidden value");
    ENSURE(rd->left.n == 0, ERR_MALFORMED, "message has bytes after its last field");
    return OK;
}
