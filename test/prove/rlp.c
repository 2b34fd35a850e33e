// SPDX-License-Identifier: Apache-2.0
// eth/rlp.h: strings, lists and numbers of any bytes: views stay inside, and every item that is
// taken is the one that would be written, byte for byte: there is one encoding only.
// bound: 60 bytes of input for heads and lists, 12 for bytes that are compared
// unwind: 13
// sources: src/eth/rlp.c src/base/u256.c
#include "prove.h"

#include "eth/rlp.h"

static void heads(struct bytes in)
{
    struct rd text = rd_of(in), list = rd_of(in), items;
    struct bytes string = rlp_string(&text);

    prove(is_inside(string, in) && is_inside(text.left, in));
    prove(text.bad || string.n + text.left.n <= in.n);
    prove(text.bad || rlp_string_size(string) == in.n - text.left.n);
    items = rlp_list(&list);
    prove(is_inside(items.left, in) && is_inside(list.left, in));
    prove(items.bad == list.bad);
    prove(list.bad || rlp_list_size(items.left.n) == in.n - list.left.n);
    prove(text.bad || list.bad); // nothing is both
}

static void same_bytes(struct bytes in)
{
    struct rd rd = rd_of(in);
    struct bytes string = rlp_string(&rd);
    uint8_t out[16];
    struct wr wr = WR_OF(out);

    if (rd.bad)
        return;
    rlp_put_string(&wr, string);
    prove(!wr.bad && bytes_equal(wr_done(&wr), bytes_take(in, in.n - rd.left.n)));
}

int main(void)
{
    heads(any_bytes(60));
    same_bytes(any_bytes(12));
    return 0;
}
