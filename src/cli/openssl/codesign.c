// SPDX-License-Identifier: Apache-2.0
// The key lives in libcrypto's memory while it signs. Signatures are not deterministic (a fresh
// nonce each): two signed images differ in their signature section and nowhere else.
#include "cli/openssl/codesign.h"

#include "base/must.h"
#include "crypto/dersig.h"
#include "crypto/openssl/x509.h"

#include <openssl/bn.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <time.h>

#define PEM_BYTES_MAX 16384
#define SCALAR_BYTES  48

static void bio_free(BIO **bio)
{
    (void)BIO_free(*bio);
    ERR_clear_error();
}

static void cert_free(X509 **cert)
{
    X509_free(*cert);
}

static void pkey_free(EVP_PKEY **pkey)
{
    EVP_PKEY_free(*pkey);
    ERR_clear_error();
}

static void md_ctx_free(EVP_MD_CTX **ctx)
{
    EVP_MD_CTX_free(*ctx);
}

static void ecdsa_sig_free(ECDSA_SIG **sig)
{
    ECDSA_SIG_free(*sig);
}

static bool is_p384(const EVP_PKEY *pkey)
{
    char curve[32] = "";

    return pkey && EVP_PKEY_is_a(pkey, "EC") &&
           EVP_PKEY_get_group_name(pkey, curve, sizeof(curve), NULL) == 1 &&
           strcmp(curve, "secp384r1") == 0;
}

static FALLIBLE seconds_of(uint64_t *out, const ASN1_TIME *when)
{
    struct tm tm = { 0 };
    time_t seconds;

    ENSURE(when && ASN1_TIME_to_tm(when, &tm) == 1, ERR_MALFORMED,
           "certificate: expected a time of validity");
    seconds = timegm(&tm);
    *out = seconds > 0 ? (uint64_t)seconds : 0;
    return OK;
}

static FALLIBLE name_of(char out[static CODESIGN_NAME_MAX], const X509_NAME *name)
{
    AUTO(bio_free) BIO *bio = BIO_new(BIO_s_mem());
    const char *text = NULL;
    long n;

    ENSURE(bio && X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253) >= 0, ERR_MALFORMED,
           "certificate: a name in it cannot be shown");
    n = BIO_get_mem_data(bio, &text);
    if (n < 0 || !text)
        n = 0;
    (void)bytes_to_str(bytes_take(bytes_of(text, (size_t)n), CODESIGN_NAME_MAX - 1), out,
                       CODESIGN_NAME_MAX);
    return OK;
}

// A certificate of the text, the next one from where `bio` stands.
static X509 *next_cert(BIO *bio)
{
    char password[] = ""; // without one, libcrypto would ask for it on the terminal

    return PEM_read_bio_X509(bio, NULL, NULL, password);
}

static FALLIBLE take(struct codesign *out, X509 *cert)
{
    uint8_t *to = out->der;
    int n = i2d_X509(cert, NULL);

    ENSURE(n > 0 && n <= CODESIGN_CERT_MAX, ERR_TOO_LARGE,
           "certificate: expected at most 4096 bytes");
    ENSURE(i2d_X509(cert, &to) == n, ERR_INTERNAL, "certificate: cannot be encoded");
    out->n = (size_t)n;
    ENSURE(is_p384(X509_get0_pubkey(cert)), ERR_UNSUPPORTED,
           "certificate: expected a key on P-384 (ES384)");
    TRY(seconds_of(&out->from_s, X509_get0_notBefore(cert)));
    TRY(seconds_of(&out->until_s, X509_get0_notAfter(cert)));
    TRY(name_of(out->subject, X509_get_subject_name(cert)));
    return name_of(out->issuer, X509_get_issuer_name(cert));
}

struct err codesign_read(struct codesign *out, struct bytes pem)
{
    AUTO(bio_free) BIO *bio = NULL;
    AUTO(cert_free) X509 *cert = NULL;
    AUTO(cert_free) X509 *more = NULL;

