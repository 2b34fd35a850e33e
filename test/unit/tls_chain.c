// SPDX-License-Identifier: Apache-2.0
// net/tls_chain.h: chains that are taken and refused, and the names of a leaf.
#include "net/tls_chain.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"
#include "tlspki.h"

#define NAMES                                                                              \
    "DNS:signer.example,DNS:*.Wild.example,IP:192.0.2.7,IP:2001:db8::7,email:a@b.example," \
    "DNS:two words"

static struct tlspki root, middle, leaf;

static void test_taken(void **state)
{
    uint8_t fingerprint[32], der[2048];
    BIO *bio = BIO_new(BIO_s_mem());
    struct tls_chain chain = { .count = 0 };
    struct bytes pem;

    (void)state;
    must(BIO_puts(bio, "a word about this file\n") > 0);
    (void)tlspki_pem(bio, &leaf);
    pem = tlspki_pem(bio, &middle);
    expect_ok("chain", tls_chain_read(&chain, pem, TLSPKI_NOW_S));
    assert_int_equal(chain.count, 2);
    assert_int_equal(chain.names, 4);
    assert_int_equal(chain.not_after_s, TLSPKI_NOW_S + TLSPKI_DAY_S);
    tlspki_fingerprint(fingerprint, &leaf);
    assert_memory_equal(fingerprint, chain.leaf_sha256, 32);
    must(X509_pubkey_digest(leaf.certificate, EVP_sha256(), der, NULL) == 1);
    assert_memory_not_equal(chain.spki_sha256, der, 32); // that is the key without its head
    pem = bytes_of(der, (size_t)i2d_PUBKEY(leaf.key, &(unsigned char *) { der }));
    must(EVP_Digest(pem.p, pem.n, fingerprint, NULL, EVP_sha256(), NULL) == 1);
    assert_memory_equal(fingerprint, chain.spki_sha256, 32);
    tls_chain_done(&chain);
    tls_chain_done(&chain);
    BIO_free(bio);
}

static void test_names(void **state)
{
    static const struct {
        const char *host;
        bool is_name;
    } cases[] = {
        { "signer.example", true },    { "SIGNER.Example", true },  { "a.wild.example", true },
        { "A.WILD.example", true },    { "192.0.2.7", true },       { "2001:db8::7", true },
        { "[2001:db8::7]", true },     { "[2001:DB8:0::7]", true }, { "", false },
        { "signer.example.", false },  { "igner.example", false },  { "signer.exampl", false },
        { "x.signer.example", false }, { "wild.example", false },   { ".wild.example", false },
        { "a.b.wild.example", false }, { "*.wild.example", true }, // no host has that name
        { "a@b.example", false },      { "two words", false },      { "leaf", false },
        { "192.0.2.8", false },        { "[192.0.2.7]", false },    { "192.0.2.007", false },
        { "2001:db8::8", false },      { "[2001:db8::7", false },   { "::ffff:192.0.2.7", false },
    };
    BIO *bio = BIO_new(BIO_s_mem());
    struct tls_chain chain = { .count = 0 };

    (void)state;
    expect_ok("chain", tls_chain_read(&chain, tlspki_pem(bio, &leaf), TLSPKI_NOW_S));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (tls_chain_is_name(&chain, bytes_str(cases[i].host)) != cases[i].is_name)
            fail_msg("%s", cases[i].host);
    tls_chain_done(&chain);
    BIO_free(bio);
}

static void expect_refused(const char *name, struct bytes pem, enum err_code code, const char *what)
{
    struct tls_chain chain = { .count = 0 };

    expect_err(name, tls_chain_read(&chain, pem, TLSPKI_NOW_S), code, what);
    tls_chain_done(&chain);
}

