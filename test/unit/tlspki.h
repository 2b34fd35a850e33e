// SPDX-License-Identifier: Apache-2.0
// Certificates of every kind, made by libcrypto while a test runs. Include it after cmocka.h.
#pragma once

#include "base/bytes.h"
#include "base/must.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#define TLSPKI_NOW_S 1800000000 // the time of these tests, in 2027
#define TLSPKI_DAY_S 86400

struct tlspki_form {
    const char *name;  // common name
    const char *key;   // "P-256" unless it is set; "RSA"
    const char *san;   // subjectAltName, as in openssl.cnf; NULL: none
    const char *usage; // extendedKeyUsage; NULL: none
    bool is_authority;
    int from_days, days; // from TLSPKI_NOW_S; 0: a day ago, for two days
};

struct tlspki {
    X509 *certificate;
    EVP_PKEY *key;
};

static inline void tlspki_extend(X509 *certificate, int kind, const char *value)
{
    X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, NULL, kind, value);

    must(extension && X509_add_ext(certificate, extension, -1) == 1);
    X509_EXTENSION_free(extension);
}

static inline EVP_PKEY *tlspki_key(const char *kind)
{
    EVP_PKEY *key;

    if (kind && strcmp(kind, "RSA") == 0)
        key = EVP_RSA_gen(2048);
    else
        key = EVP_EC_gen(kind ? kind : "P-256");
    must(key != NULL);
    return key;
}

// Signed by `issuer`, or by itself.
static inline struct tlspki tlspki_make(const struct tlspki_form *form, const struct tlspki *issuer)
{
    static long serial;
    struct tlspki made = { .certificate = X509_new(), .key = tlspki_key(form->key) };
    int from = form->days ? form->from_days : -1;
    int days = form->days ? form->days : 2;
    X509_NAME *name = X509_get_subject_name(made.certificate);

    must(X509_set_version(made.certificate, X509_VERSION_3) == 1);
    must(ASN1_INTEGER_set(X509_get_serialNumber(made.certificate), ++serial) == 1);
    must(ASN1_TIME_set(X509_getm_notBefore(made.certificate),
                       TLSPKI_NOW_S + (time_t)from * TLSPKI_DAY_S) != NULL);
    must(ASN1_TIME_set(X509_getm_notAfter(made.certificate),
                       TLSPKI_NOW_S + (time_t)(from + days) * TLSPKI_DAY_S) != NULL);
    must(X509_set_pubkey(made.certificate, made.key) == 1);
    must(X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)form->name, -1,
                                    -1, 0) == 1);
    if (form->is_authority) {
        tlspki_extend(made.certificate, NID_basic_constraints, "critical,CA:TRUE");
        tlspki_extend(made.certificate, NID_key_usage, "critical,keyCertSign");
    }
    if (form->san)
        tlspki_extend(made.certificate, NID_subject_alt_name, form->san);
    if (form->usage)
        tlspki_extend(made.certificate, NID_ext_key_usage, form->usage);
    must(X509_set_issuer_name(made.certificate,
                              issuer ? X509_get_subject_name(issuer->certificate) : name) == 1);
    must(X509_sign(made.certificate, issuer ? issuer->key : made.key, EVP_sha256()) > 0);
    return made;
}

static inline void tlspki_done(struct tlspki *made)
{
    X509_free(made->certificate);
    EVP_PKEY_free(made->key);
    *made = (struct tlspki) { .key = NULL };
}

// Appends the certificate as PEM; gives all that is there.
static inline struct bytes tlspki_pem(BIO *bio, const struct tlspki *made)
{
    char *text;
    long n;

    must(PEM_write_bio_X509(bio, made->certificate) == 1);
    n = BIO_get_mem_data(bio, &text);
    return bytes_of(text, (size_t)n);
}

static inline struct bytes tlspki_der(uint8_t out[static 2048], const struct tlspki *made)
{
    uint8_t *at = out;

    must(i2d_X509(made->certificate, NULL) <= 2048);
    return bytes_of(out, (size_t)i2d_X509(made->certificate, &at));
}

static inline void tlspki_fingerprint(uint8_t out[static 32], const struct tlspki *made)
{
    uint8_t der[2048];
    struct bytes bytes = tlspki_der(der, made);

    must(EVP_Digest(bytes.p, bytes.n, out, NULL, EVP_sha256(), NULL) == 1);
}

// The compressed point of its key.
static inline void tlspki_point(uint8_t out[static 33], const struct tlspki *made)
{
    uint8_t point[65];
    size_t n;

    must(EVP_PKEY_get_octet_string_param(made->key, "pub", point, sizeof(point), &n) == 1);
    must(n == sizeof(point));
    out[0] = 2 + (point[64] & 1);
    memcpy(out + 1, point + 1, 32);
}
