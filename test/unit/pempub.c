// SPDX-License-Identifier: Apache-2.0
// cli/pempub.h: public keys as openssl writes them, and everything that is none.
#include "cli/pempub.h"

#include "base/hex.h"
#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"

#define BEGIN "-----BEGIN PUBLIC KEY-----\n"
#define END   "-----END PUBLIC KEY-----\n"
// RFC 8410 10.1, the public key of its example.
#define ED25519     "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n"
#define ED25519_KEY "19bf44096984cdfe8541bac167dc3b96c85086aa30b6b6cb0c5c38ad703166e1"
// The base point of P-256 (SEC 2 2.4.2), uncompressed and compressed.
#define P256_1                                                           \
    "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEaxfR8uEsQkf4vOblY6RA8ncDfYEt\n" \
    "6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n"
#define P256_SHORT \
    "MDkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDIgADaxfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpY=\n"
#define P256_KEY "036b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296"

static void taken(void **state)
{
    static const struct {
        const char *name, *text, *key;
        enum approve_type type;
    } cases[] = {
        { "Ed25519", BEGIN ED25519 END, ED25519_KEY, APPROVE_ED25519 },
        { "P-256", BEGIN P256_1 END, P256_KEY, APPROVE_P256 },
        { "P-256, compressed", BEGIN P256_SHORT END, P256_KEY, APPROVE_P256 },
        { "text before", "my key\n" BEGIN ED25519 END, ED25519_KEY, APPROVE_ED25519 },
        { "CRLF", "-----BEGIN PUBLIC KEY-----\r\n" ED25519 "\r\n" END, ED25519_KEY,
          APPROVE_ED25519 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct pempub key;
        char digits[2 * APPROVE_KEY_MAX + 1];

        expect_ok(cases[i].name, pempub_read(&key, bytes_str(cases[i].text)));
        assert_int_equal(key.type, cases[i].type);
        hex_encode(digits, bytes_of(key.key, key.n));
        assert_string_equal(digits, cases[i].key);
    }
}

static void refused(void **state)
{
    static const struct {
        const char *name, *text;
        enum err_code code;
    } cases[] = {
        { "empty", "", ERR_MALFORMED },
        { "no PEM", ED25519, ERR_MALFORMED },
        { "no end", BEGIN ED25519, ERR_MALFORMED },
        { "nothing in it", BEGIN END, ERR_UNSUPPORTED },
        { "a private key", "-----BEGIN PRIVATE KEY-----\n" ED25519 "-----END PRIVATE KEY-----\n",
          ERR_MALFORMED },
        { "no base64", BEGIN "????\n" END, ERR_MALFORMED },
        { "a blank", BEGIN " " ED25519 END, ERR_MALFORMED },
        { "cut", BEGIN "MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAx\n" END,
          ERR_UNSUPPORTED },
        { "X25519", BEGIN "MCowBQYDK2VuAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n" END,
          ERR_UNSUPPORTED },
        { "small order", BEGIN "MCowBQYDK2VwAyEAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n" END,
          ERR_MALFORMED },
        { "too long", BEGIN P256_1 P256_1 P256_1 END, ERR_MALFORMED },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct pempub key;

        expect_err(cases[i].name, pempub_read(&key, bytes_str(cases[i].text)), cases[i].code, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taken),
        cmocka_unit_test(refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
