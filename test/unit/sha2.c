// SPDX-License-Identifier: Apache-2.0
// crypto/openssl/sha2.h: FIPS 180-4's examples, and that the pieces do not matter.
#include "crypto/openssl/sha2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ct.h"
#include "vectors.h"

#include <nettle/sha2.h>

#define TWO_BLOCKS "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"

static void known_digests(void **state)
{
    static const struct {
        const char *in, *sha256, *sha384;
    } cases[] = {
        { "", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
          "38b060a751ac96384cd9327eb1b1e36a21fdb71114be07434c0cc7bf63f6e1da"
          "274edebfe76f65fbd51ad2f14898b95b" },
        { "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
          "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
          "8086072ba1e7cc2358baeca134c825a7" },
        { TWO_BLOCKS, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1",
          "3391fdddfc8dc7393707a65b1b4709397cf8b1d162af05abfe8f450de5f36bc6"
          "b0455a8520bc4e6f5fe95b1fe3c8452b" },
    };
    uint8_t out[48];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        sha2_256(out, bytes_str(cases[i].in));
        expect_hex(cases[i].in, bytes_of(out, 32), cases[i].sha256);
        sha2_384(out, bytes_str(cases[i].in));
        expect_hex(cases[i].in, bytes_of(out, 48), cases[i].sha384);
    }
}

static void every_length_as_nettle(void **state)
{
    uint8_t in[300];
    uint8_t ours[48];
    uint8_t theirs[48];
    struct sha256_ctx ctx256;
    struct sha384_ctx ctx384;

    (void)state;
    for (size_t i = 0; i < sizeof(in); i++)
        in[i] = (uint8_t)(i * 31);
    sha256_init(&ctx256);
    sha384_init(&ctx384);
    for (size_t n = 0; n < sizeof(in); n++) {
        sha256_update(&ctx256, n, in);
        sha256_digest(&ctx256, 32, theirs);
        sha2_256(ours, bytes_of(in, n));
        assert_memory_equal(ours, theirs, 32);
        sha384_update(&ctx384, n, in);
        sha384_digest(&ctx384, 48, theirs);
        sha2_384(ours, bytes_of(in, n));
        assert_memory_equal(ours, theirs, 48);
    }
}

static void pieces(void **state)
{
    uint8_t in[257] = { 1, 2, 3 };
    uint8_t whole[48];
    uint8_t parts[48];
    struct sha2 sha;

    (void)state;
    for (size_t cut = 0; cut <= sizeof(in); cut++) {
        sha2_256(whole, BYTES_OF(in));
        sha2_256_start(&sha);
        sha2_256_add(&sha, bytes_of(in, cut));
        sha2_256_add(&sha, BYTES_NONE);
        sha2_256_add(&sha, bytes_skip(BYTES_OF(in), cut));
        sha2_256_end(&sha, parts);
        assert_memory_equal(whole, parts, 32);
        sha2_384(whole, BYTES_OF(in));
        sha2_384_start(&sha);
        sha2_384_add(&sha, bytes_of(in, cut));
        sha2_384_add(&sha, BYTES_NONE);
        sha2_384_add(&sha, bytes_skip(BYTES_OF(in), cut));
        sha2_384_end(&sha, parts);
        assert_memory_equal(whole, parts, 48);
    }
}

static void state_is_wiped(void **state)
{
    uint8_t out[48];
    struct sha2 sha;

    (void)state;
    sha2_256_start(&sha);
    sha2_256_add(&sha, BYTES_LIT("secret"));
    sha2_256_end(&sha, out);
    assert_true(ct_is_zero(BYTES_OF(sha)));
    sha2_384_start(&sha);
    sha2_384_add(&sha, BYTES_LIT("secret"));
    sha2_384_end(&sha, out);
    assert_true(ct_is_zero(BYTES_OF(sha)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_digests),
        cmocka_unit_test(every_length_as_nettle),
        cmocka_unit_test(pieces),
        cmocka_unit_test(state_is_wiped),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
