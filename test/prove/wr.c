// SPDX-License-Identifier: Apache-2.0
// base/wr.h: from any state that a writer can be in, any write leaves it in such a state: never
// past the end of its room, and once something did not fit nothing more is written or given out.
// So this holds for any number of writes.
// bound: 12 bytes of room, 12 bytes of input
// unwind: 14
// cases: 10
#include "prove.h"

static void step(struct wr *wr, struct bytes in)
{
    size_t before = wr->len;
    _Bool was_bad = wr->bad;

    switch (CASE) {
    case 0:
        wr_u8(wr, nondet_uint8_t());
        break;
    case 1:
        wr_u16(wr, nondet_uint16_t());
        break;
    case 2:
        wr_u32(wr, (uint32_t)nondet_uint64_t());
        break;
    case 3:
        wr_u64(wr, nondet_uint64_t());
        break;
    case 4:
        wr_bytes(wr, in);
        break;
    case 5:
        wr_var8(wr, in);
        break;
    case 6:
        wr_var16(wr, in);
        break;
    case 7:
        wr_var32(wr, in);
        break;
    case 8: {
        size_t n = nondet_size_t();
        uint8_t *room = wr_room(wr, n);

        prove((room == NULL) == wr->bad && (wr->bad || room == wr->p + before));
        prove(wr->bad || wr->len == before + n);
        break;
    }
    default:
        wr_refuse(wr);
        break;
    }
    prove(wr->len >= before && wr->len <= wr->cap);
    prove(!was_bad || (wr->bad && wr->len == before));
}

int main(void)
{
    struct bytes in = any_bytes(4);
    size_t cap = nondet_size_t();
    uint8_t *p;
    struct wr wr;

    assume(cap <= 12);
    p = malloc(cap);
    assume(p != NULL);
    wr = wr_of(p, cap);
    wr.len = nondet_size_t();
    wr.bad = nondet_uint8_t() != 0;
    assume(wr.len <= cap);
    step(&wr, in);
    prove(wr.bad ? wr_done(&wr).n == 0 : wr_done(&wr).n == wr.len);
    prove((wr_end(&wr).code != ERR_NONE) == wr.bad);
    return 0;
}
