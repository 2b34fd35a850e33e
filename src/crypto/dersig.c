// SPDX-License-Identifier: Apache-2.0
// Two unsigned integers in a sequence: short enough to be written here, without libcrypto's big
// numbers and their allocations. Signatures are public.
#include "crypto/dersig.h"

#include "base/must.h"

#define SCALAR_BYTES_MAX 48
#define TAG_INTEGER      0x02
#define TAG_SEQUENCE     0x30

// The shortest form that is not negative (X.690 8.3).
static void put_integer(struct wr *wr, struct bytes scalar)
{
    bool padded;

    while (scalar.n > 1 && scalar.p[0] == 0)
        scalar = bytes_skip(scalar, 1);
    padded = scalar.p[0] & 0x80;
    wr_u8(wr, TAG_INTEGER);
    wr_u8(wr, (uint8_t)(scalar.n + padded));
    if (padded)
        wr_u8(wr, 0);
    wr_bytes(wr, scalar);
}

void dersig_write(struct wr *wr, struct bytes raw)
{
    uint8_t both[DERSIG_BYTES_MAX];
    struct wr body = WR_OF(both);

    must(raw.n > 0 && raw.n % 2 == 0 && raw.n <= 2 * SCALAR_BYTES_MAX);
    put_integer(&body, bytes_take(raw, raw.n / 2));
    put_integer(&body, bytes_skip(raw, raw.n / 2));
    wr_u8(wr, TAG_SEQUENCE);
    wr_var8(wr, wr_done(&body));
}
