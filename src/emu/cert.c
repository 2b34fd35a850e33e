// SPDX-License-Identifier: Apache-2.0
// The certificate authority of the development PKI. The only file of the emulator that includes
// libcrypto's headers. Private keys leave it only into PEM files with mode 0600.
#include "emu/cert.h"

#include "base/fd.h"
#include "base/must.h"
#include "emu/disk.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#define PEM_BYTES_MAX 4096

struct cert_key {
    EVP_PKEY *pkey;
};

static void free_bio(BIO **bio)
{
    BIO_free_all(*bio);
}

static void free_x509(X509 **x509)
{
    X509_free(*x509);
}

static void free_digest_ctx(EVP_MD_CTX **ctx)
{
    EVP_MD_CTX_free(*ctx);
}

static void free_signature(ECDSA_SIG **sig)
{
    ECDSA_SIG_free(*sig);
}

static FALLIBLE cert_fill(X509 *x, const struct cert_spec *spec, X509 *issuer);
static FALLIBLE cert_add_exts(X509 *x, const struct cert_spec *spec, X509 *issuer);
static FALLIBLE cert_write_bio(struct wr *out, BIO *bio);

static FALLIBLE cert_key_own(struct cert_key **out, EVP_PKEY *pkey)
{
    ENSURE(pkey, ERR_INTERNAL, "private key: expected an EC key in PEM");
    *out = OPENSSL_zalloc(sizeof(**out));
    if (!*out)
        EVP_PKEY_free(pkey);
    ENSURE(*out, ERR_FULL, "no memory");
    (*out)->pkey = pkey;
    return OK;
}

struct err cert_key_new(struct cert_key **out, enum cert_curve curve)
{
    // The developer's own openssl.cnf must not change what is generated.
    ENSURE(OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1, ERR_INTERNAL,
           "libcrypto does not start");
    return cert_key_own(out, EVP_EC_gen(curve == CERT_P384 ? "P-384" : "P-256"));
}

struct err cert_key_load(struct cert_key **out, const char *path)
{
    uint8_t pem[PEM_BYTES_MAX];
    AUTO(free_bio) BIO *bio = NULL;
    EVP_PKEY *pkey;
    size_t n = 0;

    ENSURE(OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG, NULL) == 1, ERR_INTERNAL,
           "libcrypto does not start");
    TRY(fd_read_file(path, pem, sizeof(pem), &n));
    bio = BIO_new_mem_buf(pem, (int)n);
    pkey = bio ? PEM_read_bio_PrivateKey(bio, NULL, NULL, NULL) : NULL;
    OPENSSL_cleanse(pem, sizeof(pem));
    return cert_key_own(out, pkey);
}

struct err cert_key_save(const struct cert_key *key, const char *path)
{
    AUTO(free_bio) BIO *bio = BIO_new(BIO_s_secmem());
    char *text = NULL;
    long n;

    ENSURE(bio && PEM_write_bio_PrivateKey(bio, key->pkey, NULL, NULL, 0, NULL, NULL) == 1,
           ERR_INTERNAL, "private key cannot be encoded");
    n = BIO_get_mem_data(bio, &text);
    ENSURE(n > 0, ERR_INTERNAL, "private key cannot be encoded");
    return disk_write(path, bytes_of(text, (size_t)n), 0600);
}

void cert_key_free(struct cert_key **key)
{
    if (*key)
        EVP_PKEY_free((*key)->pkey);
    OPENSSL_free(*key);
    *key = NULL;
}

static FALLIBLE cert_decode(X509 **out, struct bytes der)
{
    const unsigned char *p = der.p;

    *out = d2i_X509(NULL, &p, (long)der.n);
    ENSURE(*out && p == der.p + der.n, ERR_MALFORMED, "certificate: expected DER");
    return OK;
}

struct err cert_issue(struct wr *out, const struct cert_spec *spec)
{
    const struct cert_key *signer = spec->issuer.n ? spec->issuer_key : spec->key;
    AUTO(free_x509) X509 *issuer = NULL;
    AUTO(free_x509) X509 *x = X509_new();
    const EVP_MD *digest = EVP_PKEY_get_bits(signer->pkey) == 384 ? EVP_sha384() : EVP_sha256();
    uint8_t der[CERT_BYTES_MAX], *p = der;
    int n;

