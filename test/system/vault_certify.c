// SPDX-License-Identifier: Apache-2.0
// Certificates and requests as the vault gives them out, and attestation of a TLS key. What stands
// in them is test/unit/certify.c's.
#include "vaulthost.h"

#include "base/must.h"
#include "crypto/attest.h"
#include "crypto/openssl/sha2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "vaulttls.h"

#define HOUR_S INT64_C(3600)
#define DAY_S  (24 * HOUR_S)

static struct msg_tls_key key;

static int start_with_key(void **context)
{
    struct kept made;

    start(context);
    make_key(&made);
    key = open_key(kept(&made));
    return 0;
}

static struct vaulthost_answer certify(const struct msg_tls_certify *what)
{
    static uint8_t body[8192];
    struct wr wr = WR_OF(body);

    msg_write_tls_certify(&wr, what);
    return vaulthost_call(&host, MSG_TLS_CERTIFY, wr_done(&wr));
}

static struct msg_tls_certify usual(uint8_t kind)
{
    return (struct msg_tls_certify) { .key = key.key,
                                      .kind = kind,
                                      .days = kind == MSG_TLS_REQUEST ? 0 : 397,
                                      .names = 1,
                                      .name = { { MSG_TLS_DNS, BYTES_LIT("signer.example") } } };
}

static X509 *certificate(void)
{
    struct msg_tls_certify what = usual(MSG_TLS_SELF_SIGNED);
    struct vaulthost_answer answer = certify(&what);
    const uint8_t *p = answer.result.p;
    X509 *x509;

    assert_int_equal(answer.verdict.code, ERR_NONE);
    assert_true(answer.verdict.audited);
    x509 = d2i_X509(NULL, &p, (long)answer.result.n);
    must(x509 && p == answer.result.p + answer.result.n);
    return x509;
}

// SHA-256 of the public key's SubjectPublicKeyInfo, as a client of the certificate computes it.
static void spki_of(const X509 *x509, uint8_t out[static 32])
{
    uint8_t *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x509), &der);

    must(n > 0);
    sha2_256(out, bytes_of(der, (size_t)n));
    OPENSSL_free(der);
}

static void test_certificate(void **context)
{
    X509 *first = certificate(), *second = certificate();
    ASN1_TIME *now = ASN1_TIME_set(NULL, time(NULL));
    int days = 0, seconds = 0;

    (void)context;
    assert_int_equal(X509_verify(first, X509_get0_pubkey(first)), 1);
    assert_int_equal(X509_verify(first, X509_get0_pubkey(second)), 1); // one key
    assert_int_not_equal(
        ASN1_INTEGER_cmp(X509_get0_serialNumber(first), X509_get0_serialNumber(second)), 0);
    must(ASN1_TIME_diff(&days, &seconds, X509_get0_notBefore(first), now) == 1);
    assert_in_range(days * DAY_S + seconds, HOUR_S - 60, HOUR_S + 300);
    must(ASN1_TIME_diff(&days, &seconds, now, X509_get0_notAfter(first)) == 1);
    assert_in_range(days * DAY_S + seconds, 397 * DAY_S - 300, 397 * DAY_S + 60);
    ASN1_TIME_free(now);
    X509_free(first);
    X509_free(second);
}

static void test_request(void **context)
{
    struct msg_tls_certify what = usual(MSG_TLS_REQUEST);
    struct vaulthost_answer answer = certify(&what);
    const uint8_t *p = answer.result.p;
    X509_REQ *request = d2i_X509_REQ(NULL, &p, (long)answer.result.n);

    (void)context;
    assert_int_equal(answer.verdict.code, ERR_NONE);
    must(request && p == answer.result.p + answer.result.n);
    assert_int_equal(X509_REQ_verify(request, X509_REQ_get0_pubkey(request)), 1);
    X509_REQ_free(request);
}

static void test_largest(void **context)
{
    static uint8_t longest[MSG_TLS_NAME_MAX];
    struct msg_tls_certify what = usual(MSG_TLS_SELF_SIGNED);

    (void)context;
    for (size_t i = 0; i < sizeof(longest); i++)
        longest[i] = i % 32 == 31 ? '.' : 'a';
    what.names = MSG_TLS_NAMES;
    what.days = MSG_TLS_DAYS_MAX;
    for (size_t i = 0; i < MSG_TLS_NAMES; i++)
        what.name[i] = (struct msg_tls_name) { MSG_TLS_DNS, BYTES_OF(longest) };
    assert_int_equal(certify(&what).verdict.code, ERR_NONE);
}

