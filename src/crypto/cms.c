// SPDX-License-Identifier: Apache-2.0
// KMS's CiphertextForRecipient: a parser of exactly one tree of BER elements. The outer levels are
// of indefinite length, everything below is DER; every algorithm identifier is compared byte for
// byte. Trusts nothing about the envelope: it is encrypted to a public key that everybody may know
// and carries no authentication. The content encryption key lives only inside cms_open.
#include "crypto/cms.h"

#include "base/must.h"
#include "base/rd.h"
#include "base/seckey.h"
#include "crypto/openssl/aescbc.h"

#include <string.h>

#define TAG_INTEGER     0x02
#define TAG_OCTETS      0x04
#define TAG_OID         0x06
#define TAG_SEQUENCE    0x30
#define TAG_SET         0x31
#define TAG_CONTEXT_0   0x80
#define TAG_CONTEXT_0_C 0xa0 // constructed
#define INDEFINITE      0x80

#define VERSION_2       "\x02"
#define SKI_BYTES_MAX   64
#define IV_BYTES        16
#define AES_BLOCK_BYTES 16

#define OID_ENVELOPED_DATA "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x03"
#define OID_DATA           "\x2a\x86\x48\x86\xf7\x0d\x01\x07\x01"
#define OID_AES256_CBC     "\x60\x86\x48\x01\x65\x03\x04\x01\x2a"

#define DER_SHA256 "\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00"
// id-RSAES-OAEP with hashAlgorithm [0] SHA-256 and maskGenAlgorithm [1] MGF1 of SHA-256; an empty
// label, being the default, is absent (RFC 4055 4.1).
#define OAEP_SHA256                                \
    "\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x07" \
    "\x30\x2f"                                     \
    "\xa0\x0f" DER_SHA256                          \
    "\xa1\x1c\x30\x1a\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x08" DER_SHA256

static void read_recipient(struct cms *cms, struct rd *rd);
static void read_content(struct cms *cms, struct rd *rd);

// Tag and length of an element of definite length, shortest form; its content.
static struct bytes ber_take(struct rd *rd, uint8_t tag)
{
    size_t n;

    if (rd_u8(rd) != tag)
        rd_refuse(rd);
    n = rd_u8(rd);
    if (n == 0x81) {
        n = rd_u8(rd);
        if (n < 0x80)
            rd_refuse(rd);
    } else if (n == 0x82) {
        n = rd_u16(rd);
        if (n <= UINT8_MAX)
            rd_refuse(rd);
    } else if (n > 0x7f) {
        rd_refuse(rd);
    }
    return rd_bytes(rd, n);
}

static struct rd ber_enter(struct rd *rd, uint8_t tag)
{
    return rd_of(ber_take(rd, tag));
}

static void ber_expect(struct rd *rd, uint8_t tag, struct bytes content)
{
    if (!bytes_equal(ber_take(rd, tag), content))
        rd_refuse(rd);
}

static void ber_open(struct rd *rd, uint8_t tag)
{
    if (rd_u8(rd) != tag || rd_u8(rd) != INDEFINITE)
        rd_refuse(rd);
}

static void ber_close(struct rd *rd)
{
    if (rd_u16(rd) != 0)
        rd_refuse(rd);
}

// The end of an inner element: what went wrong inside is wrong outside as well.
static void ber_leave(struct rd *outer, const struct rd *inner)
{
    if (inner->bad || inner->left.n)
        rd_refuse(outer);
}

static bool ber_next_is(const struct rd *rd, uint8_t tag)
{
    return rd->left.n > 0 && rd->left.p[0] == tag;
}

struct err cms_parse(struct cms *cms, struct bytes ber)
{
    struct rd rd = rd_of(ber);

    memset(cms, 0, sizeof(*cms));
    ENSURE(ber.n <= CMS_BYTES_MAX, ERR_TOO_LARGE, "CMS: expected at most 6144 bytes");
    ber_open(&rd, TAG_SEQUENCE); // ContentInfo
    ber_expect(&rd, TAG_OID, BYTES_LIT(OID_ENVELOPED_DATA));
    ber_open(&rd, TAG_CONTEXT_0_C);
    ber_open(&rd, TAG_SEQUENCE); // EnvelopedData
    ber_expect(&rd, TAG_INTEGER, BYTES_LIT(VERSION_2));
    read_recipient(cms, &rd);
    read_content(cms, &rd);
    ber_close(&rd);
    ber_close(&rd);
    ber_close(&rd);
    ENSURE(rd_end(&rd).code == ERR_NONE, ERR_MALFORMED,
           "CMS: expected KMS's form of EnvelopedData and nothing after it");
    return OK;
}

