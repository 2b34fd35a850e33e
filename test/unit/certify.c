// SPDX-License-Identifier: Apache-2.0
// vault/certify.h: requests and certificates, read by libcrypto's parser, which had no part in
// writing them; their signatures, names, times and extensions. What a second library says of them
// is test/system/certificates.py's.
#include "vault/certify.h"

#include "base/must.h"
#include "crypto/openssl/libcrypto.h"

#include <openssl/x509v3.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "expect.h"

#define NOW 1796083200U // 2026-12-01T00:00:00Z

static struct p256_key *key;
static uint8_t space[16384];

static int start(void **state)
{
    static const struct seckey secret = { { 1, 2, 3 } };

    (void)state;
    must(!libcrypto_init().code);
    must(!p256_key_of(&key, &secret).code);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    p256_key_free(&key);
    return 0;
}

static struct msg_tls_certify usual(uint8_t kind)
{
    return (struct msg_tls_certify) {
        .kind = kind,
        .days = kind == MSG_TLS_REQUEST ? 0 : 397,
        .names = 4,
        .name = { { MSG_TLS_IP, BYTES_LIT("\x0a\0\0\1") },
                  { MSG_TLS_DNS, BYTES_LIT("signer.example") },
                  { MSG_TLS_DNS, BYTES_LIT("*.signer.example") },
                  { MSG_TLS_IP, BYTES_LIT("\x20\x01\x0d\xb8\0\0\0\0"
                                          "\0\0\0\0\0\0\0\1") } },
    };
}

static struct bytes write_at(const struct msg_tls_certify *what, uint64_t now_s)
{
    const struct certify certify = { .what = what, .key = key, .now_s = now_s };
    struct wr wr = WR_OF(space);

    must(!certify_write(&wr, &certify).code && !wr_end(&wr).code);
    return wr_done(&wr);
}

static X509 *certificate(const struct msg_tls_certify *what, uint64_t now_s)
{
    struct bytes der = write_at(what, now_s);
    const uint8_t *p = der.p;
    X509 *x509 = d2i_X509(NULL, &p, (long)der.n);

    must(x509 && p == der.p + der.n);
    return x509;
}

static X509_REQ *request(const struct msg_tls_certify *what)
{
    struct bytes der = write_at(what, 0);
    const uint8_t *p = der.p;
    X509_REQ *req = d2i_X509_REQ(NULL, &p, (long)der.n);

    must(req && p == der.p + der.n);
    return req;
}

// Whether the SubjectPublicKeyInfo is that of the key.
static bool is_its_key(X509_PUBKEY *found)
{
    uint8_t spki[P256_SPKI_BYTES], *der = NULL;
    int n = i2d_X509_PUBKEY(found, &der);
    bool is;

    p256_key_spki(key, spki);
    is = n > 0 && bytes_equal(bytes_of(der, (size_t)n), BYTES_OF(spki));
    OPENSSL_free(der);
    return is;
}

static void expect_common(const X509_NAME *name, const char *expected)
{
    char text[128];

    assert_int_equal(X509_NAME_entry_count(name), 1);
    assert_true(X509_NAME_get_text_by_NID(name, NID_commonName, text, sizeof(text)) > 0);
    assert_string_equal(text, expected);
}

static void self_signed(void **state)
{
    struct msg_tls_certify what = usual(MSG_TLS_SELF_SIGNED);
    X509 *x509 = certificate(&what, NOW);
    EVP_PKEY *public_key = X509_get0_pubkey(x509);
    static const char *const good[] = { "signer.example", "a.signer.example" };
    static const char *const bad[] = { "example", "other.example", "a.b.signer.example" };

    (void)state;
    assert_int_equal(X509_get_version(x509), X509_VERSION_3);
    assert_int_equal(X509_verify(x509, public_key), 1);
    assert_true(is_its_key(X509_get_X509_PUBKEY(x509)));
    expect_common(X509_get_subject_name(x509), "signer.example");
    assert_int_equal(X509_NAME_cmp(X509_get_subject_name(x509), X509_get_issuer_name(x509)), 0);
    assert_int_equal(X509_check_ca(x509), 0);
    assert_int_equal(X509_check_purpose(x509, X509_PURPOSE_SSL_SERVER, 0), 1);
    assert_int_equal(X509_check_purpose(x509, X509_PURPOSE_SSL_CLIENT, 0), 0);
    assert_int_equal(X509_get_key_usage(x509), KU_DIGITAL_SIGNATURE);
    assert_int_equal(X509_get_extended_key_usage(x509), XKU_SSL_SERVER);
    assert_int_equal(X509_get_ext_count(x509), 4);
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        assert_int_equal(X509_check_host(x509, good[i], 0, 0, NULL), 1);
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_int_equal(X509_check_host(x509, bad[i], 0, 0, NULL), 0);
    assert_int_equal(X509_check_ip_asc(x509, "10.0.0.1", 0), 1);
    assert_int_equal(X509_check_ip_asc(x509, "2001:db8::1", 0), 1);
    assert_int_equal(X509_check_ip_asc(x509, "10.0.0.2", 0), 0);
    X509_free(x509);
}