    ENSURE(x, ERR_FULL, "no memory");
    if (spec->issuer.n)
        TRY(cert_decode(&issuer, spec->issuer));
    TRY(cert_fill(x, spec, issuer ? issuer : x));
    TRY(cert_add_exts(x, spec, issuer ? issuer : x));
    ENSURE(X509_sign(x, signer->pkey, digest) > 0, ERR_INTERNAL, "certificate cannot be signed");
    n = i2d_X509(x, NULL);
    ENSURE(n > 0 && (size_t)n <= sizeof(der), ERR_TOO_LARGE, "certificate is too large");
    ENSURE(i2d_X509(x, &p) == n, ERR_INTERNAL, "certificate cannot be encoded");
    wr_bytes(out, bytes_of(der, (size_t)n));
    return wr_end(out);
}

static bool cert_add_name(X509_NAME *name, const char *field, const char *value)
{
    return X509_NAME_add_entry_by_txt(name, field, MBSTRING_ASC, (const unsigned char *)value, -1,
                                      -1, 0) == 1;
}

// Subject in the order of AWS's certificates: C, O, OU, CN (nitro-enclaves root, 2019).
static struct err cert_fill(X509 *x, const struct cert_spec *spec, X509 *issuer)
{
    X509_NAME *name = X509_get_subject_name(x);
    uint8_t serial[16];
    BIGNUM *number;
    bool good;

    ENSURE(RAND_bytes(serial, sizeof(serial)) == 1, ERR_INTERNAL, "no random bytes");
    serial[0] = (uint8_t)((serial[0] & 0x7f) | 0x40); // positive, always 16 bytes
    number = BN_bin2bn(serial, sizeof(serial), NULL);
    good = number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x));
    BN_free(number);
    good = good && X509_set_version(x, X509_VERSION_3) == 1;
    good = good && cert_add_name(name, "C", "US") && cert_add_name(name, "O", "Cloister");
    good =
        good && cert_add_name(name, "OU", "Development") && cert_add_name(name, "CN", spec->name);
    good = good && X509_set_issuer_name(x, X509_get_subject_name(issuer)) == 1;
    good = good && ASN1_TIME_set(X509_getm_notBefore(x), (time_t)spec->from_s);
    good = good && ASN1_TIME_set(X509_getm_notAfter(x), (time_t)spec->until_s);
    good = good && X509_set_pubkey(x, spec->key->pkey) == 1;
    ENSURE(good, ERR_INTERNAL, "certificate cannot be filled in");
    return OK;
}

static struct err cert_add_exts(X509 *x, const struct cert_spec *spec, X509 *issuer)
{
    X509V3_CTX ctx;

    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    for (size_t i = 0; i < CERT_EXT_MAX && spec->ext[i].value; i++) {
        X509_EXTENSION *ext = X509V3_EXT_conf(NULL, &ctx, spec->ext[i].name, spec->ext[i].value);
        bool good = ext && X509_add_ext(x, ext, -1) == 1;

        X509_EXTENSION_free(ext);
        ENSURE(good, ERR_INTERNAL, "certificate extension cannot be added");
    }
    return OK;
}

struct err cert_to_pem(struct wr *out, struct bytes der)
{
    AUTO(free_bio) BIO *bio = BIO_new(BIO_s_mem());
    AUTO(free_x509) X509 *x = NULL;

    TRY(cert_decode(&x, der));
    ENSURE(bio && PEM_write_bio_X509(bio, x) == 1, ERR_INTERNAL, "certificate cannot be encoded");
    return cert_write_bio(out, bio);
}

static struct err cert_write_bio(struct wr *out, BIO *bio)
{
    char *text = NULL;
    long n = BIO_get_mem_data(bio, &text);

    ENSURE(n > 0, ERR_INTERNAL, "certificate cannot be encoded");
    wr_bytes(out, bytes_of(text, (size_t)n));
    return wr_end(out);
}

struct err cert_sign_es384(uint8_t out[static CERT_SIG_BYTES], const struct cert_key *key,
                           struct bytes message)
{
    AUTO(free_digest_ctx) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    AUTO(free_signature) ECDSA_SIG *sig = NULL;
    uint8_t der[128];
    size_t n = sizeof(der);
    const unsigned char *p = der;

    ENSURE(ctx && EVP_DigestSignInit(ctx, NULL, EVP_sha384(), NULL, key->pkey) == 1 &&
               EVP_DigestSign(ctx, der, &n, message.p, message.n) == 1,
           ERR_INTERNAL, "message cannot be signed");
    sig = d2i_ECDSA_SIG(NULL, &p, (long)n);
    ENSURE(sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, 48) == 48 &&
               BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + 48, 48) == 48,
           ERR_INTERNAL, "signature cannot be converted");
    return OK;
}
