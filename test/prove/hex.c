// SPDX-License-Identifier: Apache-2.0
// base/hex.h: any text decodes into its room or not at all; what was encoded decodes to itself.
// bound: 10 characters, 4 bytes
// unwind: 11
// sources: src/base/hex.c
#include "prove.h"

#include "base/hex.h"

static void decode(struct bytes text)
{
    uint8_t room[4];
    size_t cap = nondet_size_t(), n;
    struct err err;

    assume(cap <= sizeof(room));
    err = hex_decode_0x(room, cap, &n, text);
    prove(err.code || (n <= cap && text.n == 2 + 2 * n && text.p[0] == '0' && text.p[1] == 'x'));
}

static void encode(struct bytes in)
{
    char text[9];
    uint8_t out[4];
    struct err err;

    hex_encode(text, in);
    prove(text[2 * in.n] == 0);
    err = hex_decode(out, in.n, bytes_of(text, 2 * in.n));
    prove(err.code == ERR_NONE && bytes_equal(bytes_of(out, in.n), in));
}

int main(void)
{
    int digit = hex_digit(nondet_uint8_t());

    prove(digit >= -1 && digit <= 15);
    decode(any_bytes(10));
    encode(any_bytes(4));
    return 0;
}
