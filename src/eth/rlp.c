// SPDX-License-Identifier: Apache-2.0
// RLP, strict: a single byte below 0x80 stands for itself, lengths up to 55 stand in the head, and
// longer ones follow it in as few bytes as possible. Whatever could be written in a second way is
// refused, since two encodings of one transaction would have two hashes.
#include "eth/rlp.h"

#define STRING_SHORT 0x80U
#define STRING_LONG  0xb7U
#define LIST_SHORT   0xc0U
#define LIST_LONG    0xf7U
#define SHORT_MAX    55U

// The length after a head byte: short[head], or big-endian in the bytes that follow.
static size_t read_length(struct rd *rd, uint8_t head, uint8_t short_head, uint8_t long_head)
{
    size_t length = 0;
    struct bytes be;

    if (head <= long_head)
        return (size_t)(head - short_head);
    be = rd_bytes(rd, (size_t)(head - long_head));
    if (be.n == 0 || be.n > 4 || be.p[0] == 0) {
        rd_refuse(rd);
        return 0;
    }
    for (size_t i = 0; i < be.n; i++)
        length = length << 8 | be.p[i];
    if (length <= SHORT_MAX)
        rd_refuse(rd);
    return length;
}

struct bytes rlp_string(struct rd *rd)
{
    struct bytes here = rd->left;
    uint8_t head = rd_u8(rd);
    struct bytes text;

    if (rd->bad)
        return BYTES_NONE;
    if (head < STRING_SHORT)
        return bytes_take(here, 1);
    if (head >= LIST_SHORT) {
        rd_refuse(rd);
        return BYTES_NONE;
    }
    text = rd_bytes(rd, read_length(rd, head, STRING_SHORT, STRING_LONG));
    if (text.n == 1 && text.p[0] < STRING_SHORT)
        rd_refuse(rd);
    return rd->bad ? BYTES_NONE : text;
}

struct rd rlp_list(struct rd *rd)
{
    uint8_t head = rd_u8(rd);
    struct rd items = { 0 };

    if (rd->bad || head < LIST_SHORT) {
        rd_refuse(rd);
        rd_refuse(&items);
        return items;
    }
    items = rd_of(rd_bytes(rd, read_length(rd, head, LIST_SHORT, LIST_LONG)));
    items.bad = rd->bad;
    return items;
}

struct u256 rlp_u256(struct rd *rd)
{
    struct bytes be = rlp_string(rd);
    struct u256 value = { 0 };

    if (be.n > 0 && be.p[0] == 0)
        rd_refuse(rd);
    if (u256_from_be(&value, be).code)
        rd_refuse(rd);
    return rd->bad ? u256_of(0) : value;
}

uint64_t rlp_u64(struct rd *rd)
{
    uint64_t value = 0;

    if (u256_to_u64(&value, rlp_u256(rd)).code)
        rd_refuse(rd);
    return rd->bad ? 0 : value;
}

bool rlp_is_list(const struct rd *rd)
{
    return !rd->bad && rd->left.n > 0 && rd->left.p[0] >= LIST_SHORT;
}

static size_t length_bytes(size_t length)
{
    size_t n = 0;

    for (; length > 0; length >>= 8)
        n++;
    return n;
}

static size_t head_size(size_t payload)
{
    return payload <= SHORT_MAX ? 1 : 1 + length_bytes(payload);
}

size_t rlp_string_size(struct bytes b)
{
    if (b.n == 1 && b.p[0] < STRING_SHORT)
        return 1;
    return head_size(b.n) + b.n;
}

// The minimal big-endian bytes of a number, inside be[32].
static struct bytes minimal(uint8_t be[static 32], struct u256 value)
{
    u256_to_be(be, value);
    return bytes_of(be + 32 - u256_len(value), u256_len(value));
}

size_t rlp_u256_size(struct u256 value)
{
    uint8_t be[32];

    return rlp_string_size(minimal(be, value));
}

size_t rlp_list_size(size_t payload)
{
    return head_size(payload) + payload;
}

static void put_head(struct wr *wr, size_t length, uint8_t short_head, uint8_t long_head)
{
    size_t n = length_bytes(length);

    if (length <= SHORT_MAX) {
        wr_u8(wr, (uint8_t)(short_head + length));
        return;
    }
    wr_u8(wr, (uint8_t)(long_head + n));
    while (n-- > 0)
        wr_u8(wr, (uint8_t)(length >> (8 * n)));
}

void rlp_put_string(struct wr *wr, struct bytes b)
{
    if (b.n != 1 || b.p[0] >= STRING_SHORT)
        put_head(wr, b.n, STRING_SHORT, STRING_LONG);
    wr_bytes(wr, b);
}

void rlp_put_u256(struct wr *wr, struct u256 value)
{
    uint8_t be[32];

    rlp_put_string(wr, minimal(be, value));
}

void rlp_put_list(struct wr *wr, size_t payload)
{
    put_head(wr, payload, LIST_SHORT, LIST_LONG);
}
