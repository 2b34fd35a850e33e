// SPDX-License-Identifier: Apache-2.0
// cli/openssl/p12.h and csr.h: files and requests are made here by libcrypto's other
// half, and read back.
#include "cli/openssl/p12.h"

#include "base/must.h"
#include "cli/openssl/csr.h"
#include "crypto/openssl/sha2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/core_names.h>
#include <openssl/pkcs12.h>
#include <openssl/rsa.h>

#include "expect.h"
#include "pki.h"

#define PASSWORD "correct horse"

static struct issued {
    EVP_PKEY *key;
    X509 *cert;
} root, between, leaf, rsa, p384, other;
static uint8_t file_buf[65536];

static struct issued issue(const char *subject, EVP_PKEY *key, const struct issued *by)
{
    struct issued made = { key, pki_certificate(subject, key) };

    assert_int_equal(
        X509_set_issuer_name(made.cert, X509_get_subject_name(by ? by->cert : made.cert)), 1);
    assert_true(X509_sign(made.cert, by ? by->key : key, EVP_sha256()) > 0);
    return made;
}

static int set_up(void **state)
{
    (void)state;
    root = issue("root", EVP_EC_gen("P-256"), NULL);
    between = issue("between", EVP_EC_gen("P-256"), &root);
    leaf = issue("leaf", EVP_EC_gen("P-256"), &between);
    other = issue("leaf", EVP_EC_gen("P-256"), NULL);
    rsa = issue("rsa", EVP_RSA_gen(2048), NULL);
    p384 = issue("p384", EVP_EC_gen("P-384"), NULL);
    return 0;
}

static int tear_down(void **state)
{
    struct issued *all[] = { &root, &between, &leaf, &rsa, &p384, &other };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(all); i++) {
        EVP_PKEY_free(all[i]->key);
        X509_free(all[i]->cert);
    }
    return 0;
}

// What a file of the test holds.
struct content {
    const EVP_PKEY *key;
    X509 *cert, *more[3];
    int says_rounds; // of the MAC; 0: what it has
};

static struct bytes make(const struct content *content)
{
    STACK_OF(X509) *more = sk_X509_new_null();
    const ASN1_INTEGER *rounds = NULL;
    uint8_t *at = file_buf;
    PKCS12 *file;
    int n;

    for (size_t i = 0; i < ARRAY_LEN(content->more) && content->more[i]; i++)
        assert_true(sk_X509_push(more, content->more[i]) > 0);
    file = PKCS12_create(PASSWORD, "name", (EVP_PKEY *)(uintptr_t)content->key, content->cert, more,
                         0, 0, 0, 1000, 0);
    assert_non_null(file);
    PKCS12_get0_mac(NULL, NULL, NULL, &rounds, file);
    if (content->says_rounds)
        assert_int_equal(ASN1_INTEGER_set((ASN1_INTEGER *)(uintptr_t)rounds, content->says_rounds),
                         1);
    n = i2d_PKCS12(file, NULL);
    assert_true(n > 0 && n <= (int)sizeof(file_buf));
    assert_int_equal(i2d_PKCS12(file, &at), n);
    PKCS12_free(file);
    sk_X509_free(more);
    return bytes_of(file_buf, (size_t)n);
}

// The names in a chain, as "leaf between ".
static const char *names_of(const struct p12 *p12)
{
    static uint8_t names[256];
    BIO *bio = BIO_new_mem_buf(p12->chain, (int)p12->chain_len);
    struct wr wr = WR_OF(names);
    X509 *cert;

    while ((cert = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        char name[64] = "";

        assert_true(X509_NAME_get_text_by_NID(X509_get_subject_name(cert), NID_commonName, name,
                                              sizeof(name)) > 0);
        wr_str(&wr, name);
        wr_str(&wr, " ");
        X509_free(cert);
    }
    wr_u8(&wr, 0);
    BIO_free(bio);
    return (const char *)names;
}

static void spki_of(uint8_t out[static 32], const EVP_PKEY *key)
{
    uint8_t *der = NULL;
    int n = i2d_PUBKEY(key, &der);

    assert_true(n > 0);
    sha2_256(out, bytes_of(der, (size_t)n));
    OPENSSL_free(der);
}

static void taken(void **state)
{
    const struct {
        struct content content;
        const char *chain;
    } cases[] = {
        { { leaf.key, leaf.cert, { NULL }, 0 }, "leaf " },
        { { leaf.key, leaf.cert, { between.cert, root.cert }, 0 }, "leaf between " },
        { { leaf.key, leaf.cert, { root.cert, rsa.cert, between.cert }, 0 }, "leaf between " },
        { { other.key, other.cert, { between.cert }, 0 }, "leaf " },
    };
    uint8_t scalar[32], expected[32];
    BIGNUM *number = NULL;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(p12_wipe) struct p12 p12 = { 0 };

        expect_ok(cases[i].chain, p12_open(&p12, make(&cases[i].content), BYTES_LIT(PASSWORD)));
        assert_string_equal(names_of(&p12), cases[i].chain);
        assert_int_equal(
            EVP_PKEY_get_bn_param(cases[i].content.key, OSSL_PKEY_PARAM_PRIV_KEY, &number), 1);
        assert_int_equal(BN_bn2binpad(number, scalar, 32), 32);
        assert_memory_equal(p12.key.b, scalar, 32);
        BN_free(number);
        number = NULL;
        spki_of(expected, cases[i].content.key);
        assert_memory_equal(p12.spki_sha256, expected, 32);
    }
}

