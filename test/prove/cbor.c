// SPDX-License-Identifier: Apache-2.0
// base/cbor.h: the head of any item is read within the input, and a number that is taken is written
// as the same bytes again; peeking moves nothing.
// bound: 10 bytes of input
// unwind: 11
// sources: src/base/cbor.c
#include "prove.h"

#include "base/cbor.h"

int main(void)
{
    struct bytes in = any_bytes(10);
    struct rd rd = rd_of(in), number = rd, text = rd;
    struct cbor_head peeked = cbor_peek(&rd), head = cbor_head(&rd);
    uint64_t value = cbor_uint(&number);
    struct bytes string = cbor_bytes(&text);
    uint8_t out[16];
    struct wr wr = WR_OF(out);

    prove(peeked.type == head.type && peeked.count == head.count);
    prove(is_inside(rd.left, in) && (rd.bad || in.n - rd.left.n <= 9));
    prove(!rd.bad || (head.type == CBOR_SIMPLE && head.count == CBOR_BREAK));
    prove(rd.bad || head.type <= CBOR_SIMPLE);
    prove(head.count != CBOR_INDEFINITE || head.type == CBOR_MAP || in.n >= 9);
    prove(is_inside(string, in));
    prove(number.bad || (head.type == CBOR_UINT && value == head.count));
    if (number.bad)
        return 0;
    cbor_put_uint(&wr, value);
    prove(bytes_equal(wr_done(&wr), bytes_take(in, in.n - number.left.n)));
    return 0;
}
