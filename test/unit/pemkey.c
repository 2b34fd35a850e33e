// SPDX-License-Identifier: Apache-2.0
// cli/openssl/pemkey.h. The signature of Ed25519 was computed by a few lines of Python after RFC
// 8032; those of P-256, which are new each time, are verified by approve.h, as the vault does it.
#include "cli/openssl/pemkey.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "approving.h"
#include "base/must.h"
#include "expect.h"

#include <string.h>

#define EC_KEY "02bf97d0ee1866aac6f80826ebadc42f3d81e1b6b8f298f5d3ebe7542b7cb483a7"

static const char ed_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                             "MC4CAQAwBQYDK2VwBCIEIEBBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5f\n"
                             "-----END PRIVATE KEY-----\n";
static const char ec_pem[] = "-----BEGIN PRIVATE KEY-----\n"
                             "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgYGFiY2RlZmdoaWpr\n"
                             "bG1ub3BxcnN0dXZ3eHl6e3x9fn+hRANCAAS/l9DuGGaqxvgIJuutxC89geG2uPKY\n"
                             "9dPr51QrfLSDp96PFN3emqLnZbLmDs5gz6GwlWg6j29ir4us7n9N+hjq\n"
                             "-----END PRIVATE KEY-----\n";

static void keys(void **state)
{
    enum approve_type type;
    uint8_t key[APPROVE_KEY_MAX], signature[APPROVE_SIGNATURE_BYTES];
    uint8_t again[APPROVE_SIGNATURE_BYTES];
    struct hex expected;
    size_t n;

    (void)state;
    expect_ok("ed25519", pemkey_public(&type, key, &n, bytes_str(ed_pem)));
    assert_int_equal(type, APPROVE_ED25519);
    assert_true(bytes_equal(bytes_of(key, n), from_hex(&expected, ED_KEY)));
    expect_ok("ed25519", pemkey_sign(signature, bytes_str(ed_pem), message));
    assert_true(bytes_equal(BYTES_OF(signature), from_hex(&expected, ED_R ED_S)));

    expect_ok("p-256", pemkey_public(&type, key, &n, bytes_str(ec_pem)));
    assert_int_equal(type, APPROVE_P256);
    assert_true(bytes_equal(bytes_of(key, n), from_hex(&expected, EC_KEY)));
    expect_ok("p-256", pemkey_sign(signature, bytes_str(ec_pem), message));
    expect_ok("p-256", approve_verify(type, bytes_of(key, n), message, signature));
    expect_ok("p-256 again", pemkey_sign(again, bytes_str(ec_pem), message));
    assert_memory_not_equal(signature, again, sizeof(again)); // a fresh nonce
}

static void keys_refused(void **state)
{
    static const struct {
        const char *name, *text, *what;
    } cases[] = {
        { "nothing", "", "PEM" },
        { "no PEM", "0123456789abcdef", "PKCS#8" },
        { "public",
          "-----BEGIN PUBLIC KEY-----\n"
          "MCowBQYDK2VwAyEAJUO5L/EJVRFHatyDadtt3JM2ZaEZeN2hQE7hBmypVZ0=\n"
          "-----END PUBLIC KEY-----\n",
          "PKCS#8" },
        { "cut",
          "-----BEGIN PRIVATE KEY-----\n"
          "MC4CAQAwBQYDK2VwBCIEIEBBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5f\n",
          "PKCS#8" },
        { "key of 31 bytes",
          "-----BEGIN PRIVATE KEY-----\n"
          "MC0CAQAwBQYDK2VwBCEEH0BBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV4=\n"
          "-----END PRIVATE KEY-----\n",
          "PKCS#8" },
        { "encrypted",
          "-----BEGIN ENCRYPTED PRIVATE KEY-----\n"
          "MIH0MF8GCSqGSIb3DQEFDTBSMDEGCSqGSIb3DQEFDDAkBBBQuROw0fUHQ8MG8Hz2\n"
          "1oRLAgIIADAMBggqhkiG9w0CCQUAMB0GCWCGSAFlAwQBKgQQ5qASHiXZl3iHgem3\n"
          "jRXlmASBkBI7aMa8QpS1skZXoZSZPk0/GGRtGG7RkG2hThio6SsfgHTVe88+GRRn\n"
          "Aw6kdtmvGdHfzD3ExcGJLelP/AQCI+7Ef1NxaMqpuRzxWLTznUm6iUgdA22r1tzu\n"
          "WRM23jT2jR0cFPwz+sVb1jKV6T5a48QP2WQXkRI1kZRfvkLtheXPyQgBmNWiMI7N\n"
          "AV7AiElhHw==\n"
          "-----END ENCRYPTED PRIVATE KEY-----\n",
          "not encrypted" },
        { "p-384",
          "-----BEGIN PRIVATE KEY-----\n"
          "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDAAAAAAAAAAAAAAAAAA\n"
          "AAAAYGFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6e3x9fn+hZANiAAQCguO4kfVN\n"
          "lzCPBYGpDXo1rqtRyNRlHEVpjTBAIg1Dt6ESE4XL2NMuF8NmQNa15oD+ka+HzL4J\n"
          "zII2ahy9rsApS9TcXygMfurQIuSZGAj5azoYfnTW/TOImBY5T3aAnmo=\n"
          "-----END PRIVATE KEY-----\n",
          "Ed25519 or P-256" },
        { "x25519",
          "-----BEGIN PRIVATE KEY-----\n"
          "MC4CAQAwBQYDK2VuBCIEIEBBQkNERUZHSElKS0xNTk9QUVJTVFVWV1hZWltcXV5f\n"
          "-----END PRIVATE KEY-----\n",
          "Ed25519 or P-256" },
    };
    static char long_text[5000];
    uint8_t key[APPROVE_KEY_MAX], signature[APPROVE_SIGNATURE_BYTES];
    enum approve_type type;
    size_t n;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        expect_err(cases[i].name, pemkey_public(&type, key, &n, bytes_str(cases[i].text)),
                   ERR_MALFORMED, cases[i].what);
        expect_err(cases[i].name, pemkey_sign(signature, bytes_str(cases[i].text), message),
                   ERR_MALFORMED, cases[i].what);
    }
    memset(long_text, '\n', sizeof(long_text));
    expect_err("long", pemkey_public(&type, key, &n, BYTES_OF(long_text)), ERR_MALFORMED, "PEM");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys),
        cmocka_unit_test(keys_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