static void test_refused(void **context)
{
    static const struct {
        const char *name;
        uint8_t kind, names, type;
        uint16_t days;
        const char *text;
        enum err_code code;
    } cases[] = {
        { "kind 0", 0, 1, MSG_TLS_DNS, 0, "a.b", ERR_MALFORMED },
        { "kind 3", 3, 1, MSG_TLS_DNS, 1, "a.b", ERR_MALFORMED },
        { "request with days", MSG_TLS_REQUEST, 1, MSG_TLS_DNS, 1, "a.b", ERR_MALFORMED },
        { "certificate without", MSG_TLS_SELF_SIGNED, 1, MSG_TLS_DNS, 0, "a.b", ERR_MALFORMED },
        { "too many", MSG_TLS_SELF_SIGNED, 1, MSG_TLS_DNS, 3651, "a.b", ERR_MALFORMED },
        { "no name", MSG_TLS_REQUEST, 0, MSG_TLS_DNS, 0, "a.b", ERR_MALFORMED },
        { "type 0", MSG_TLS_REQUEST, 1, 0, 0, "a.b", ERR_MALFORMED },
        { "type 3", MSG_TLS_REQUEST, 1, 3, 0, "a.b", ERR_MALFORMED },
        { "IP as text", MSG_TLS_REQUEST, 1, MSG_TLS_IP, 0, "10.0.0.1", ERR_MALFORMED },
        { "upper case", MSG_TLS_REQUEST, 1, MSG_TLS_DNS, 0, "A.b", ERR_MALFORMED },
        { "two names in one", MSG_TLS_REQUEST, 1, MSG_TLS_DNS, 0, "a.b,c.d", ERR_MALFORMED },
        { "last dot", MSG_TLS_REQUEST, 1, MSG_TLS_DNS, 0, "a.b.", ERR_MALFORMED },
        { "any name", MSG_TLS_REQUEST, 1, MSG_TLS_DNS, 0, "*", ERR_MALFORMED },
        { "as it should be", MSG_TLS_REQUEST, 1, MSG_TLS_DNS, 0, "a.b", ERR_NONE },
    };
    struct msg_tls_certify what;

    (void)context;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        what = (struct msg_tls_certify) {
            .key = key.key, .kind = cases[i].kind, .days = cases[i].days, .names = cases[i].names
        };
        what.name[0] = (struct msg_tls_name) { cases[i].type, bytes_str(cases[i].text) };
        expect_code(cases[i].name, certify(&what), cases[i].code);
    }
    what = usual(MSG_TLS_REQUEST);
    what.key.b[0] ^= 1;
    expect_code("another key", certify(&what), ERR_NOT_FOUND);
    assert_int_equal(vaulthost_call(&host, MSG_SEAL, BYTES_NONE).verdict.code, ERR_NONE);
    what = usual(MSG_TLS_REQUEST);
    expect_code("sealed", certify(&what), ERR_PHASE);
}

static struct vaulthost_answer ask_document(struct bytes named)
{
    uint8_t body[128];
    struct wr wr = WR_OF(body);

    msg_write_attestation(
        &wr, &(struct msg_attestation) { .nonce = BYTES_LIT("0123456789abcdef"), .key = named });
    return vaulthost_call(&host, MSG_ATTESTATION, wr_done(&wr));
}

// user_data byte for byte after PROTOCOL.md section 7: the key's hash and its keyset before the
// status fields, which are those of a document without a key.
static void test_attested(void **context)
{
    static struct attest with, without;
    static uint8_t kept_document[DOCUMENT_MAX];
    X509 *x509 = certificate();
    uint8_t spki[32];
    struct vaulthost_answer answer = ask_document(BYTES_NONE);
    struct bytes user_data;

    (void)context;
    spki_of(x509, spki);
    X509_free(x509);
    must(answer.verdict.code == 0 && answer.result.n <= sizeof(kept_document));
    memcpy(kept_document, answer.result.p, answer.result.n);
    must(!attest_parse(&without, bytes_of(kept_document, answer.result.n)).code);
    answer = ask_document(BYTES_OF(key.key.b));
    assert_int_equal(answer.verdict.code, ERR_NONE);
    must(!attest_parse(&with, answer.result).code);
    assert_false(with.has_public_key);
    assert_true(bytes_equal_str(with.nonce, "0123456789abcdef"));
    user_data = with.user_data;
    assert_int_equal(user_data.n, 15 + 32 + 16 + 103);
    assert_memory_equal(user_data.p, "cloister-tls-1", 15); // with its zero byte
    assert_memory_equal(user_data.p + 15, spki, sizeof(spki));
    assert_memory_equal(user_data.p + 15 + 32, tls_id.b, 16);
    assert_memory_not_equal(user_data.p + 15 + 32, accounts_id.b, 16);
    assert_true(bytes_equal(bytes_skip(user_data, 15 + 32 + 16),
                            bytes_skip(without.user_data, sizeof("cloister-status-2"))));
}

static void test_not_attested(void **context)
{
    uint8_t other[16];

    (void)context;
    memcpy(other, key.key.b, sizeof(other));
    other[15] ^= 1;
    expect_code("another key", ask_document(BYTES_OF(other)), ERR_NOT_FOUND);
    expect_code("a short id", ask_document(bytes_of(other, 15)), ERR_MALFORMED);
    expect_code("the public key", ask_document(BYTES_OF(key.public_key)), ERR_MALFORMED);
    assert_int_equal(vaulthost_call(&host, MSG_SEAL, BYTES_NONE).verdict.code, ERR_NONE);
    expect_code("sealed", ask_document(BYTES_OF(key.key.b)), ERR_NOT_FOUND);
    expect_code("sealed, none", ask_document(BYTES_NONE), ERR_NONE);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_certificate, start_with_key, stop),
        cmocka_unit_test_setup_teardown(test_request, start_with_key, stop),
        cmocka_unit_test_setup_teardown(test_largest, start_with_key, stop),
        cmocka_unit_test_setup_teardown(test_refused, start_with_key, stop),
        cmocka_unit_test_setup_teardown(test_attested, start_with_key, stop),
        cmocka_unit_test_setup_teardown(test_not_attested, start_with_key, stop),
    };

    vaulthost_main(argc, argv);
    return cmocka_run_group_tests_name("vault certify", tests, NULL, NULL);
}
