// SPDX-License-Identifier: Apache-2.0
#include "cli/openssl/pemcert.h"

#include "base/must.h"
#include "crypto/openssl/sha2.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>
#include <time.h>

static void bio_free(BIO **bio)
{
    BIO_free(*bio);
}

static void cert_free(X509 **cert)
{
    X509_free(*cert);
}

static FALLIBLE read_spki(struct pemcert *out, X509 *cert)
{
    uint8_t *der = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der);

    if (n > 0)
        sha2_256(out->spki_sha256, bytes_of(der, (size_t)n));
    OPENSSL_free(der);
    ENSURE(n > 0, ERR_MALFORMED, "certificate: its key cannot be read");
    return OK;
}

static FALLIBLE read_fields(struct pemcert *out, X509 *cert)
{
    struct tm tm = { 0 };
    time_t until;

    TRY(read_spki(out, cert));
    ENSURE(ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1, ERR_MALFORMED,
           "certificate: expected a time of validity");
    until = timegm(&tm);
    out->until_s = until > 0 ? (uint64_t)until : 0;
    out->is_authority =
        X509_check_ca(cert) == 1 && (X509_get_key_usage(cert) & KU_KEY_CERT_SIGN) != 0;
    return OK;
}

static FALLIBLE take(struct pemcert *out, struct bytes der)
{
    AUTO(cert_free) X509 *cert = NULL;
    const uint8_t *at = der.p;

    ENSURE(der.n > 0 && der.n <= sizeof(out->der), ERR_TOO_LARGE,
           "certificate: expected at most 4096 bytes");
    cert = d2i_X509(NULL, &at, (long)der.n);
    ENSURE(cert && at == der.p + der.n, ERR_MALFORMED, "certificate: expected X.509 in DER");
    memcpy(out->der, der.p, der.n);
    out->n = der.n;
    return read_fields(out, cert);
}

// The next certificate in the text; *n is 0 at its end.
static FALLIBLE next_block(uint8_t **der, long *n, BIO *bio)
{
    char password[] = ""; // without one, libcrypto would ask for it on the terminal
    bool is_end;

    *n = 0;
    if (PEM_bytes_read_bio(der, n, NULL, PEM_STRING_X509, bio, NULL, password) == 1)
        return OK;
    *n = 0;
    is_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
    ERR_clear_error();
    ENSURE(is_end, ERR_MALFORMED, "certificate: expected base64 between BEGIN and END CERTIFICATE");
    return OK;
}

static FALLIBLE open_text(BIO **out, struct bytes pem)
{
    ENSURE(pem.n > 0 && pem.n <= PEMCERT_TEXT_MAX, ERR_MALFORMED,
           "certificate: expected at most 64 KiB of PEM text");
    *out = BIO_new_mem_buf(pem.p, (int)pem.n);
    ENSURE(*out, ERR_INTERNAL, "certificate: no memory");
    return OK;
}

struct err pemcert_read(struct pemcert *out, size_t *count, struct bytes pem)
{
    AUTO(bio_free) BIO *bio = NULL;

    *out = (struct pemcert) { .n = 0 };
    *count = 0;
    TRY(open_text(&bio, pem));
    for (;;) {
        uint8_t *der = NULL;
        struct err err;
        long n = 0;

        TRY(next_block(&der, &n, bio));
        if (n == 0)
            break;
        err = *count == 0 ? take(out, bytes_of(der, (size_t)n)) : OK;
        OPENSSL_free(der);
        ERR_clear_error();
        TRY(err);
        (*count)++;
    }
    ENSURE(*count > 0, ERR_MALFORMED, "certificate: expected PEM with BEGIN CERTIFICATE");
    return OK;
}

struct err pemcert_write_all(struct wr *out, struct bytes pem)
{
    AUTO(bio_free) BIO *from = NULL;
    AUTO(bio_free) BIO *to = BIO_new(BIO_s_mem());
    const char *text = NULL;
    long n;

    TRY(open_text(&from, pem));
    ENSURE(to, ERR_INTERNAL, "certificate: no memory");
    for (;;) {
        uint8_t *der = NULL;
        bool is_written;

        TRY(next_block(&der, &n, from));
        if (n == 0)
            break;
        is_written = PEM_write_bio(to, PEM_STRING_X509, "", der, n) > 0;
        OPENSSL_free(der);
        ENSURE(is_written, ERR_INTERNAL, "certificate: cannot be encoded");
    }
    n = BIO_get_mem_data(to, &text);
    wr_bytes(out, bytes_of(text, n > 0 && text ? (size_t)n : 0));
    return wr_end(out);
}
