// SPDX-License-Identifier: Apache-2.0
// Keccak-256: the sponge over Keccak-f[1600] with a rate of 136 bytes (The Keccak reference 3.0).
// The permutation is written out one round at a time, two rounds per turn, so that every lane index
// and rotation is a constant and the lanes need no copying. It has no branch and no table lookup
// that depends on its input, and it trusts nothing; it never wipes: hash no secrets with it.
#include "crypto/keccak.h"

#include <string.h>

#define LANES      25
#define RATE_BYTES 136
#define ROUNDS     24

static void absorb(uint64_t state[static LANES], const uint8_t block[static RATE_BYTES]);

void keccak_256(uint8_t out[static 32], struct bytes in)
{
    uint64_t state[LANES] = { 0 };
    uint8_t last[RATE_BYTES] = { 0 };

    while (in.n >= RATE_BYTES) {
        absorb(state, in.p);
        in = bytes_skip(in, RATE_BYTES);
    }
    if (in.n)
        memcpy(last, in.p, in.n);
    // pad10*1 with Keccak's own domain bits, not FIPS 202's (0x06).
    last[in.n] = 0x01;
    last[RATE_BYTES - 1] |= 0x80;
    absorb(state, last);
    for (unsigned i = 0; i < 32; i++)
        out[i] = (uint8_t)(state[i / 8] >> (8 * (i % 8)));
}

// iota's constants (The Keccak reference 1.2).
static const uint64_t round_constant[ROUNDS] = {
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000,
    0x000000000000808b, 0x0000000080000001, 0x8000000080008081, 0x8000000000008009,
    0x000000000000008a, 0x0000000000000088, 0x0000000080008009, 0x000000008000000a,
    0x000000008000808b, 0x800000000000008b, 0x8000000000008089, 0x8000000000008003,
    0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008,
};

static inline uint64_t rotl(uint64_t value, unsigned by)
{
    return value << by | value >> (-by & 63);
}

static inline void chi(uint64_t out[static 5], const uint64_t b[static 5])
{
    out[0] = b[0] ^ (~b[1] & b[2]);
    out[1] = b[1] ^ (~b[2] & b[3]);
    out[2] = b[2] ^ (~b[3] & b[4]);
    out[3] = b[3] ^ (~b[4] & b[0]);
    out[4] = b[4] ^ (~b[0] & b[1]);
}

// theta, rho and pi for one lane: lane i of the input goes, rotated, to where it stands in the row.
#define LANE(i, by) rotl(in[i] ^ d[(i) % 5], by)
#define ROW(row, b0, b1, b2, b3, b4) \
    chi(&out[5 * (row)], (const uint64_t[5]) { b0, b1, b2, b3, b4 })

static inline void round_step(uint64_t out[static LANES], const uint64_t in[static LANES],
                              uint64_t constant)
{
    uint64_t c0 = in[0] ^ in[5] ^ in[10] ^ in[15] ^ in[20];
    uint64_t c1 = in[1] ^ in[6] ^ in[11] ^ in[16] ^ in[21];
    uint64_t c2 = in[2] ^ in[7] ^ in[12] ^ in[17] ^ in[22];
    uint64_t c3 = in[3] ^ in[8] ^ in[13] ^ in[18] ^ in[23];
    uint64_t c4 = in[4] ^ in[9] ^ in[14] ^ in[19] ^ in[24];
    uint64_t d[5] = { c4 ^ rotl(c1, 1), c0 ^ rotl(c2, 1), c1 ^ rotl(c3, 1), c2 ^ rotl(c4, 1),
                      c3 ^ rotl(c0, 1) };

    ROW(0, LANE(0, 0), LANE(6, 44), LANE(12, 43), LANE(18, 21), LANE(24, 14));
    ROW(1, LANE(3, 28), LANE(9, 20), LANE(10, 3), LANE(16, 45), LANE(22, 61));
    ROW(2, LANE(1, 1), LANE(7, 6), LANE(13, 25), LANE(19, 8), LANE(20, 18));
    ROW(3, LANE(4, 27), LANE(5, 36), LANE(11, 10), LANE(17, 15), LANE(23, 56));
    ROW(4, LANE(2, 62), LANE(8, 55), LANE(14, 39), LANE(15, 41), LANE(21, 2));
    out[0] ^= constant;
}

static uint64_t load_le64(const uint8_t *p)
{
    uint64_t value;

    // Both targets (x86-64, aarch64) are little-endian, as Keccak's lanes are.
    memcpy(&value, p, sizeof(value));
    return value;
}

static void absorb(uint64_t state[static LANES], const uint8_t block[static RATE_BYTES])
{
    uint64_t a[LANES];
    uint64_t b[LANES];

    memcpy(a, state, sizeof(a));
    for (size_t i = 0; i < RATE_BYTES / 8; i++)
        a[i] ^= load_le64(block + 8 * i);
    for (size_t round = 0; round < ROUNDS; round += 2) {
        round_step(b, a, round_constant[round]);
        round_step(a, b, round_constant[round + 1]);
    }
    memcpy(state, a, sizeof(a));
}