static void test_leaves_refused(void **state)
{
    static const struct {
        struct tlspki_form form;
        enum err_code code;
        const char *what;
    } cases[] = {
        { { .name = "no name" }, ERR_MALFORMED, "subjectAltName" },
        { { .name = "no host", .san = "email:a@b.example" }, ERR_MALFORMED, "subjectAltName" },
        { { .name = "P-384", .key = "P-384", .san = "DNS:a" }, ERR_UNSUPPORTED, "P-256" },
        { { .name = "secp256k1", .key = "secp256k1", .san = "DNS:a" }, ERR_UNSUPPORTED, "P-256" },
        { { .name = "RSA", .key = "RSA", .san = "DNS:a" }, ERR_UNSUPPORTED, "P-256" },
        { { .name = "over", .san = "DNS:a", .from_days = -3, .days = 2 }, ERR_EXPIRED, "expired" },
        { { .name = "early", .san = "DNS:a", .from_days = 1, .days = 2 }, ERR_EXPIRED, "yet" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct tlspki made = tlspki_make(&cases[i].form, NULL);
        BIO *bio = BIO_new(BIO_s_mem());

        expect_refused(cases[i].form.name, tlspki_pem(bio, &made), cases[i].code, cases[i].what);
        BIO_free(bio);
        tlspki_done(&made);
    }
}

static void test_texts_refused(void **state)
{
    static const char begin[] = "-----BEGIN CERTIFICATE-----\n";
    static const struct {
        const char *name, *text, *what;
    } cases[] = {
        { "nothing", "", "PEM" },
        { "text", "hello", "PEM" },
        { "cut", "-----BEGIN CERTIFICATE-----\nAAAA\n", "PEM" },
        { "no certificate", "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n",
          "no certificate" },
        { "other block", "-----BEGIN PUBLIC KEY-----\nMAA=\n-----END PUBLIC KEY-----\n", "only" },
        { "encrypted",
          "-----BEGIN CERTIFICATE-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00\n\n"
          "MAA=\n-----END CERTIFICATE-----\n",
          "only" },
    };
    static char many[TLS_CHAIN_BYTES_MAX + 2];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_refused(cases[i].name, bytes_str(cases[i].text), ERR_MALFORMED, cases[i].what);
    memset(many, 'a', sizeof(many) - 1);
    memcpy(many, begin, sizeof(begin) - 1);
    expect_refused("too long", bytes_str(many), ERR_TOO_LARGE, "32 KiB");
}

static void test_chains_refused(void **state)
{
    struct tlspki old = tlspki_make(
        &(struct tlspki_form) { .name = "old", .is_authority = true, .from_days = -9, .days = 8 },
        &root);
    struct tlspki child =
        tlspki_make(&(struct tlspki_form) { .name = "child", .san = "DNS:a" }, &old);
    struct tlspki twin =
        tlspki_make(&(struct tlspki_form) { .name = "middle", .is_authority = true }, &root);
    BIO *bio = BIO_new(BIO_s_mem());

    (void)state;
    (void)tlspki_pem(bio, &leaf);
    expect_refused("an issuer of the same name", tlspki_pem(bio, &twin), ERR_MALFORMED,
                   "signature");
    (void)BIO_reset(bio);
    (void)tlspki_pem(bio, &leaf);
    expect_refused("not its issuer", tlspki_pem(bio, &root), ERR_MALFORMED, "order");
    (void)BIO_reset(bio);
    (void)tlspki_pem(bio, &leaf);
    expect_refused("twice the leaf", tlspki_pem(bio, &leaf), ERR_MALFORMED, "order");
    (void)BIO_reset(bio);
    (void)tlspki_pem(bio, &child);
    expect_refused("its issuer is over", tlspki_pem(bio, &old), ERR_EXPIRED, "expired");
    (void)BIO_reset(bio);
    (void)tlspki_pem(bio, &leaf);
    must(PEM_write_bio_PrivateKey(bio, leaf.key, NULL, NULL, 0, NULL, NULL) == 1);
    expect_refused("with its key", tlspki_pem(bio, &middle), ERR_MALFORMED, "no private key");
    (void)BIO_reset(bio);
    for (unsigned i = 0; i < TLS_CHAIN_MAX; i++)
        (void)tlspki_pem(bio, &root);
    expect_refused("nine", tlspki_pem(bio, &root), ERR_TOO_LARGE, "8");
    BIO_free(bio);
    tlspki_done(&old);
    tlspki_done(&twin);
    tlspki_done(&child);
}

static void test_many_names(void **state)
{
    char san[TLS_CHAIN_NAMES_MAX * 8 + 16] = "";
    struct tlspki made;
    BIO *bio = BIO_new(BIO_s_mem());

    (void)state;
    for (unsigned i = 0; i <= TLS_CHAIN_NAMES_MAX; i++)
        (void)snprintf(san + strlen(san), sizeof(san) - strlen(san), "%sDNS:a%u", i ? "," : "", i);
    made = tlspki_make(&(struct tlspki_form) { .name = "many", .san = san }, NULL);
    expect_refused("33 names", tlspki_pem(bio, &made), ERR_TOO_LARGE, "32");
    BIO_free(bio);
    tlspki_done(&made);
}

static int set_up(void **state)
{
    (void)state;
    root = tlspki_make(&(struct tlspki_form) { .name = "root", .is_authority = true }, NULL);
    middle = tlspki_make(&(struct tlspki_form) { .name = "middle", .is_authority = true }, &root);
    leaf = tlspki_make(&(struct tlspki_form) { .name = "leaf", .san = NAMES }, &middle);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tlspki_done(&root);
    tlspki_done(&middle);
    tlspki_done(&leaf);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),          cmocka_unit_test(test_names),
        cmocka_unit_test(test_leaves_refused), cmocka_unit_test(test_texts_refused),
        cmocka_unit_test(test_chains_refused), cmocka_unit_test(test_many_names),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
