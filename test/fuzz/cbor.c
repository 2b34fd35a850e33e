// SPDX-License-Identifier: Apache-2.0
// base/cbor.h: items as they come, one after the other. What the readers take, cbor_skip takes as
// well, and the writers write the same bytes again: there is one encoding but for indefinite maps,
// which are written with their count, and tags, which nobody writes.
#include "fuzz.h"

#include "base/cbor.h"

#define DEPTH_MAX 8
#define INPUT_MAX 4096U

// Whether something came that is written otherwise than it was read.
static bool changed;

static void copy_item(struct wr *wr, struct rd *rd, unsigned depth);

static void copy_map(struct wr *wr, struct rd *rd, unsigned depth)
{
    static uint8_t room[DEPTH_MAX + 1][INPUT_MAX];
    struct wr pairs = wr_of(room[depth], sizeof(room[depth]));
    uint64_t announced = cbor_map(rd), count = 0;

    changed = changed || announced == CBOR_INDEFINITE;
    for (uint64_t left = announced; cbor_map_next(rd, &left); count++) {
        copy_item(&pairs, rd, depth - 1);
        copy_item(&pairs, rd, depth - 1);
    }
    must(rd->bad || announced == CBOR_INDEFINITE || count == announced);
    cbor_put_map(wr, count);
    wr_bytes(wr, wr_done(&pairs));
}

static void copy_array(struct wr *wr, struct rd *rd, unsigned depth)
{
    uint64_t items = cbor_array(rd);

    cbor_put_array(wr, items);
    for (uint64_t i = 0; i < items && !rd->bad; i++)
        copy_item(wr, rd, depth - 1);
}

static void copy_text(struct wr *wr, struct rd *rd)
{
    struct bytes text = cbor_text(rd);
    char word[32];

    if (text.n > 0 && text.n < sizeof(word) && !memchr(text.p, 0, text.n)) {
        memcpy(word, text.p, text.n);
        word[text.n] = '\0';
        cbor_put_text(wr, word);
        return;
    }
    changed = true;
}

static void copy_number(struct wr *wr, struct rd *rd)
{
    struct cbor_head head = cbor_peek(rd);
    struct rd other = *rd;
    int64_t value = cbor_int(rd);

    if (head.type == CBOR_UINT) {
        must(cbor_uint(&other) == head.count && !other.bad);
        must(rd->bad == (head.count > INT64_MAX));
        cbor_put_uint(wr, head.count);
        *rd = other;
        return;
    }
    must(rd->bad == (head.count > INT64_MAX));
    must(rd->bad || value == -1 - (int64_t)head.count);
    cbor_put_int(wr, value);
    if (!rd->bad)
        return;
    (void)cbor_head(&other);
    *rd = other;
    changed = true;
}

static void copy_simple(struct wr *wr, struct rd *rd)
{
    struct rd other = *rd;
    bool present = true;

    if (cbor_peek(rd).count == CBOR_NULL) {
        (void)cbor_bytes_or_null(rd, &present);
        must(!present && !rd->bad && !cbor_bool(&other) && other.bad);
        cbor_put_null(wr);
        return;
    }
    cbor_put_bool(wr, cbor_bool(rd)); // a break is no value and is refused here
}

static void copy_item(struct wr *wr, struct rd *rd, unsigned depth)
{
    enum cbor_type type = cbor_peek(rd).type;

    if (depth == 0)
        rd_refuse(rd);
    else if (type == CBOR_BYTES)
        cbor_put_bytes(wr, cbor_bytes(rd));
    else if (type == CBOR_TEXT)
        copy_text(wr, rd);
    else if (type == CBOR_ARRAY)
        copy_array(wr, rd, depth);
    else if (type == CBOR_MAP)
        copy_map(wr, rd, depth);
    else if (type == CBOR_SIMPLE)
        copy_simple(wr, rd);
    else if (type != CBOR_TAG)
        copy_number(wr, rd);
    else if (changed = true, cbor_head(rd).type == CBOR_TAG)
        copy_item(wr, rd, depth - 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static uint8_t out[INPUT_MAX];
    struct rd rd = rd_of(bytes_of(data, n < INPUT_MAX ? n : INPUT_MAX)), skipped = rd;

    while (!rd.bad && rd.left.n > 0) {
        struct bytes before = rd.left;
        struct wr wr = WR_OF(out);

        changed = false;
        copy_item(&wr, &rd, DEPTH_MAX);
        cbor_skip(&skipped);
        must(rd.bad == skipped.bad);
        must(rd.bad || rd.left.n == skipped.left.n);
        if (!rd.bad && !changed)
            must(bytes_equal(wr_done(&wr), bytes_take(before, before.n - rd.left.n)));
    }
    must(!cbor_end(&rd).code == (!rd.bad && rd.left.n == 0));
    return 0;
}
