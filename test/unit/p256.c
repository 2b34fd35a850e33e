// SPDX-License-Identifier: Apache-2.0
// crypto/openssl/p256.h. Public keys were computed by a few lines of Python after SEC 1 (the first
// one stands in RFC 6979 A.2.5); signatures are verified by nettle, which shares no code with
// libcrypto.
#include "crypto/openssl/p256.h"

#include "base/hex.h"
#include "base/must.h"
#include "crypto/openssl/libcrypto.h"

#include <nettle/ecc-curve.h>
#include <nettle/ecdsa.h>
#include <nettle/sha2.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "expect.h"

#define KEY   "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721"
#define KEY_X "60fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"
#define KEY_Y "7903fe1008b8bc99a41ae9e95628bc64f2f1b20c2d7e9f5177a3c294d4462299"
#define G_X   "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"
#define G_Y   "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5"
#define ZERO  "0000000000000000000000000000000000000000000000000000000000000000"
#define N     "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"

// The base point of P-384 (FIPS 186-4 D.1.2.4).
#define G384                                                                                     \
    "04aa87ca22be8b05378eb1c71ef320ad746e1d3b628ba79b9859f741e082542a385502f25dbf55296c3a545e38" \
    "72760ab73617de4a96262c6f5d9e98bf9292dc29f8f41dbd289a147ce9da3113b5f0b8c00a60b1ce1d7e819d7a" \
    "431d7c90ea0e5f"

static struct seckey key_of(const char *text)
{
    struct seckey key;

    must(!hex_decode(key.b, sizeof(key.b), bytes_str(text)).code);
    return key;
}

static void public_keys(void **state)
{
    static const struct {
        const char *key, *expected;
    } cases[] = {
        { KEY, "03" KEY_X },
        { "0000000000000000000000000000000000000000000000000000000000000001", "03" G_X },
        { "0000000000000000000000000000000000000000000000000000000000000002",
          "037cf27b188d034f7e8a52380304b51ac3c08969e277f21b35a60b48fc47669978" },
        { "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632550", "02" G_X },
        { "0100000000000000000000000000000000000000000000000000000000000000",
          "029bbf06dad9ab5905e05471ce16d5222c89c2caa39f26267ac0747129885fbd44" },
    };
    uint8_t public_key[P256_PUBLIC_BYTES];
    char hex[2 * P256_PUBLIC_BYTES + 1];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct seckey key = key_of(cases[i].key);

        expect_ok(cases[i].key, p256_check(&key));
        expect_ok(cases[i].key, p256_public(public_key, &key));
        hex_encode(hex, BYTES_OF(public_key));
        assert_string_equal(hex, cases[i].expected);
    }
}

static void keys_refused(void **state)
{
    static const char *const cases[] = {
        ZERO,
        N,
        "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632552",
        "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632651",
        "ffffffff00000001000000000000000000000000000000000000000000000000",
        "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    };
    uint8_t public_key[P256_PUBLIC_BYTES];
    struct p256_key *ready;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct seckey key = key_of(cases[i]);

        expect_err(cases[i], p256_check(&key), ERR_MALFORMED, "group order");
        expect_err(cases[i], p256_public(public_key, &key), ERR_MALFORMED, NULL);
        expect_err(cases[i], p256_key_of(&ready, &key), ERR_MALFORMED, NULL);
        assert_null(ready);
    }
}

static void spki(void **state)
{
    struct seckey key = key_of(KEY);
    struct p256_key *ready;
    uint8_t der[P256_SPKI_BYTES];
    char hex[2 * P256_SPKI_BYTES + 1];

    (void)state;
    expect_ok("key", p256_key_of(&ready, &key));
    p256_key_spki(ready, der);
    hex_encode(hex, BYTES_OF(der));
    assert_string_equal(
        hex, "3059301306072a8648ce3d020106082a8648ce3d03010703420004" KEY_X KEY_Y); // RFC 5480 2
    p256_key_free(&ready);
    p256_key_free(&ready); // accepts none
}

