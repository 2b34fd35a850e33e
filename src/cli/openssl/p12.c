// SPDX-License-Identifier: Apache-2.0
// The private key lives in libcrypto's memory, which wipes it when it is freed, and in struct p12.
#include "cli/openssl/p12.h"

#include "base/ct.h"
#include "base/must.h"
#include "crypto/openssl/sha2.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/pkcs12err.h>
#include <string.h>

#define PASSWORD_MAX   1024U
#define ITERATIONS_MAX 10000000 // of the MAC; tools write 2,048 to 1,000,000

struct opened {
    PKCS12 *file;
    EVP_PKEY *key;
    X509 *cert;
    STACK_OF(X509) * others;
};

static void opened_done(struct opened *opened)
{
    PKCS12_free(opened->file);
    EVP_PKEY_free(opened->key);
    X509_free(opened->cert);
    sk_X509_pop_free(opened->others, X509_free);
    ERR_clear_error();
}

static void bio_free(BIO **bio)
{
    BIO_free(*bio);
}

static void password_wipe(char (*password)[PASSWORD_MAX + 1])
{
    ct_wipe(*password, sizeof(*password));
}

void p12_wipe(struct p12 *p12)
{
    seckey_wipe(&p12->key);
}

// What a file may make this machine spend before its password is known to fit.
static FALLIBLE check_cost(const PKCS12 *file)
{
    const ASN1_INTEGER *iterations = NULL;

    PKCS12_get0_mac(NULL, NULL, NULL, &iterations, file);
    ENSURE(!iterations || ASN1_INTEGER_get(iterations) <= ITERATIONS_MAX, ERR_TOO_LARGE,
           "PKCS#12: more than ten million iterations");
    return OK;
}

static struct err parse_failed(void)
{
    unsigned long error = ERR_peek_last_error();
    bool is_unknown = ERR_GET_REASON(ERR_peek_error()) == ERR_R_UNSUPPORTED ||
                      ERR_GET_LIB(ERR_peek_error()) == ERR_LIB_EVP;

    ENSURE(ERR_GET_REASON(error) != PKCS12_R_MAC_VERIFY_FAILURE, ERR_CORRUPT,
           "PKCS#12: the password does not open it");
    ENSURE(!is_unknown, ERR_UNSUPPORTED,
           "PKCS#12: a cipher of the past (RC2): write it anew, openssl pkcs12 -legacy -in OLD "
           "-nodes | openssl pkcs12 -export -out NEW");
    return FAIL(ERR_MALFORMED, "PKCS#12: expected a key and certificates under one password");
}

static FALLIBLE parse(struct opened *out, struct bytes file, struct bytes password)
{
    AUTO(password_wipe) char text[PASSWORD_MAX + 1] = { 0 };
    const uint8_t *at = file.p;

    ENSURE(bytes_to_str(password, text, sizeof(text)), ERR_CORRUPT,
           "PKCS#12: the password does not open it");
    ERR_clear_error();
    out->file = file.n > 0 ? d2i_PKCS12(NULL, &at, (long)file.n) : NULL;
    ENSURE(out->file && at == file.p + file.n, ERR_MALFORMED, "expected a PKCS#12 file (.p12)");
    TRY(check_cost(out->file));
    if (PKCS12_parse(out->file, text, &out->key, &out->cert, &out->others) != 1)
        return parse_failed();
    ENSURE(out->key, ERR_NOT_FOUND, "PKCS#12: holds no private key");
    return OK;
}

static FALLIBLE check_kind(const EVP_PKEY *key)
{
    char curve[32] = "";

    ENSURE(!EVP_PKEY_is_a(key, "RSA"), ERR_UNSUPPORTED,
           "holds an RSA key, and the enclave takes P-256 only: make a key inside (cloister tls "
           "create), have its request signed (tls csr), and install that certificate");
    ENSURE(
        EVP_PKEY_is_a(key, "EC") && EVP_PKEY_get_group_name(key, curve, sizeof(curve), NULL) == 1 &&
            strcmp(curve, "prime256v1") == 0,
        ERR_UNSUPPORTED, "holds a key of another kind than P-256, which is all the enclave takes");
    return OK;
}

static FALLIBLE take_key(struct p12 *out, const EVP_PKEY *key)
{
    BIGNUM *scalar = NULL;
    uint8_t *spki = NULL;
    bool is_read = EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_PRIV_KEY, &scalar) == 1 &&
                   BN_bn2binpad(scalar, out->key.b, sizeof(out->key.b)) == sizeof(out->key.b);
    int n = i2d_PUBKEY(key, &spki);

    BN_clear_free(scalar);
    if (n > 0)
        sha2_256(out->spki_sha256, bytes_of(spki, (size_t)n));
    OPENSSL_free(spki);
    ENSURE(is_read && n > 0, ERR_MALFORMED, "PKCS#12: its private key cannot be read");
    return OK;
}

// The certificate of the issuer, when it is there and no root.
static X509 *issuer_of(const struct opened *opened, const X509 *cert)
{
    for (int i = 0; i < sk_X509_num(opened->others); i++) {
        X509 *other = sk_X509_value(opened->others, i);
        bool is_root =
            X509_NAME_cmp(X509_get_subject_name(other), X509_get_issuer_name(other)) == 0;

        if (!is_root &&
            X509_NAME_cmp(X509_get_subject_name(other), X509_get_issuer_name(cert)) == 0)
            return other;
    }
    return NULL;
}

static FALLIBLE take_chain(struct p12 *out, const struct opened *opened)
{
    AUTO(bio_free) BIO *bio = BIO_new(BIO_s_mem());
    X509 *cert = opened->cert;
    const char *text = NULL;
    size_t certs = 0;
    long n;

    ENSURE(cert, ERR_NOT_FOUND, "PKCS#12: holds no certificate of its key");
    for (; cert && certs < P12_CERTS_MAX; cert = issuer_of(opened, cert), certs++)
        ENSURE(bio && PEM_write_bio_X509(bio, cert) == 1, ERR_INTERNAL,
               "PKCS#12: a certificate cannot be encoded");
    ENSURE(!cert, ERR_TOO_LARGE, "PKCS#12: expected at most 8 certificates in a row");
    n = BIO_get_mem_data(bio, &text);
    ENSURE(n > 0 && text && (size_t)n <= sizeof(out->chain), ERR_TOO_LARGE,
           "PKCS#12: expected at most 32 KiB of certificates");
    memcpy(out->chain, text, (size_t)n);
    out->chain_len = (size_t)n;
    return OK;
}

struct err p12_open(struct p12 *out, struct bytes file, struct bytes password)
{
    AUTO(opened_done) struct opened opened = { 0 };

    TRY(parse(&opened, file, password));
    TRY(check_kind(opened.key));
    TRY(take_key(out, opened.key));
    return take_chain(out, &opened);
}