    *out = (struct codesign) { .n = 0 };
    ENSURE(pem.n > 0 && pem.n <= PEM_BYTES_MAX, ERR_MALFORMED,
           "certificate: expected at most 16384 bytes of PEM text");
    bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    ENSURE(bio, ERR_INTERNAL, "certificate: no memory");
    cert = next_cert(bio);
    ENSURE(cert, ERR_MALFORMED, "certificate: expected PEM with BEGIN CERTIFICATE");
    more = next_cert(bio);
    ENSURE(!more, ERR_MALFORMED, "certificate: expected one, not a chain");
    return take(out, cert);
}

struct err codesign_write(struct wr *out, const struct codesign *cert)
{
    AUTO(bio_free) BIO *bio = BIO_new(BIO_s_mem());
    AUTO(cert_free) X509 *x = NULL;
    const uint8_t *from = cert->der;
    const char *text = NULL;
    long n;

    x = d2i_X509(NULL, &from, (long)cert->n);
    ENSURE(bio && x && PEM_write_bio_X509(bio, x) == 1, ERR_INTERNAL,
           "certificate: cannot be encoded");
    n = BIO_get_mem_data(bio, &text);
    ENSURE(n > 0 && text, ERR_INTERNAL, "certificate: cannot be encoded");
    wr_bytes(out, bytes_of(text, (size_t)n));
    return wr_end(out);
}

struct err codesign_valid(const struct codesign *cert, uint64_t at_s)
{
    ENSURE(at_s >= cert->from_s, ERR_EXPIRED, "certificate: is not valid yet");
    ENSURE(at_s <= cert->until_s, ERR_EXPIRED,
           "certificate: has expired: AWS does not start such an image");
    return OK;
}

static FALLIBLE read_key(EVP_PKEY **out, const struct codesign *cert, struct bytes pem)
{
    AUTO(bio_free) BIO *bio = NULL;
    AUTO(cert_free) X509 *x = NULL;
    const uint8_t *from = cert->der;
    char password[] = "";

    ENSURE(pem.n > 0 && pem.n <= PEM_BYTES_MAX, ERR_MALFORMED, "private key: expected PEM text");
    bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    ENSURE(bio, ERR_INTERNAL, "private key: no memory");
    *out = PEM_read_bio_PrivateKey(bio, NULL, NULL, password);
    ENSURE(*out, ERR_MALFORMED, "private key: expected PEM that is not encrypted");
    ENSURE(is_p384(*out), ERR_UNSUPPORTED, "private key: expected one on P-384 (ES384)");
    x = d2i_X509(NULL, &from, (long)cert->n);
    ENSURE(x && X509_check_private_key(x, *out) == 1, ERR_MISMATCH,
           "private key: is not the one of the certificate");
    return OK;
}

// libcrypto's DER as r || s.
static FALLIBLE unwrap(uint8_t out[static CODESIGN_BYTES], struct bytes der)
{
    const uint8_t *p = der.p;
    AUTO(ecdsa_sig_free) ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)der.n);

    ENSURE(sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), out, SCALAR_BYTES) == SCALAR_BYTES &&
               BN_bn2binpad(ECDSA_SIG_get0_s(sig), out + SCALAR_BYTES, SCALAR_BYTES) ==
                   SCALAR_BYTES,
           ERR_INTERNAL, "signature: libcrypto does not sign");
    return OK;
}

struct err codesign_sign(uint8_t out[static CODESIGN_BYTES], const struct codesign *cert,
                         struct bytes key_pem, struct bytes message)
{
    AUTO(pkey_free) EVP_PKEY *pkey = NULL;
    AUTO(md_ctx_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t der[DERSIG_BYTES_MAX];
    size_t n = sizeof(der);

    TRY(read_key(&pkey, cert, key_pem));
    ENSURE(ctx && EVP_DigestSignInit_ex(ctx, NULL, "SHA384", NULL, NULL, pkey, NULL) == 1 &&
               EVP_DigestSign(ctx, der, &n, message.p, message.n) == 1,
           ERR_INTERNAL, "signature: libcrypto does not sign");
    TRY(unwrap(out, bytes_of(der, n)));
    return x509_check_es384(bytes_of(cert->der, cert->n), message, out);
}
