// SPDX-License-Identifier: Apache-2.0
#include "cli/openssl/csr.h"

#include "base/must.h"
#include "crypto/openssl/sha2.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#define NAME_MAX_BYTES 254U

static void bio_free(BIO **bio)
{
    BIO_free(*bio);
}

static void req_free(X509_REQ **req)
{
    X509_REQ_free(*req);
    ERR_clear_error();
}

static void extensions_free(STACK_OF(X509_EXTENSION) * *extensions)
{
    sk_X509_EXTENSION_pop_free(*extensions, X509_EXTENSION_free);
}

static void names_free(GENERAL_NAMES **names)
{
    GENERAL_NAMES_free(*names);
}

static FALLIBLE check_key(X509_REQ *req, const uint8_t spki_sha256[static 32])
{
    EVP_PKEY *key = X509_REQ_get0_pubkey(req);
    uint8_t *der = NULL, found[32] = { 0 };
    int n = key ? i2d_PUBKEY(key, &der) : 0;

    if (n > 0)
        sha2_256(found, bytes_of(der, (size_t)n));
    OPENSSL_free(der);
    ENSURE(n > 0 && bytes_equal(BYTES_OF(found), bytes_of(spki_sha256, 32)), ERR_UNTRUSTED,
           "certificate request: is for another key than the one whose receipt verified");
    ENSURE(X509_REQ_verify(req, key) == 1, ERR_UNTRUSTED,
           "certificate request: was not signed by its key");
    return OK;
}

// The bytes of a name as the extension has them: DNS text, or an address.
static struct bytes encode(uint8_t buf[static 16], struct bytes name, int *type)
{
    char text[NAME_MAX_BYTES] = "";

    (void)bytes_to_str(name, text, sizeof(text));
    *type = GEN_IPADD;
    if (inet_pton(AF_INET, text, buf) == 1)
        return bytes_of(buf, 4);
    if (inet_pton(AF_INET6, text, buf) == 1)
        return bytes_of(buf, 16);
    *type = GEN_DNS;
    return name;
}

static bool has_name(const GENERAL_NAMES *found, struct bytes name)
{
    uint8_t buf[16];
    int type = 0;
    struct bytes wanted = encode(buf, name, &type);

    for (int i = 0; i < sk_GENERAL_NAME_num(found); i++) {
        const GENERAL_NAME *one = sk_GENERAL_NAME_value(found, i);
        const ASN1_STRING *value;

        if (one->type != type)
            continue;
        value = type == GEN_DNS ? one->d.dNSName : one->d.iPAddress;
        if (bytes_equal(bytes_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value)),
                        wanted))
            return true;
    }
    return false;
}

static FALLIBLE check_names(X509_REQ *req, const struct bytes *names, size_t count)
{
    AUTO(extensions_free) STACK_OF(X509_EXTENSION) *extensions = X509_REQ_get_extensions(req);
    AUTO(names_free)
    GENERAL_NAMES *found =
        extensions ? X509V3_get_d2i(extensions, NID_subject_alt_name, NULL, NULL) : NULL;

    ENSURE(found && sk_GENERAL_NAME_num(found) == (int)count, ERR_UNTRUSTED,
           "certificate request: has other names than those that were asked for");
    for (size_t i = 0; i < count; i++)
        ENSURE(has_name(found, names[i]), ERR_UNTRUSTED,
               "certificate request: has other names than those that were asked for");
    return OK;
}

static FALLIBLE write_pem(struct wr *out, const X509_REQ *req)
{
    AUTO(bio_free) BIO *bio = BIO_new(BIO_s_mem());
    const char *text = NULL;
    long n;

    ENSURE(bio && PEM_write_bio_X509_REQ(bio, req) == 1, ERR_INTERNAL,
           "certificate request: cannot be encoded");
    n = BIO_get_mem_data(bio, &text);
    ENSURE(n > 0 && text, ERR_INTERNAL, "certificate request: cannot be encoded");
    wr_bytes(out, bytes_of(text, (size_t)n));
    return wr_end(out);
}

struct err csr_check(struct wr *out, struct bytes pem, const uint8_t spki_sha256[static 32],
                     const struct bytes *names, size_t count)
{
    AUTO(bio_free) BIO *bio = NULL;
    AUTO(req_free) X509_REQ *req = NULL;
    char password[] = ""; // without one, libcrypto would ask for it on the terminal

    ENSURE(pem.n > 0 && pem.n <= CSR_PEM_MAX, ERR_MALFORMED,
           "certificate request: expected PEM of at most 8 KiB");
    bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    ENSURE(bio, ERR_INTERNAL, "certificate request: no memory");
    req = PEM_read_bio_X509_REQ(bio, NULL, NULL, password);
    ENSURE(req, ERR_MALFORMED, "certificate request: expected PEM with BEGIN CERTIFICATE REQUEST");
    TRY(check_key(req, spki_sha256));
    TRY(check_names(req, names, count));
    return write_pem(out, req);
}
