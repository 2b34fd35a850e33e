// SPDX-License-Identifier: Apache-2.0
// cli/openssl/kdf.h and aesctr.h: RFC 7914's and NIST's vectors, Wycheproof's where they are,
// and costs that are refused before they cost anything.
#include "cli/openssl/kdf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "cli/openssl/aesctr.h"
#include "expect.h"
#include "net/json.h"
#include "vectors.h"

static void scrypt(void **state)
{
    static const struct {
        const char *password, *salt;
        struct kdf_scrypt cost;
        const char *key;
    } cases[] = {
        // RFC 7914 12, without the one that takes 1 GiB
        { "",
          "",
          { 16, 1, 1 },
          "77d6576238657b203b19ca42c18a0497f16b4844e3074ae8dfdffa3fede21442" },
        { "password",
          "NaCl",
          { 1024, 8, 16 },
          "fdbabe1c9d3472007856e7190d01e9fe7c6ad7cbc8237830e77376634b373162" },
        { "pleaseletmein",
          "SodiumChloride",
          { 16384, 8, 1 },
          "7023bdcb3afd7348461c06cd81fd38ebfda8fbba904f8e3ea9b543f6545da1f2" },
    };
    struct seckey key;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        expect_ok(cases[i].password, kdf_scrypt(&key, bytes_str(cases[i].password),
                                                bytes_str(cases[i].salt), &cases[i].cost));
        expect_hex(cases[i].password, BYTES_OF(key.b), cases[i].key);
    }
}

static void scrypt_refused(void **state)
{
    static const struct {
        const char *name;
        struct kdf_scrypt cost;
        enum err_code code;
        const char *what;
    } cases[] = {
        { "n = 0", { 0, 8, 1 }, ERR_MALFORMED, "power of 2" },
        { "n = 1", { 1, 8, 1 }, ERR_MALFORMED, "power of 2" },
        { "n = 3", { 3, 8, 1 }, ERR_MALFORMED, "power of 2" },
        { "n = 262143", { 262143, 8, 1 }, ERR_MALFORMED, "power of 2" },
        { "r = 0", { 1024, 0, 1 }, ERR_MALFORMED, "from 1" },
        { "p = 0", { 1024, 8, 0 }, ERR_MALFORMED, "from 1" },
        { "n = 2^16 for r = 1", { 1 << 16, 1, 1 }, ERR_MALFORMED, "2^(16 r)" },
        { "2 GiB", { 1 << 21, 8, 1 }, ERR_TOO_LARGE, "1 GiB" },
        { "2 GiB, large r", { 2, 1 << 23, 1 }, ERR_TOO_LARGE, "1 GiB" },
        { "work", { 1 << 18, 8, 9 }, ERR_TOO_LARGE, "2^24" },
        { "large p", { 1024, 8, 1 << 24 }, ERR_TOO_LARGE, "2^24" },
        { "largest n", { UINT64_MAX, 8, 1 }, ERR_TOO_LARGE, "too large" },
        { "n = 2^63", { 1ULL << 63, 8, 1 }, ERR_TOO_LARGE, "too large" },
        { "largest r", { 2, UINT64_MAX, 1 }, ERR_TOO_LARGE, "too large" },
        { "largest p", { 2, 1, UINT64_MAX }, ERR_TOO_LARGE, "too large" },
        { "products that overflow", { 1ULL << 32, 1ULL << 32, 1 }, ERR_TOO_LARGE, "too large" },
    };
    static uint8_t salt[65537];
    struct seckey key;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_err(cases[i].name, kdf_scrypt(&key, BYTES_LIT("p"), BYTES_LIT("s"), &cases[i].cost),
                   cases[i].code, cases[i].what);
    expect_err("salt",
               kdf_scrypt(&key, BYTES_NONE, BYTES_OF(salt), &(struct kdf_scrypt) { 16, 1, 1 }),
               ERR_TOO_LARGE, "too long");
}

