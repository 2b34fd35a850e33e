// SPDX-License-Identifier: Apache-2.0
// eth/rlp.h: an item that is read to its leaves is written as the very same bytes again.
#include "eth/rlp.h"

#include "base/must.h"

#define DEPTH_MAX 64
#define INPUT_MAX 65536

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

// Reads one item and writes it behind `wr`; the payload of a list is as long as it was.
static void fuzz_item(struct rd *rd, struct wr *wr, unsigned depth)
{
    struct rd items;

    if (!rlp_is_list(rd)) {
        struct bytes text = rlp_string(rd);
        size_t before = wr->len;

        if (rd->bad)
            return;
        rlp_put_string(wr, text);
        must(wr->len - before == rlp_string_size(text));
        return;
    }
    if (depth == DEPTH_MAX) {
        rd_refuse(rd);
        return;
    }
    items = rlp_list(rd);
    if (rd->bad)
        return;
    rlp_put_list(wr, items.left.n);
    while (items.left.n > 0)
        fuzz_item(&items, wr, depth + 1);
    if (items.bad)
        rd_refuse(rd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static uint8_t out[INPUT_MAX];
    struct rd rd = rd_of(bytes_of(data, n));
    struct rd number = rd;
    struct wr wr = WR_OF(out);
    struct u256 value;

    if (n > INPUT_MAX)
        return 0;
    fuzz_item(&rd, &wr, 0);
    if (rd_end(&rd).code == 0)
        must(bytes_equal(wr_done(&wr), bytes_of(data, n)));
    value = rlp_u256(&number);
    if (rd_end(&number).code)
        return 0;
    wr = WR_OF(out);
    rlp_put_u256(&wr, value);
    must(bytes_equal(wr_done(&wr), bytes_of(data, n)) && wr.len == rlp_u256_size(value));
    return 0;
}
