// SPDX-License-Identifier: Apache-2.0
// base/rd.h: from any state that a reader can be in, any read leaves it in such a state: views stay
// inside, what is left only shrinks, and once bad a reader stays bad and gives nothing. So this
// holds for any number of reads.
// bound: 12 bytes of input
// unwind: 13
// cases: 11
#include "prove.h"

#include <string.h>

static struct bytes all;

static void step(struct rd *rd)
{
    uint8_t copy[3] = { 1, 1, 1 };
    struct bytes view = BYTES_NONE;
    size_t n = nondet_size_t();
    size_t before = rd->left.n;
    _Bool was_bad = rd->bad;
    uint64_t number = 0;

    switch (CASE) {
    case 0:
        number = rd_u8(rd);
        break;
    case 1:
        number = rd_u16(rd);
        break;
    case 2:
        number = rd_u32(rd);
        break;
    case 3:
        number = rd_u64(rd);
        break;
    case 4:
        view = rd_bytes(rd, n);
        prove(rd->bad || view.n == n);
        break;
    case 5:
        view = rd_var8(rd, n);
        break;
    case 6:
        view = rd_var16(rd, n);
        break;
    case 7:
        view = rd_var32(rd, n);
        break;
    case 8:
        number = rd_bool(rd);
        prove(number <= 1);
        break;
    case 9:
        rd_copy(rd, copy, sizeof(copy));
        prove(!rd->bad || copy[0] == 0);
        break;
    default:
        rd_refuse(rd);
        break;
    }
    prove(is_inside(view, all) && is_inside(rd->left, all));
    prove(rd->left.n <= before && (rd->bad || view.n <= before - rd->left.n));
    prove(!was_bad || (rd->bad && number == 0 && view.n == 0));
    prove(!rd->bad || (rd->left.n == 0 && view.n == 0 && number == 0));
}

int main(void)
{
    size_t taken = nondet_size_t();
    struct rd rd;

    all = any_bytes(12);
    assume(taken <= all.n);
    rd = rd_of(bytes_skip(all, taken));
    if (nondet_uint8_t())
        rd_refuse(&rd);
    step(&rd);
    prove((rd_end(&rd).code == ERR_NONE) == (!rd.bad && rd.left.n == 0));
    return 0;
}
