// SPDX-License-Identifier: Apache-2.0
// crypto/openssl/aead.h and aescbc.h: known answers are in crypto_vectors.c; here is what must not
// open, and what is left behind then.
#include "crypto/openssl/aead.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/openssl/aescbc.h"
#include "expect.h"

#include <string.h>

#define TEXT_BYTES 48

static const struct seckey key = { { 1, 2, 3 } };
static const uint8_t nonce[AEAD_NONCE_BYTES] = { 4, 5, 6 };
static const uint8_t iv[16] = { 7, 8, 9 };
static uint8_t text[TEXT_BYTES] = "forty-eight bytes of text that is to be sealed.";

static void gcm_sizes(void **state)
{
    uint8_t sealed[TEXT_BYTES + AEAD_TAG_BYTES];
    uint8_t opened[TEXT_BYTES];

    (void)state;
    for (size_t n = 0; n <= TEXT_BYTES; n++) {
        struct bytes aad = bytes_of(text, n / 2);
        struct bytes box = bytes_of(sealed, n + AEAD_TAG_BYTES);

        expect_ok("seal", aead_seal(sealed, &key, nonce, aad, bytes_of(text, n)));
        expect_ok("open", aead_open(opened, &key, nonce, aad, box));
        assert_memory_equal(opened, text, n);
    }
}

static void gcm_refusals(void **state)
{
    uint8_t sealed[TEXT_BYTES + AEAD_TAG_BYTES];
    uint8_t opened[TEXT_BYTES];
    uint8_t other_nonce[AEAD_NONCE_BYTES] = { 4, 5, 7 };
    struct seckey other_key = { { 1, 2, 4 } };
    struct bytes aad = BYTES_LIT("aad");
    struct bytes box = BYTES_OF(sealed);

    (void)state;
    expect_ok("seal", aead_seal(sealed, &key, nonce, aad, BYTES_OF(text)));
    for (size_t i = 0; i < sizeof(sealed) * 8; i++) {
        sealed[i / 8] ^= (uint8_t)(1 << i % 8);
        memset(opened, 0xee, sizeof(opened));
        expect_err("bit", aead_open(opened, &key, nonce, aad, box), ERR_CORRUPT, "tag");
        assert_true(ct_is_zero(BYTES_OF(opened)));
        sealed[i / 8] ^= (uint8_t)(1 << i % 8);
    }
    for (size_t n = 0; n < sizeof(sealed); n++)
        expect_err("cut", aead_open(opened, &key, nonce, aad, bytes_of(sealed, n)), ERR_CORRUPT,
                   NULL);
    expect_err("nonce", aead_open(opened, &key, other_nonce, aad, box), ERR_CORRUPT, NULL);
    expect_err("key", aead_open(opened, &other_key, nonce, aad, box), ERR_CORRUPT, NULL);
    expect_err("aad", aead_open(opened, &key, nonce, BYTES_LIT("aae"), box), ERR_CORRUPT, NULL);
    expect_err("no aad", aead_open(opened, &key, nonce, BYTES_NONE, box), ERR_CORRUPT, NULL);
    expect_ok("as it was", aead_open(opened, &key, nonce, aad, box));
}

static void cbc_sizes(void **state)
{
    uint8_t sealed[TEXT_BYTES + 16];
    uint8_t opened[TEXT_BYTES + 16];
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i <= TEXT_BYTES; i++) {
        expect_ok("seal", aescbc_seal(sealed, &n, &key, iv, bytes_of(text, i)));
        assert_int_equal(n, i / 16 * 16 + 16);
        expect_ok("open", aescbc_open(opened, i, &key, iv, bytes_of(sealed, n)));
        assert_memory_equal(opened, text, i);
    }
}

// No length but the right one opens, and no padding but the whole of it.
static void cbc_refusals(void **state)
{
    uint8_t sealed[TEXT_BYTES + 16];
    uint8_t opened[TEXT_BYTES + 16];
    size_t n = 0;

    (void)state;
    expect_ok("seal", aescbc_seal(sealed, &n, &key, iv, bytes_of(text, 32)));
    for (size_t i = 0; i <= n; i++)
        expect_err("cut", aescbc_open(opened, i == n ? 31 : 32, &key, iv, bytes_of(sealed, i)),
                   ERR_CORRUPT, "does not open");
    for (size_t i = 33; i < 48; i++)
        expect_err("length", aescbc_open(opened, i, &key, iv, bytes_of(sealed, n)), ERR_CORRUPT,
                   "not open");
    for (unsigned i = 1; i < 256; i++) {
        sealed[31] ^= (uint8_t)i;
        expect_err("padding", aescbc_open(opened, 32, &key, iv, bytes_of(sealed, n)), ERR_CORRUPT,
                   "does not open");
        sealed[31] ^= (uint8_t)i;
    }
    expect_ok("as it was", aescbc_open(opened, 32, &key, iv, bytes_of(sealed, n)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gcm_sizes),
        cmocka_unit_test(gcm_refusals),
        cmocka_unit_test(cbc_sizes),
        cmocka_unit_test(cbc_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