// By nettle, from the two numbers of a strict DER.
static bool is_signature(struct bytes der, struct bytes message)
{
    struct ecc_point point;
    struct dsa_signature signature;
    struct sha256_ctx sha;
    uint8_t digest[32];
    mpz_t x, y;
    bool is;

    if (der.n < 8 || der.p[0] != 0x30 || der.p[1] != der.n - 2 || der.p[2] != 2 ||
        der.p[4 + der.p[3]] != 2 || der.p[3] + der.p[5 + der.p[3]] + 6U != der.n)
        return false;
    mpz_init_set_str(x, KEY_X, 16);
    mpz_init_set_str(y, KEY_Y, 16);
    ecc_point_init(&point, nettle_get_secp_256r1());
    must(ecc_point_set(&point, x, y) == 1);
    dsa_signature_init(&signature);
    mpz_import(signature.r, der.p[3], 1, 1, 1, 0, der.p + 4);
    mpz_import(signature.s, der.p[5 + der.p[3]], 1, 1, 1, 0, der.p + 6 + der.p[3]);
    sha256_init(&sha);
    sha256_update(&sha, message.n, message.p);
    sha256_digest(&sha, sizeof(digest), digest);
    is = ecdsa_verify(&point, sizeof(digest), digest, &signature) == 1;
    dsa_signature_clear(&signature);
    ecc_point_clear(&point);
    mpz_clear(x);
    mpz_clear(y);
    return is;
}

static void signatures(void **state)
{
    struct seckey key = key_of(KEY);
    struct p256_key *ready;
    uint8_t message[200], first[P256_SIGNATURE_MAX];
    size_t first_len = 0;

    (void)state;
    memset(message, 'm', sizeof(message));
    expect_ok("key", p256_key_of(&ready, &key));
    for (size_t n = 0; n < sizeof(message); n++) {
        uint8_t der[P256_SIGNATURE_MAX];
        struct wr wr = WR_OF(der);

        expect_ok("sign", p256_sign(&wr, ready, bytes_of(message, n)));
        assert_true(wr.len > 60);
        assert_true(is_signature(wr_done(&wr), bytes_of(message, n)));
        assert_false(is_signature(wr_done(&wr), bytes_of(message, n + 1)));
        assert_false(bytes_equal(wr_done(&wr), bytes_of(first, first_len)));
        first_len = wr.len;
        memcpy(first, der, first_len);
    }
    p256_key_free(&ready);
}

// A nonce is used once, also for the same message.
static void nonces_differ(void **state)
{
    struct seckey key = key_of(KEY);
    uint8_t r[64][8];
    struct p256_key *ready;

    (void)state;
    expect_ok("key", p256_key_of(&ready, &key));
    for (size_t i = 0; i < ARRAY_LEN(r); i++) {
        uint8_t der[P256_SIGNATURE_MAX];
        struct wr wr = WR_OF(der);

        expect_ok("sign", p256_sign(&wr, ready, BYTES_LIT("again")));
        memcpy(r[i], der + 5, sizeof(r[i]));
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(r[i], r[k], sizeof(r[i]));
    }
    p256_key_free(&ready);
}

static void no_room(void **state)
{
    struct seckey key = key_of(KEY);
    struct p256_key *ready;
    uint8_t small[16];
    struct wr wr = WR_OF(small);

    (void)state;
    expect_ok("key", p256_key_of(&ready, &key));
    expect_ok("sign", p256_sign(&wr, ready, BYTES_LIT("m")));
    expect_err("end", wr_end(&wr), ERR_TOO_LARGE, NULL);
    p256_key_free(&ready);
}

static void points(void **state)
{
    static const struct {
        const char *name, *hex;
        bool is, is_384;
    } cases[] = {
        { "base point", "04" G_X G_Y, true, false },
        { "public key", "04" KEY_X KEY_Y, true, false },
        { "base point of P-384", G384, false, true },
        { "nothing", "", false, false },
        { "infinity", "00", false, false },
        { "compressed", "03" G_X, false, false },
        { "hybrid", "07" G_X G_Y, false, false },
        { "hybrid, as for the other y", "06" G_X G_Y, false, false },
        { "y of another point", "04" G_X KEY_Y, false, false },
        { "zeros", "04" ZERO ZERO, false, false },
        { "x not below the prime",
          "04"
          "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff" G_Y,
          false, false },
        { "a byte less", "04" G_X "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51",
          false, false },
        { "a byte more", "04" G_X G_Y "00", false, false },
        { "zeros of P-384", "04" ZERO ZERO ZERO, false, false },
    };
    uint8_t encoded[128];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t n = strlen(cases[i].hex) / 2;

        expect_ok(cases[i].name, hex_decode(encoded, n, bytes_str(cases[i].hex)));
        if (p256_is_point(bytes_of(encoded, n)) != cases[i].is ||
            p256_is_point_384(bytes_of(encoded, n)) != cases[i].is_384)
            fail_msg("%s", cases[i].name);
    }
}

static int start(void **state)
{
    (void)state;
    must(!libcrypto_init().code);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(public_keys), cmocka_unit_test(keys_refused),  cmocka_unit_test(spki),
        cmocka_unit_test(signatures),  cmocka_unit_test(nonces_differ), cmocka_unit_test(no_room),
        cmocka_unit_test(points),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
