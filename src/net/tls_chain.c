// SPDX-License-Identifier: Apache-2.0
// Certificates that a server shows. Duty: that a mistake of whoever installs them is found here and
// named, and not by clients. Trusts libcrypto's parser; what is read comes from the parent.
#include "net/tls_chain.h"

#include "base/must.h"
#include "net/tls_key.h"

#include <arpa/inet.h>
#include <limits.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void tls_chain_free_bio(BIO **bio)
{
    BIO_free(*bio);
}

// One block of PEM; no password is ever asked for.
struct block {
    char *name, *header;
    uint8_t *data;
    long n;
};

static void tls_chain_free_block(struct block *block)
{
    OPENSSL_free(block->name);
    OPENSSL_free(block->header);
    OPENSSL_free(block->data);
}

static struct err tls_chain_add(struct tls_chain *chain, const struct block *block)
{
    X509 *certificate = X509_new_ex(tls_key_library(), NULL);
    const uint8_t *at = block->data;

    ENSURE(certificate, ERR_FULL, "TLS: out of memory");
    if (!d2i_X509(&certificate, &at, block->n)) // frees it when it fails
        return FAIL(ERR_MALFORMED, "certificate chain: a block is no certificate");
    chain->certificate[chain->count++] = certificate;
    ENSURE(at == block->data + block->n, ERR_MALFORMED,
           "certificate chain: bytes after a certificate");
    return OK;
}

static struct err tls_chain_read_pem(struct tls_chain *chain, struct bytes pem)
{
    AUTO(tls_chain_free_bio) BIO *bio = NULL;

    ENSURE(pem.n > 0, ERR_MALFORMED, "certificate chain: no PEM");
    ENSURE(pem.n <= TLS_CHAIN_BYTES_MAX, ERR_TOO_LARGE, "certificate chain: more than 32 KiB");
    bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    ENSURE(bio, ERR_FULL, "TLS: out of memory");
    for (;;) {
        AUTO(tls_chain_free_block) struct block block = { NULL, NULL, NULL, 0 };

        if (PEM_read_bio(bio, &block.name, &block.header, &block.data, &block.n) != 1)
            break;
        ENSURE(strcmp(block.name, "CERTIFICATE") == 0 && block.header[0] == 0, ERR_MALFORMED,
               "certificate chain: expected certificates only (no private key)");
        ENSURE(chain->count < TLS_CHAIN_MAX, ERR_TOO_LARGE, "certificate chain: more than 8");
        TRY(tls_chain_add(chain, &block));
    }
    ENSURE(chain->count > 0, ERR_MALFORMED, "certificate chain: no PEM certificate");
    return OK;
}

static struct err tls_chain_check_dates(const struct tls_chain *chain, uint64_t now_s)
{
    time_t now = (time_t)now_s;

    for (unsigned i = 0; i < chain->count; i++) {
        const X509 *certificate = chain->certificate[i];
        int from = X509_cmp_time(X509_get0_notBefore(certificate), &now);
        int to = X509_cmp_time(X509_get0_notAfter(certificate), &now);

        ENSURE(from != 0 && to != 0, ERR_MALFORMED, "certificate chain: a date is no date");
        ENSURE(from < 0, ERR_EXPIRED, "certificate chain: not valid yet");
        ENSURE(to > 0, ERR_EXPIRED, "certificate chain: expired");
    }
    return OK;
}

static struct err tls_chain_check_order(const struct tls_chain *chain)
{
    for (unsigned i = 0; i + 1 < chain->count; i++) {
        X509 *issuer = chain->certificate[i + 1], *certificate = chain->certificate[i];

        ENSURE(X509_check_issued(issuer, certificate) == X509_V_OK, ERR_MALFORMED,
               "certificate chain: not in order, each issued by the next");
        ENSURE(X509_verify(certificate, X509_get0_pubkey(issuer)) == 1, ERR_MALFORMED,
               "certificate chain: a signature is not that of the next one's key");
    }
    return OK;
}

static struct err tls_chain_check_key(const struct tls_chain *chain)
{
    const EVP_PKEY *key = X509_get0_pubkey(chain->certificate[0]);
    char group[32] = "";

    ENSURE(key && EVP_PKEY_is_a(key, "EC") &&
               EVP_PKEY_get_group_name(key, group, sizeof(group), NULL) == 1 &&
               strcmp(group, "prime256v1") == 0,
           ERR_UNSUPPORTED, "certificate: key must be ECDSA P-256");
    return OK;
}

bool tls_chain_digest(uint8_t out[static 32], const X509 *certificate)
{
    unsigned n = 0;

    return X509_digest(certificate, EVP_sha256(), out, &n) == 1 && n == 32;
}

// The facts that others compare: fingerprint, SubjectPublicKeyInfo, end.
static struct err tls_chain_learn(struct tls_chain *chain)
{
    X509 *leaf = chain->certificate[0];
    uint8_t *spki = NULL;
    int n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &spki);
    struct tm tm;
    bool is_known;

    is_known = n > 0 && EVP_Digest(spki, (size_t)n, chain->spki_sha256, NULL, EVP_sha256(), NULL) &&
               tls_chain_digest(chain->leaf_sha256, leaf) &&
               ASN1_TIME_to_tm(X509_get0_notAfter(leaf), &tm) == 1;
    OPENSSL_free(spki);
    ENSURE(is_known, ERR_MALFORMED, "certificate: cannot be read");
    chain->not_after_s = (uint64_t)timegm(&tm);
    return OK;
}

