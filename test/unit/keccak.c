// SPDX-License-Identifier: Apache-2.0
// crypto/keccak.h: known digests around the block size, and that it is not SHA3-256.
#include "crypto/keccak.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "vectors.h"

#include <nettle/sha3.h>
#include <string.h>

static void known_digests(void **state)
{
    static const struct {
        const char *name, *in, *digest;
    } cases[] = {
        { "nothing", "", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470" },
        { "abc", "abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45" },
        { "a sentence", "The quick brown fox jumps over the lazy dog",
          "4d741b6f1eb29cb2a9b9911c82f56fa8d73b04959d3d9d222895df6c0b28aa15" },
        { "ERC-20 transfer", "transfer(address,uint256)",
          "a9059cbb2ab09eb219583f4a59a5d0623ade346d962bcd4e46b11da047c9049b" },
    };
    uint8_t out[32];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        keccak_256(out, bytes_str(cases[i].in));
        expect_hex(cases[i].name, BYTES_OF(out), cases[i].digest);
    }
}

static void is_not_sha3(void **state)
{
    uint8_t out[32];
    uint8_t sha3[32];
    struct sha3_256_ctx ctx;

    (void)state;
    sha3_256_init(&ctx);
    sha3_256_digest(&ctx, sizeof(sha3), sha3);
    keccak_256(out, BYTES_NONE);
    assert_memory_not_equal(out, sha3, sizeof(out));
}

// nettle has the permutation in public; the sponge around it here is a second one.
static void other_keccak(uint8_t out[32], const uint8_t *in, size_t n)
{
    struct sha3_state state = { { 0 } };
    uint8_t padded[1024] = { 0 };
    size_t blocks = n / 136 + 1;

    memcpy(padded, in, n);
    padded[n] ^= 0x01;
    padded[blocks * 136 - 1] ^= 0x80;
    for (size_t i = 0; i < blocks * 136; i++) {
        state.a[i % 136 / 8] ^= (uint64_t)padded[i] << (8 * (i % 8));
        if (i % 136 == 135)
            sha3_permute(&state);
    }
    for (size_t i = 0; i < 32; i++)
        out[i] = (uint8_t)(state.a[i / 8] >> (8 * (i % 8)));
}

static void every_length_as_nettle(void **state)
{
    uint8_t in[700];
    uint8_t ours[32];
    uint8_t theirs[32];

    (void)state;
    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)(i * 167 + 13);
    for (size_t n = 0; n < sizeof(in); n++) {
        keccak_256(ours, bytes_of(in, n));
        other_keccak(theirs, in, n);
        assert_memory_equal(ours, theirs, sizeof(ours));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_digests),
        cmocka_unit_test(is_not_sha3),
        cmocka_unit_test(every_length_as_nettle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
