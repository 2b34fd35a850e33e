// SPDX-License-Identifier: Apache-2.0
// base/base64.h: any text decodes into its room or not at all, and a text that decodes is the only
// one for its bytes.
// bound: 8 characters, 6 bytes
// unwind: 9
// sources: src/base/base64.c
#include "prove.h"

#include "base/base64.h"

static void decode(struct bytes text)
{
    uint8_t room[6], again[8];
    size_t cap = nondet_size_t(), n;
    struct wr wr = WR_OF(again);
    struct err err;

    assume(cap <= sizeof(room));
    err = base64_decode(room, cap, &n, text);
    if (err.code)
        return;
    prove(n <= cap && base64_len(n) == text.n);
    base64_write(&wr, bytes_of(room, n));
    prove(bytes_equal(wr_done(&wr), text));
}

static void encode(struct bytes in)
{
    uint8_t text[8], out[6];
    struct wr wr = WR_OF(text);
    size_t n;
    struct err err;

    base64_write(&wr, in);
    prove(!wr.bad && wr.len == base64_len(in.n));
    err = base64_decode(out, sizeof(out), &n, wr_done(&wr));
    prove(err.code == ERR_NONE && bytes_equal(bytes_of(out, n), in));
}

int main(void)
{
    decode(any_bytes(8));
    encode(any_bytes(6));
    return 0;
}