static void pbkdf2(void **state)
{
    struct seckey key;

    (void)state;
    expect_ok("1 round", kdf_pbkdf2(&key, BYTES_LIT("passwd"), BYTES_LIT("salt"), 1));
    expect_hex("1 round", BYTES_OF(key.b), // RFC 7914 11
               "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc");
    expect_ok("80000 rounds", kdf_pbkdf2(&key, BYTES_LIT("Password"), BYTES_LIT("NaCl"), 80000));
    expect_hex("80000 rounds", BYTES_OF(key.b),
               "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56");
    expect_err("no round", kdf_pbkdf2(&key, BYTES_NONE, BYTES_NONE, 0), ERR_MALFORMED, "1 round");
    expect_err("too many", kdf_pbkdf2(&key, BYTES_NONE, BYTES_NONE, KDF_PBKDF2_ROUNDS_MAX + 1),
               ERR_TOO_LARGE, "10^7");
    expect_err("far too many", kdf_pbkdf2(&key, BYTES_NONE, BYTES_NONE, UINT64_MAX), ERR_TOO_LARGE,
               "10^7");
}

// The first 32 bytes of each output do not depend on its length.
static void wycheproof_group(const struct json *group, unsigned *done)
{
    for (const struct json *test = json_get(group, "tests")->child; test; test = test->next) {
        struct bytes expected = unhex(json_string(json_get(test, "dk")));
        struct seckey key;
        uint64_t rounds;

        expect_ok("rounds", json_u64(&rounds, json_get(test, "iterationCount")));
        expect_ok("derive", kdf_pbkdf2(&key, unhex(json_string(json_get(test, "password"))),
                                       unhex(json_string(json_get(test, "salt"))), rounds));
        assert_true(bytes_equal(bytes_take(expected, sizeof(key.b)),
                                bytes_take(BYTES_OF(key.b), expected.n)));
        ++*done;
    }
}

static void wycheproof(void **state)
{
    static struct json nodes[4096];
    struct bytes file = vectors_read("crypto/pbkdf2_hmacsha256_test.json");
    const struct json *root;
    unsigned done = 0;

    (void)state;
    expect_ok("json", json_parse(&root, nodes, ARRAY_LEN(nodes), (uint8_t *)file.p, file.n));
    for (const struct json *g = json_get(root, "testGroups")->child; g; g = g->next)
        wycheproof_group(g, &done);
    assert_int_equal(done, 60);
}

// NIST SP 800-38A F.5.1, and every shorter length.
static void ctr(void **state)
{
    struct bytes key = unhex(BYTES_LIT("2b7e151628aed2a6abf7158809cf4f3c"));
    struct bytes iv = unhex(BYTES_LIT("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"));
    struct bytes text = unhex(BYTES_LIT("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c"
                                        "9eb76fac45af8e5130c81c46a35ce411e5fbc1191a0a52ef"
                                        "f69f2445df4f9b17ad2b417be66c3710"));
    struct bytes sealed = unhex(BYTES_LIT("874d6191b620e3261bef6864990db6ce9806f66b7970fdff"
                                          "8617187bb9fffdff5ae4df3edbd5d35e5b4f09020db03eab"
                                          "1e031dda2fbe03d1792170a0f3009cee"));
    uint8_t out[64];

    (void)state;
    assert_int_equal(text.n, sizeof(out));
    for (size_t n = 0; n <= sizeof(out); n++) {
        memset(out, 0xee, sizeof(out));
        expect_ok("ctr", aesctr_128(out, key.p, iv.p, bytes_take(text, n)));
        assert_memory_equal(out, sealed.p, n);
        assert_true(n == sizeof(out) || out[n] == 0xee);
    }
    expect_ok("back", aesctr_128(out, key.p, iv.p, sealed));
    assert_memory_equal(out, text.p, text.n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scrypt), cmocka_unit_test(scrypt_refused),
        cmocka_unit_test(pbkdf2), cmocka_unit_test(wycheproof),
        cmocka_unit_test(ctr),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