// Every changed byte is another certificate, whose signature does not verify, or none at all.
static void changed(void **state)
{
    struct msg_tls_certify what = usual(MSG_TLS_SELF_SIGNED);
    struct bytes der = write_at(&what, NOW);
    size_t signed_n = der.n - 100;

    (void)state;
    for (size_t i = 4; i < signed_n; i++) {
        const uint8_t *p = space;
        X509 *x509;

        space[i] ^= 0x10;
        x509 = d2i_X509(NULL, &p, (long)der.n);
        if (x509 && X509_verify(x509, X509_get0_pubkey(x509)) == 1)
            fail_msg("byte %zu", i);
        X509_free(x509);
        space[i] ^= 0x10;
    }
}

static void times(void **state)
{
    static const struct {
        uint64_t now_s;
        uint16_t days;
        const char *before, *after;
    } cases[] = {
        { NOW, 397, "261130230000Z", "280102000000Z" },
        { NOW, 1, "261130230000Z", "261202000000Z" },
        { 1835395199, 1, "280228225959Z", "280229235959Z" },   // to a leap day
        { 1835398800, 366, "280229000000Z", "290301010000Z" }, // from it
        { NOW, 3650, "261130230000Z", "361128000000Z" },
        { 2524607999, 1, "491231225959Z", "20500101235959Z" },
        { 2524611599, 1, "491231235959Z", "20500102005959Z" },
        { 2524611600, 3650, "20500101000000Z", "20591230010000Z" },
        { 4107456000, 1, "21000227230000Z", "21000301000000Z" }, // no leap year
        { 951782400, 1, "000228230000Z", "000301000000Z" },      // but 2000 was
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct msg_tls_certify what = usual(MSG_TLS_SELF_SIGNED);
        const ASN1_TIME *before, *after;
        X509 *x509;

        what.days = cases[i].days;
        x509 = certificate(&what, cases[i].now_s);
        before = X509_get0_notBefore(x509);
        after = X509_get0_notAfter(x509);
        assert_string_equal(ASN1_STRING_get0_data(before), cases[i].before);
        assert_string_equal(ASN1_STRING_get0_data(after), cases[i].after);
        assert_int_equal(ASN1_TIME_check(before), 1);
        assert_int_equal(ASN1_TIME_cmp_time_t(before, (time_t)cases[i].now_s - 3600), 0);
        assert_int_equal(
            ASN1_TIME_cmp_time_t(after, (time_t)(cases[i].now_s + cases[i].days * UINT64_C(86400))),
            0);
        X509_free(x509);
    }
}

static void serials(void **state)
{
    static const struct {
        uint8_t random, expected;
    } cases[] = { { 0, 0x40 }, { 0x7f, 0x7f }, { 0x80, 0x40 }, { 0xff, 0x7f } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct msg_tls_certify what = usual(MSG_TLS_SELF_SIGNED);
        struct certify certify = { .what = &what, .key = key, .now_s = NOW };
        struct wr wr = WR_OF(space);
        const uint8_t *p = space;
        const ASN1_INTEGER *serial;
        X509 *x509;

        memset(certify.serial, cases[i].random, sizeof(certify.serial));
        expect_ok("write", certify_write(&wr, &certify));
        x509 = d2i_X509(NULL, &p, (long)wr.len);
        must(x509);
        serial = X509_get0_serialNumber(x509);
        assert_int_equal(ASN1_STRING_type(serial), V_ASN1_INTEGER); // not negative
        assert_int_equal(ASN1_STRING_length(serial), CERTIFY_SERIAL_BYTES);
        assert_int_equal(ASN1_STRING_get0_data(serial)[0], cases[i].expected);
        assert_int_equal(ASN1_STRING_get0_data(serial)[15], cases[i].random);
        X509_free(x509);
    }
}