// -- names -------------------------------------------------------------------------------------

static uint8_t tls_chain_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

// Letters, digits, '-', '_', '.', and "*." in front.
static bool tls_chain_is_dns(struct bytes text)
{
    if (text.n > 2 && text.p[0] == '*' && text.p[1] == '.')
        text = bytes_skip(text, 2);
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = tls_chain_lower(text.p[i]);

        if ((c < 'a' || c > 'z') && (c < '0' || c > '9') && !memchr("-_.", c, 3))
            return false;
    }
    return text.n > 0 && text.n <= TLS_CHAIN_NAME_MAX - 2;
}

// Names of other kinds, and those that no host can have, are passed over.
static void tls_chain_add_name(struct tls_chain *chain, const GENERAL_NAME *general)
{
    struct tls_chain_name *name = &chain->name[chain->names];
    int type;
    const ASN1_STRING *value = GENERAL_NAME_get0_value(general, &type);
    struct bytes text;

    if (type != GEN_DNS && type != GEN_IPADD)
        return;
    text = bytes_of(ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    name->is_address = type == GEN_IPADD;
    if (name->is_address ? text.n != 4 && text.n != 16 : !tls_chain_is_dns(text))
        return;
    for (size_t i = 0; i < text.n; i++)
        name->text[i] = name->is_address ? text.p[i] : tls_chain_lower(text.p[i]);
    name->n = (uint8_t)text.n;
    chain->names++;
}

static struct err tls_chain_read_names(struct tls_chain *chain)
{
    GENERAL_NAMES *all = X509_get_ext_d2i(chain->certificate[0], NID_subject_alt_name, NULL, NULL);
    int count = all ? sk_GENERAL_NAME_num(all) : 0;

    chain->name = calloc(TLS_CHAIN_NAMES_MAX, sizeof(*chain->name));
    for (int i = 0; chain->name && i < count && i < (int)TLS_CHAIN_NAMES_MAX; i++)
        tls_chain_add_name(chain, sk_GENERAL_NAME_value(all, i));
    GENERAL_NAMES_free(all);
    ENSURE(chain->name, ERR_FULL, "TLS: out of memory");
    ENSURE(count <= (int)TLS_CHAIN_NAMES_MAX, ERR_TOO_LARGE, "certificate: more than 32 names");
    ENSURE(chain->names > 0, ERR_MALFORMED, "certificate: no DNS or IP name (subjectAltName)");
    return OK;
}

static bool tls_chain_is_address(const struct tls_chain *chain, const uint8_t *address, size_t n)
{
    for (unsigned i = 0; i < chain->names; i++)
        if (chain->name[i].is_address &&
            bytes_equal(bytes_of(chain->name[i].text, chain->name[i].n), bytes_of(address, n)))
            return true;
    return false;
}

static bool tls_chain_covers(const struct tls_chain_name *name, struct bytes host)
{
    struct bytes text = bytes_of(name->text, name->n);
    const uint8_t *dot;

    if (name->is_address)
        return false;
    if (text.p[0] == '*') { // the host's first label goes
        dot = memchr(host.p, '.', host.n);
        if (!dot || dot == host.p)
            return false;
        host = bytes_skip(host, (size_t)(dot - host.p));
        text = bytes_skip(text, 1);
    }
    for (size_t i = 0; i < host.n && i < text.n; i++)
        if (tls_chain_lower(host.p[i]) != text.p[i])
            return false;
    return host.n == text.n;
}

bool tls_chain_is_name(const struct tls_chain *chain, struct bytes host)
{
    bool is_bracketed = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
    char text[TLS_CHAIN_NAME_MAX + 1];
    uint8_t address[16];

    if (!bytes_to_str(is_bracketed ? bytes_of(host.p + 1, host.n - 2) : host, text, sizeof(text)) ||
        host.n == 0)
        return false;
    if (inet_pton(AF_INET6, text, address) == 1)
        return tls_chain_is_address(chain, address, 16);
    if (inet_pton(AF_INET, text, address) == 1)
        return !is_bracketed && tls_chain_is_address(chain, address, 4);
    for (unsigned i = 0; i < chain->names; i++)
        if (tls_chain_covers(&chain->name[i], host))
            return true;
    return false;
}

struct err tls_chain_read(struct tls_chain *out, struct bytes pem, uint64_t now_s)
{
    ENSURE(tls_key_library(), ERR_INTERNAL, "TLS: libcrypto takes no provider");
    TRY(tls_chain_read_pem(out, pem));
    TRY(tls_chain_check_key(out));
    TRY(tls_chain_check_order(out));
    TRY(tls_chain_check_dates(out, now_s));
    TRY(tls_chain_learn(out));
    return tls_chain_read_names(out);
}

void tls_chain_done(struct tls_chain *chain)
{
    while (chain->count > 0)
        X509_free(chain->certificate[--chain->count]);
    free(chain->name);
    *chain = (struct tls_chain) { .count = 0 };
}
