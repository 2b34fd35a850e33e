// SPDX-License-Identifier: Apache-2.0
// AWS's builder writes bytes as lists of small integers. Everything is copied out of the section
// before it is looked at.
#include "emu/imagesig.h"

#include "base/cbor.h"
#include "base/must.h"
#include "crypto/attest.h"
#include "crypto/cose.h"
#include "crypto/openssl/sha2.h"
#include "crypto/openssl/x509.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>

#define PEM_MAX      16384
#define DOCUMENT_MAX 1024
#define DER_MAX      4096
#define SIGNED_MAX   512

struct list {
    uint8_t b[PEM_MAX];
    size_t n;
};

static void bio_free(BIO **bio)
{
    (void)BIO_free(*bio);
    ERR_clear_error();
}

static void cert_free(X509 **cert)
{
    X509_free(*cert);
}

static void list_read(struct list *list, struct rd *rd, size_t max)
{
    uint64_t n = cbor_array(rd);

    if (n > max)
        rd_refuse(rd);
    for (list->n = 0; list->n < n && !rd->bad; list->n++) {
        uint64_t byte = cbor_uint(rd);

        if (byte > UINT8_MAX)
            rd_refuse(rd);
        list->b[list->n] = (uint8_t)byte;
    }
}

static struct bytes list_view(const struct list *list)
{
    return bytes_of(list->b, list->n);
}

// Two lists under their names, in this or the other order.
static FALLIBLE read_pair(struct list *pem, struct list *document, struct bytes section)
{
    struct rd rd = rd_of(section);

    ENSURE(cbor_array(&rd) == 1 && cbor_map(&rd) == 2, ERR_MALFORMED,
           "image: signature section: expected one signature");
    for (int i = 0; i < 2 && !rd.bad; i++) {
        struct bytes name = cbor_text(&rd);

        if (bytes_equal_str(name, "signing_certificate"))
            list_read(pem, &rd, PEM_MAX);
        else if (bytes_equal_str(name, "signature"))
            list_read(document, &rd, DOCUMENT_MAX);
        else
            rd_refuse(&rd);
    }
    ENSURE(!cbor_end(&rd).code && pem->n > 0 && document->n > 0, ERR_MALFORMED,
           "image: signature section: expected signing_certificate and signature");
    return OK;
}

static FALLIBLE read_certificate(uint8_t der[static DER_MAX], size_t *n, struct bytes pem)
{
    AUTO(bio_free) BIO *bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    char password[] = ""; // without one, libcrypto would ask for it on the terminal
    AUTO(cert_free) X509 *cert = bio ? PEM_read_bio_X509(bio, NULL, NULL, password) : NULL;
    int len = cert ? i2d_X509(cert, NULL) : 0;

    ENSURE(len > 0 && len <= DER_MAX, ERR_MALFORMED,
           "image: signing certificate: expected PEM of at most 4096 bytes");
    ENSURE(i2d_X509(cert, &der) == len, ERR_INTERNAL, "image: signing certificate: no memory");
    ENSURE(X509_cmp_current_time(X509_get0_notBefore(cert)) < 0 &&
               X509_cmp_current_time(X509_get0_notAfter(cert)) > 0,
           ERR_EXPIRED, "image: signing certificate: is not valid now");
    *n = (size_t)len;
    return OK;
}

// {register_index: 0, register_value: PCR0}
static FALLIBLE check_payload(struct bytes payload, const uint8_t pcr0[static IMAGESIG_PCR_BYTES])
{
    struct rd rd = rd_of(payload);
    struct list value = { .n = 0 };
    uint64_t index = 1;
    bool named;

    named = cbor_map(&rd) == 2 && bytes_equal_str(cbor_text(&rd), "register_index");
    index = cbor_uint(&rd);
    named = named && bytes_equal_str(cbor_text(&rd), "register_value");
    list_read(&value, &rd, IMAGESIG_PCR_BYTES);
    ENSURE(!cbor_end(&rd).code && named && index == 0, ERR_MALFORMED,
           "image: signature: expected register_index 0 and register_value");
    ENSURE(bytes_equal(list_view(&value), bytes_of(pcr0, IMAGESIG_PCR_BYTES)), ERR_UNTRUSTED,
           "image: signature: is over the PCR0 of another image");
    return OK;
}

static FALLIBLE check_signature(struct bytes certificate, struct bytes document,
                                const uint8_t pcr0[static IMAGESIG_PCR_BYTES])
{
    uint8_t text[SIGNED_MAX];
    struct wr wr = WR_OF(text);
    struct cose cose;

    TRY(cose_parse(&cose, document));
    cose_signed_bytes(&wr, &cose);
    TRY(wr_end(&wr));
    TRY(x509_check_es384(certificate, wr_done(&wr), cose.signature));
    return check_payload(cose.payload, pcr0);
}

struct err imagesig_measure(uint8_t pcr8[static IMAGESIG_PCR_BYTES], struct bytes section,
                            const uint8_t pcr0[static IMAGESIG_PCR_BYTES])
{
    struct list pem = { .n = 0 }, document = { .n = 0 };
    uint8_t der[DER_MAX], digest[IMAGESIG_PCR_BYTES];
    size_t n = 0;

    TRY(read_pair(&pem, &document, section));
    TRY(read_certificate(der, &n, list_view(&pem)));
    TRY(check_signature(bytes_of(der, n), list_view(&document), pcr0));
    sha2_384(digest, bytes_of(der, n));
    memset(pcr8, 0, IMAGESIG_PCR_BYTES);
    attest_pcr_extend(pcr8, BYTES_OF(digest));
    return OK;
}