static void refused(void **state)
{
    const struct {
        const char *name;
        struct content content;
        const char *password;
        enum err_code code;
        const char *what;
    } cases[] = {
        { "another password",
          { leaf.key, leaf.cert, { NULL }, 0 },
          "Correct horse",
          ERR_CORRUPT,
          "password" },
        { "no password", { leaf.key, leaf.cert, { NULL }, 0 }, "", ERR_CORRUPT, "password" },
        { "an RSA key",
          { rsa.key, rsa.cert, { NULL }, 0 },
          PASSWORD,
          ERR_UNSUPPORTED,
          "tls create" },
        { "a key on P-384",
          { p384.key, p384.cert, { NULL }, 0 },
          PASSWORD,
          ERR_UNSUPPORTED,
          "P-256" },
        { "no certificate",
          { leaf.key, NULL, { NULL }, 0 },
          PASSWORD,
          ERR_NOT_FOUND,
          "certificate" },
        { "certificates of others",
          { leaf.key, NULL, { between.cert }, 0 },
          PASSWORD,
          ERR_NOT_FOUND,
          "certificate" },
        { "no key", { NULL, NULL, { between.cert }, 0 }, PASSWORD, ERR_NOT_FOUND, "key" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(p12_wipe) struct p12 p12 = { 0 };

        expect_err(cases[i].name,
                   p12_open(&p12, make(&cases[i].content), bytes_str(cases[i].password)),
                   cases[i].code, cases[i].what);
    }
}

static void refused_bytes(void **state)
{
    const struct content content = { leaf.key, leaf.cert, { NULL }, 0 };
    struct bytes good = make(&content);
    static uint8_t longer[65536], password[2048];
    struct p12 p12 = { 0 };

    (void)state;
    memcpy(longer, good.p, good.n);
    expect_err("nothing", p12_open(&p12, BYTES_NONE, BYTES_LIT("")), ERR_MALFORMED, "PKCS#12");
    expect_err("words", p12_open(&p12, BYTES_LIT("a file"), BYTES_LIT("")), ERR_MALFORMED,
               "PKCS#12");
    expect_err("PEM", p12_open(&p12, BYTES_LIT("-----BEGIN CERTIFICATE-----\n"), BYTES_LIT("")),
               ERR_MALFORMED, "PKCS#12");
    expect_err("a byte more", p12_open(&p12, bytes_of(longer, good.n + 1), BYTES_LIT(PASSWORD)),
               ERR_MALFORMED, "PKCS#12");
    for (size_t n = 0; n < good.n; n += 37)
        assert_int_not_equal(p12_open(&p12, bytes_take(good, n), BYTES_LIT(PASSWORD)).code, 0);
    memset(password, 'a', sizeof(password));
    expect_err("a long password", p12_open(&p12, good, BYTES_OF(password)), ERR_CORRUPT, NULL);
    expect_err("a password with a NUL", p12_open(&p12, good, BYTES_LIT(PASSWORD "\0")), ERR_CORRUPT,
               NULL);
    p12_wipe(&p12);
}

// The count stands in the file, before anything in it is known to be right.
static void endless_iterations(void **state)
{
    const struct content content = { leaf.key, leaf.cert, { NULL }, 2000000000 };
    struct p12 p12 = { 0 };

    (void)state;
    expect_err("iterations", p12_open(&p12, make(&content), BYTES_LIT(PASSWORD)), ERR_TOO_LARGE,
               "iterations");
}

// -- requests -------------------------------------------------------------------------------------

static struct bytes make_request(EVP_PKEY *key, EVP_PKEY *signer, const char *names)
{
    static uint8_t text[CSR_PEM_MAX];
    X509_REQ *req = X509_REQ_new();
    BIO *bio = BIO_new(BIO_s_mem());
    const char *made = NULL;
    long n;

    assert_int_equal(X509_REQ_set_pubkey(req, key), 1);
    if (names) {
        STACK_OF(X509_EXTENSION) *extensions = sk_X509_EXTENSION_new_null();
        X509_EXTENSION *san = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, names);

        assert_true(san && sk_X509_EXTENSION_push(extensions, san) > 0);
        assert_int_equal(X509_REQ_add_extensions(req, extensions), 1);
        sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    }
    assert_true(X509_REQ_sign(req, signer, EVP_sha256()) > 0);
    assert_int_equal(PEM_write_bio_X509_REQ(bio, req), 1);
    n = BIO_get_mem_data(bio, &made);
    assert_true(n > 0 && (size_t)n <= sizeof(text));
    memcpy(text, made, (size_t)n);
    BIO_free(bio);
    X509_REQ_free(req);
    return bytes_of(text, (size_t)n);
}