static void requests(void **state)
{
    struct msg_tls_certify what = usual(MSG_TLS_REQUEST);
    X509_REQ *req = request(&what);
    STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(req);
    GENERAL_NAMES *names = X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL);

    (void)state;
    assert_int_equal(X509_REQ_get_version(req), X509_REQ_VERSION_1);
    assert_int_equal(X509_REQ_verify(req, X509_REQ_get0_pubkey(req)), 1);
    assert_true(is_its_key(X509_REQ_get_X509_PUBKEY(req)));
    expect_common(X509_REQ_get_subject_name(req), "signer.example");
    assert_int_equal(sk_X509_EXTENSION_num(extensions), 4);
    assert_int_equal(sk_GENERAL_NAME_num(names), 4);
    for (int i = 0; i < 4; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        bool is_dns = what.name[i].type == MSG_TLS_DNS;

        assert_int_equal(name->type, is_dns ? GEN_DNS : GEN_IPADD);
        assert_true(bytes_equal(
            bytes_of(ASN1_STRING_get0_data(name->d.ia5), (size_t)ASN1_STRING_length(name->d.ia5)),
            what.name[i].name));
    }
    GENERAL_NAMES_free(names);
    sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
    X509_REQ_free(req);
}

static void common_names(void **state)
{
    static const char of_64[] = "a123456789.123456789.123456789.123456789.123456789.123456789.123";
    static const char of_65[] = "a123456789.123456789.123456789.123456789.123456789.123456789.1234";
    static const struct {
        struct msg_tls_name name[2];
        const char *expected;
    } cases[] = {
        { { { MSG_TLS_DNS, { (const uint8_t *)"*.b", 3 } },
            { MSG_TLS_DNS, { (const uint8_t *)"c", 1 } } },
          "*.b" },
        { { { MSG_TLS_IP, { (const uint8_t *)"1234", 4 } },
            { MSG_TLS_DNS, { (const uint8_t *)of_64, 64 } } },
          of_64 },
        { { { MSG_TLS_DNS, { (const uint8_t *)of_65, 65 } },
            { MSG_TLS_DNS, { (const uint8_t *)"c", 1 } } },
          "c" },
        { { { MSG_TLS_DNS, { (const uint8_t *)of_65, 65 } },
            { MSG_TLS_IP, { (const uint8_t *)"1234", 4 } } },
          "cloister" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct msg_tls_certify what = { .kind = MSG_TLS_REQUEST, .names = 2 };
        X509_REQ *req;

        memcpy(what.name, cases[i].name, sizeof(cases[i].name));
        req = request(&what);
        expect_common(X509_REQ_get_subject_name(req), cases[i].expected);
        X509_REQ_free(req);
    }
}

// Lengths of one, two and three bytes, up to the largest.
static void sizes(void **state)
{
    static uint8_t longest[MSG_TLS_NAME_MAX];
    struct msg_tls_certify what = { .kind = MSG_TLS_SELF_SIGNED, .days = 1 };

    (void)state;
    for (size_t i = 0; i < sizeof(longest); i++)
        longest[i] = i % 32 == 31 ? '.' : 'a';
    for (what.names = 1; what.names <= MSG_TLS_NAMES; what.names++)
        for (size_t n = 1; n <= sizeof(longest); n += 7) {
            X509 *x509;

            for (size_t i = 0; i < what.names; i++)
                what.name[i] = (struct msg_tls_name) { MSG_TLS_DNS, { longest, n } };
            x509 = certificate(&what, NOW);
            assert_int_equal(X509_verify(x509, X509_get0_pubkey(x509)), 1);
            X509_free(x509);
        }
}

static void no_room(void **state)
{
    struct msg_tls_certify what = usual(MSG_TLS_SELF_SIGNED);
    const struct certify certify = { .what = &what, .key = key, .now_s = NOW };
    size_t whole = write_at(&what, NOW).n;

    (void)state;
    for (size_t n = 0; n < whole - 3; n++) {
        struct wr wr = wr_of(space, n);

        expect_ok("write", certify_write(&wr, &certify));
        expect_err("end", wr_end(&wr), ERR_TOO_LARGE, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(self_signed), cmocka_unit_test(changed),  cmocka_unit_test(times),
        cmocka_unit_test(serials),     cmocka_unit_test(requests), cmocka_unit_test(common_names),
        cmocka_unit_test(sizes),       cmocka_unit_test(no_room),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
