// SPDX-License-Identifier: Apache-2.0
#include "base/cbor.h"

#define DEPTH_MAX 8

static const struct cbor_head broken = { CBOR_SIMPLE, CBOR_BREAK };

static struct cbor_head cbor_refuse(struct rd *rd)
{
    rd_refuse(rd);
    return broken;
}

// The number behind an initial byte's low five bits, in its shortest form only (RFC 8949 4.2.1).
static uint64_t cbor_argument(struct rd *rd, uint8_t info)
{
    static const uint64_t least[4] = { 24, 0x100, 0x10000, 0x100000000 };
    uint64_t value = info;

    if (info < 24)
        return value;
    if (info == 24)
        value = rd_u8(rd);
    else if (info == 25)
        value = rd_u16(rd);
    else if (info == 26)
        value = rd_u32(rd);
    else if (info == 27)
        value = rd_u64(rd);
    else
        rd_refuse(rd);
    if (info <= 27 && value < least[info - 24])
        rd_refuse(rd);
    return value;
}

struct cbor_head cbor_head(struct rd *rd)
{
    uint8_t first = rd_u8(rd);
    uint8_t info = first & 31;
    struct cbor_head head = { (enum cbor_type)(first >> 5), 0 };

    if (head.type == CBOR_MAP && info == 31)
        head.count = CBOR_INDEFINITE;
    else if (head.type == CBOR_SIMPLE && (info == 31 || (info >= 20 && info <= 22)))
        head.count = info;
    else if (head.type == CBOR_SIMPLE)
        return cbor_refuse(rd);
    else
        head.count = cbor_argument(rd, info);
    if (head.type == CBOR_MAP && head.count == CBOR_INDEFINITE && info != 31)
        return cbor_refuse(rd);
    return rd->bad ? broken : head;
}

struct cbor_head cbor_peek(const struct rd *rd)
{
    struct rd copy = *rd;

    return cbor_head(&copy);
}

static uint64_t cbor_expect(struct rd *rd, enum cbor_type type)
{
    struct cbor_head head = cbor_head(rd);

    if (head.type != type)
        rd_refuse(rd);
    return rd->bad ? 0 : head.count;
}

uint64_t cbor_uint(struct rd *rd)
{
    return cbor_expect(rd, CBOR_UINT);
}

int64_t cbor_int(struct rd *rd)
{
    struct cbor_head head = cbor_head(rd);

    if (head.type > CBOR_NINT || head.count > INT64_MAX)
        rd_refuse(rd);
    if (rd->bad)
        return 0;
    return head.type == CBOR_UINT ? (int64_t)head.count : -1 - (int64_t)head.count;
}

static struct bytes cbor_string(struct rd *rd, enum cbor_type type)
{
    uint64_t n = cbor_expect(rd, type);

    if (n > rd->left.n)
        rd_refuse(rd);
    return rd_bytes(rd, rd->bad ? 0 : (size_t)n);
}

struct bytes cbor_bytes(struct rd *rd)
{
    return cbor_string(rd, CBOR_BYTES);
}

struct bytes cbor_text(struct rd *rd)
{
    return cbor_string(rd, CBOR_TEXT);
}

bool cbor_bool(struct rd *rd)
{
    uint64_t value = cbor_expect(rd, CBOR_SIMPLE);

    if (value != CBOR_FALSE && value != CBOR_TRUE)
        rd_refuse(rd);
    return value == CBOR_TRUE && !rd->bad;
}

uint64_t cbor_array(struct rd *rd)
{
    return cbor_expect(rd, CBOR_ARRAY);
}

uint64_t cbor_map(struct rd *rd)
{
    return cbor_expect(rd, CBOR_MAP);
}

bool cbor_map_next(struct rd *rd, uint64_t *left)
{
    if (rd->bad)
        return false;
    if (*left != CBOR_INDEFINITE)
        return (*left)-- > 0;
    if (cbor_peek(rd).type != CBOR_SIMPLE || cbor_peek(rd).count != CBOR_BREAK)
        return true;
    (void)cbor_head(rd);
    return false;
}