// RecipientInfos with one KeyTransRecipientInfo (RFC 5652 6.2.1). The subject key identifier names
// the recipient in a way AWS does not document; whose key it is shows when it opens.
static void read_recipient(struct cms *cms, struct rd *rd)
{
    struct rd set = ber_enter(rd, TAG_SET);
    struct rd info = ber_enter(&set, TAG_SEQUENCE);
    struct bytes ski;

    ber_expect(&info, TAG_INTEGER, BYTES_LIT(VERSION_2));
    ski = ber_take(&info, TAG_CONTEXT_0);
    if (ski.n == 0 || ski.n > SKI_BYTES_MAX)
        rd_refuse(&info);
    ber_expect(&info, TAG_SEQUENCE, BYTES_LIT(OAEP_SHA256));
    cms->encrypted_key = ber_take(&info, TAG_OCTETS);
    if (cms->encrypted_key.n != RSA_MODULUS_BYTES)
        rd_refuse(&info);
    ber_leave(&set, &info);
    ber_leave(rd, &set);
}

static void append(struct cms *cms, struct rd *rd, struct bytes chunk)
{
    if (chunk.n == 0 || chunk.n > sizeof(cms->content) - cms->content_len) {
        rd_refuse(rd);
        return;
    }
    memcpy(cms->content + cms->content_len, chunk.p, chunk.n);
    cms->content_len += chunk.n;
}

// EncryptedContentInfo; the content is one [0] or a constructed [0] of octet strings.
static void read_content(struct cms *cms, struct rd *rd)
{
    struct rd algorithm;

    ber_open(rd, TAG_SEQUENCE);
    ber_expect(rd, TAG_OID, BYTES_LIT(OID_DATA));
    algorithm = ber_enter(rd, TAG_SEQUENCE);
    ber_expect(&algorithm, TAG_OID, BYTES_LIT(OID_AES256_CBC));
    cms->iv = ber_take(&algorithm, TAG_OCTETS);
    if (cms->iv.n != IV_BYTES)
        rd_refuse(&algorithm);
    ber_leave(rd, &algorithm);
    if (ber_next_is(rd, TAG_CONTEXT_0)) {
        append(cms, rd, ber_take(rd, TAG_CONTEXT_0));
    } else {
        ber_open(rd, TAG_CONTEXT_0_C);
        while (ber_next_is(rd, TAG_OCTETS))
            append(cms, rd, ber_take(rd, TAG_OCTETS));
        ber_close(rd);
    }
    if (cms->content_len == 0 || cms->content_len % AES_BLOCK_BYTES != 0)
        rd_refuse(rd);
    ber_close(rd);
}

static void content_wipe(uint8_t (*content)[CMS_CONTENT_MAX])
{
    ct_wipe(content, sizeof(*content));
}

static FALLIBLE open_key(struct seckey *out, const struct rsa_key *key, struct bytes encrypted)
{
    size_t n = 0;

    TRY(rsa_oaep_open(key, out->b, sizeof(out->b), &n, encrypted));
    ENSURE(n == sizeof(out->b), ERR_CORRUPT, "encrypted key does not open");
    return OK;
}

struct err cms_open(uint8_t *out, size_t n, const struct rsa_key *key, struct bytes ber)
{
    AUTO(seckey_wipe) struct seckey content_key = { 0 };
    AUTO(content_wipe) uint8_t plain[CMS_CONTENT_MAX];
    struct cms cms;
    bool opened;

    TRY(cms_parse(&cms, ber));
    opened = open_key(&content_key, key, cms.encrypted_key).code == ERR_NONE &&
             aescbc_open(plain, n, &content_key, cms.iv.p, bytes_of(cms.content, cms.content_len))
                     .code == ERR_NONE;
    ENSURE(opened, ERR_CORRUPT, "CMS: does not open with the recipient key");
    if (n)
        memcpy(out, plain, n);
    return OK;
}