static void requests(void **state)
{
    static const struct bytes wanted[] = { { (const uint8_t *)"signer.example", 14 },
                                           { (const uint8_t *)"10.0.0.1", 8 },
                                           { (const uint8_t *)"2001:db8::1", 11 } };
    const struct {
        const char *name;
        EVP_PKEY *key, *signer;
        const char *names;
        enum err_code code;
        const char *what;
    } cases[] = {
        { "as asked for", leaf.key, leaf.key, "DNS:signer.example,IP:10.0.0.1,IP:2001:db8::1",
          ERR_NONE, NULL },
        { "in another order", leaf.key, leaf.key, "IP:2001:db8::1,DNS:signer.example,IP:10.0.0.1",
          ERR_NONE, NULL },
        { "another key", other.key, other.key, "DNS:signer.example,IP:10.0.0.1,IP:2001:db8::1",
          ERR_UNTRUSTED, "another key" },
        { "signed by another key", leaf.key, other.key,
          "DNS:signer.example,IP:10.0.0.1,IP:2001:db8::1", ERR_UNTRUSTED, "signed" },
        { "a name more", leaf.key, leaf.key,
          "DNS:signer.example,IP:10.0.0.1,IP:2001:db8::1,DNS:evil.example", ERR_UNTRUSTED,
          "names" },
        { "a name less", leaf.key, leaf.key, "DNS:signer.example,IP:10.0.0.1", ERR_UNTRUSTED,
          "names" },
        { "another name", leaf.key, leaf.key, "DNS:signer.evil,IP:10.0.0.1,IP:2001:db8::1",
          ERR_UNTRUSTED, "names" },
        { "another address", leaf.key, leaf.key, "DNS:signer.example,IP:10.0.0.2,IP:2001:db8::1",
          ERR_UNTRUSTED, "names" },
        { "an address as DNS name", leaf.key, leaf.key,
          "DNS:signer.example,DNS:10.0.0.1,IP:2001:db8::1", ERR_UNTRUSTED, "names" },
        { "a name twice", leaf.key, leaf.key, "DNS:signer.example,IP:10.0.0.1,IP:10.0.0.1",
          ERR_UNTRUSTED, "names" },
        { "a wildcard", leaf.key, leaf.key, "DNS:*.example,IP:10.0.0.1,IP:2001:db8::1",
          ERR_UNTRUSTED, "names" },
        { "an e-mail address", leaf.key, leaf.key,
          "email:signer.example,IP:10.0.0.1,IP:2001:db8::1", ERR_UNTRUSTED, "names" },
        { "no names", leaf.key, leaf.key, NULL, ERR_UNTRUSTED, "names" },
    };
    uint8_t spki[32], out[CSR_PEM_MAX];

    (void)state;
    spki_of(spki, leaf.key);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bytes pem = make_request(cases[i].key, cases[i].signer, cases[i].names);
        struct wr wr = WR_OF(out);

        expect_err(cases[i].name, csr_check(&wr, pem, spki, wanted, ARRAY_LEN(wanted)),
                   cases[i].code, cases[i].what);
        assert_true(cases[i].code ? wr.len == 0 : bytes_equal(wr_done(&wr), pem));
    }
}

// Only the request is given on: not what a service wrote around it.
static void request_texts(void **state)
{
    static const struct bytes wanted = { (const uint8_t *)"a.example", 9 };
    static uint8_t text[CSR_PEM_MAX + 64];
    struct bytes pem = make_request(leaf.key, leaf.key, "DNS:a.example");
    uint8_t spki[32], out[CSR_PEM_MAX];
    struct wr wr = WR_OF(out), around = WR_OF(text);

    (void)state;
    spki_of(spki, leaf.key);
    wr_str(&around, "\x1b[2Jtrust me\n");
    wr_bytes(&around, pem);
    wr_str(&around, "and more\n");
    expect_ok("words around it", csr_check(&wr, wr_done(&around), spki, &wanted, 1));
    assert_true(bytes_equal(wr_done(&wr), pem));
    expect_err("nothing", csr_check(&wr, BYTES_NONE, spki, &wanted, 1), ERR_MALFORMED, "PEM");
    expect_err("words", csr_check(&wr, BYTES_LIT("a request"), spki, &wanted, 1), ERR_MALFORMED,
               "BEGIN");
    expect_err("too long", csr_check(&wr, bytes_of(text, sizeof(text)), spki, &wanted, 1),
               ERR_MALFORMED, "8 KiB");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taken),         cmocka_unit_test(refused),
        cmocka_unit_test(refused_bytes), cmocka_unit_test(endless_iterations),
        cmocka_unit_test(requests),      cmocka_unit_test(request_texts),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