struct bytes cbor_bytes_or_null(struct rd *rd, bool *present)
{
    struct cbor_head head = cbor_peek(rd);

    *present = false;
    if (head.type == CBOR_SIMPLE && head.count == CBOR_NULL) {
        (void)cbor_head(rd);
        return BYTES_NONE;
    }
    *present = true;
    return cbor_bytes(rd);
}

static void cbor_skip_level(struct rd *rd, int depth)
{
    struct cbor_head head = cbor_head(rd);
    uint64_t items = 0;

    if (depth == 0 || (head.type == CBOR_SIMPLE && head.count == CBOR_BREAK))
        rd_refuse(rd);
    if (head.type == CBOR_BYTES || head.type == CBOR_TEXT)
        (void)rd_bytes(rd, head.count > rd->left.n ? SIZE_MAX : (size_t)head.count);
    if (head.type == CBOR_TAG)
        items = 1;
    if (head.type == CBOR_ARRAY)
        items = head.count;
    for (uint64_t i = 0; i < items && !rd->bad; i++)
        cbor_skip_level(rd, depth - 1);
    if (head.type != CBOR_MAP)
        return;
    for (uint64_t left = head.count; cbor_map_next(rd, &left);) {
        cbor_skip_level(rd, depth - 1);
        cbor_skip_level(rd, depth - 1);
    }
}

void cbor_skip(struct rd *rd)
{
    cbor_skip_level(rd, DEPTH_MAX);
}

struct err cbor_end(const struct rd *rd)
{
    ENSURE(!rd->bad, ERR_MALFORMED, "CBOR is not in the expected form");
    ENSURE(rd->left.n == 0, ERR_MALFORMED, "CBOR has bytes after its end");
    return OK;
}

static void cbor_put_head(struct wr *wr, enum cbor_type type, uint64_t value)
{
    uint8_t high = (uint8_t)(type << 5);

    if (value < 24) {
        wr_u8(wr, (uint8_t)(high | value));
    } else if (value <= UINT8_MAX) {
        wr_u8(wr, high | 24);
        wr_u8(wr, (uint8_t)value);
    } else if (value <= UINT16_MAX) {
        wr_u8(wr, high | 25);
        wr_u16(wr, (uint16_t)value);
    } else if (value <= UINT32_MAX) {
        wr_u8(wr, high | 26);
        wr_u32(wr, (uint32_t)value);
    } else {
        wr_u8(wr, high | 27);
        wr_u64(wr, value);
    }
}

void cbor_put_uint(struct wr *wr, uint64_t value)
{
    cbor_put_head(wr, CBOR_UINT, value);
}

void cbor_put_int(struct wr *wr, int64_t value)
{
    if (value >= 0)
        cbor_put_head(wr, CBOR_UINT, (uint64_t)value);
    else
        cbor_put_head(wr, CBOR_NINT, (uint64_t)(-1 - value));
}

void cbor_put_bytes(struct wr *wr, struct bytes b)
{
    cbor_put_head(wr, CBOR_BYTES, b.n);
    wr_bytes(wr, b);
}

void cbor_put_text(struct wr *wr, const char *text)
{
    struct bytes b = bytes_str(text);

    cbor_put_head(wr, CBOR_TEXT, b.n);
    wr_bytes(wr, b);
}

void cbor_put_array(struct wr *wr, uint64_t items)
{
    cbor_put_head(wr, CBOR_ARRAY, items);
}

void cbor_put_map(struct wr *wr, uint64_t pairs)
{
    cbor_put_head(wr, CBOR_MAP, pairs);
}

void cbor_put_bool(struct wr *wr, bool value)
{
    wr_u8(wr, value ? 0xf5 : 0xf4);
}

void cbor_put_null(struct wr *wr)
{
    wr_u8(wr, 0xf6);
}

void cbor_put_bytes_or_null(struct wr *wr, struct bytes b)
{
    if (b.p)
        cbor_put_bytes(wr, b);
    else
        cbor_put_null(wr);
}
