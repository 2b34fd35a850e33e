// SPDX-License-Identifier: Apache-2.0
// crypto/openssl/libcrypto.h, rsa.h and crypto/selftest.h, as the vault starts: a pool first, then
// the self-test, then a recipient key, all of it inside the pool.
#include "crypto/openssl/libcrypto.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "crypto/ecdsa.h"
#include "crypto/openssl/rsa.h"
#include "crypto/selftest.h"
#include "expect.h"

#include <string.h>

static _Alignas(64) uint8_t memory[1 << 20];
static struct pool pool;

static void starts_in_a_pool(void **state)
{
    (void)state;
    pool_init(&pool, memory, sizeof(memory));
    expect_ok("first", libcrypto_init_in(&pool));
    assert_true(pool.live_bytes > 0);
    expect_err("second", libcrypto_init_in(&pool), ERR_INTERNAL, "used before");
    expect_ok("without a pool", libcrypto_init());
}

static void self_test(void **state)
{
    uint8_t seed[32];

    (void)state;
    libcrypto_random(seed, sizeof(seed));
    ecdsa_init(seed);
    expect_ok("self-test", selftest_run());
}

static void random_differs(void **state)
{
    uint8_t a[64];
    uint8_t b[64];

    (void)state;
    libcrypto_random(a, sizeof(a));
    libcrypto_random(b, sizeof(b));
    assert_memory_not_equal(a, b, sizeof(a));
    memcpy(b, a, sizeof(b));
    libcrypto_random(a, 0);
    assert_memory_equal(a, b, sizeof(a));
}

static void oaep(void **state)
{
    AUTO(rsa_key_free) struct rsa_key *key = NULL;
    uint8_t spki[RSA_SPKI_BYTES];
    uint8_t sealed[RSA_MODULUS_BYTES];
    uint8_t out[RSA_MODULUS_BYTES];
    uint8_t in[191] = { 1 };
    size_t n = 0;

    (void)state;
    expect_ok("new", rsa_key_new(&key));
    expect_ok("spki", rsa_key_spki(key, spki));
    expect_ok("190", rsa_oaep_seal(sealed, BYTES_OF(spki), bytes_of(in, 190)));
    expect_ok("190", rsa_oaep_open(key, out, sizeof(out), &n, BYTES_OF(sealed)));
    assert_true(bytes_equal(bytes_of(out, n), bytes_of(in, 190)));
    expect_err("191", rsa_oaep_seal(sealed, BYTES_OF(spki), bytes_of(in, 191)), ERR_MALFORMED, "");
    expect_ok("32", rsa_oaep_seal(sealed, BYTES_OF(spki), bytes_of(in, 32)));
    expect_err("small", rsa_oaep_open(key, out, 31, &n, BYTES_OF(sealed)), ERR_CORRUPT,
               "encrypted key does not open");
    for (size_t i = 0; i < sizeof(sealed); i += 15) {
        sealed[i] ^= 1;
        expect_err("changed", rsa_oaep_open(key, out, sizeof(out), &n, BYTES_OF(sealed)),
                   ERR_CORRUPT, "encrypted key does not open");
        sealed[i] ^= 1;
    }
    expect_err("short", rsa_oaep_open(key, out, sizeof(out), &n, bytes_of(sealed, 255)),
               ERR_CORRUPT, "encrypted key does not open");
    expect_err("none", rsa_oaep_open(key, out, sizeof(out), &n, BYTES_NONE), ERR_CORRUPT, NULL);
    memset(sealed, 0xff, sizeof(sealed));
    expect_err("above the modulus", rsa_oaep_open(key, out, sizeof(out), &n, BYTES_OF(sealed)),
               ERR_CORRUPT, "encrypted key does not open");
}

static void pem_refusals(void **state)
{
    static const char *const cases[] = {
        "",
        "no PEM",
        "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n",
    };
    struct rsa_key *key = NULL;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        expect_err(cases[i], rsa_key_from_pem(&key, bytes_str(cases[i])), ERR_MALFORMED, "rsa key");
        assert_null(key);
    }
    rsa_key_free(&key);
}

// Nothing that an operation takes stays taken.
static void pool_does_not_grow(void **state)
{
    struct rsa_key *key = NULL;
    size_t live = 0;

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        live = pool.live_bytes;
        expect_ok("new", rsa_key_new(&key));
        rsa_key_free(&key);
        expect_ok("self-test", selftest_run());
    }
    assert_int_equal(pool.live_bytes, live);
    print_message("pool: %zu bytes used, at most %zu live\n", pool.used, pool.live_bytes_max);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(starts_in_a_pool), cmocka_unit_test(self_test),
        cmocka_unit_test(random_differs),   cmocka_unit_test(oaep),
        cmocka_unit_test(pem_refusals),     cmocka_unit_test(pool_does_not_grow),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
