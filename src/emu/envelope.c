// SPDX-License-Identifier: Apache-2.0
// Writes the one shape that KMS has: BER with indefinite outer lengths, everything below in DER.
// Its constants are its own: what the vault's parser takes them for is what tests compare.
#include "emu/envelope.h"

#include "base/must.h"
#include "base/seckey.h"
#include "crypto/cms.h"
#include "crypto/openssl/aescbc.h"
#include "crypto/openssl/libcrypto.h"
#include "crypto/openssl/sha2.h"

#define TAG_INTEGER     0x02
#define TAG_OCTETS      0x04
#define TAG_OID         0x06
#define TAG_SEQUENCE    0x30
#define TAG_SET         0x31
#define TAG_CONTEXT_0   0x80
#define TAG_CONTEXT_0_C 0xa0 // constructed
#define INDEFINITE      0x80

#define VERSION_2   "\x02"
#define IV_BYTES    16
#define CHUNK_BYTES 1000 // what KMS uses

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

static void put_head(struct wr *wr, uint8_t tag, size_t n)
{
    wr_u8(wr, tag);
    if (n > UINT8_MAX) {
        wr_u8(wr, 0x82);
        wr_u16(wr, (uint16_t)n);
        return;
    }
    if (n > 0x7f)
        wr_u8(wr, 0x81);
    wr_u8(wr, (uint8_t)n);
}

static void put(struct wr *wr, uint8_t tag, struct bytes content)
{
    put_head(wr, tag, content.n);
    wr_bytes(wr, content);
}

static void put_open(struct wr *wr, uint8_t tag)
{
    wr_u8(wr, tag);
    wr_u8(wr, INDEFINITE);
}

static void put_recipient(struct wr *wr, struct bytes ski, struct bytes encrypted_key)
{
    uint8_t memory[512];
    struct wr info = WR_OF(memory);

    put(&info, TAG_INTEGER, BYTES_LIT(VERSION_2));
    put(&info, TAG_CONTEXT_0, ski);
    put(&info, TAG_SEQUENCE, BYTES_LIT(OAEP_SHA256));
    put(&info, TAG_OCTETS, encrypted_key);
    put_head(wr, TAG_SET, 4 + info.len);
    put(wr, TAG_SEQUENCE, wr_done(&info));
}

static void put_content(struct wr *wr, struct bytes iv, struct bytes content, bool chunked)
{
    uint8_t memory[64];
    struct wr algorithm = WR_OF(memory);

    put_open(wr, TAG_SEQUENCE);
    put(wr, TAG_OID, BYTES_LIT(OID_DATA));
    put(&algorithm, TAG_OID, BYTES_LIT(OID_AES256_CBC));
    put(&algorithm, TAG_OCTETS, iv);
    put(wr, TAG_SEQUENCE, wr_done(&algorithm));
    if (chunked) {
        put_open(wr, TAG_CONTEXT_0_C);
        for (; content.n; content = bytes_skip(content, CHUNK_BYTES))
            put(wr, TAG_OCTETS, bytes_take(content, CHUNK_BYTES));
        wr_u16(wr, 0);
    } else {
        put(wr, TAG_CONTEXT_0, content);
    }
    wr_u16(wr, 0);
}

struct err envelope_seal(struct wr *out, struct bytes spki, struct bytes plaintext, bool chunked)
{
    AUTO(seckey_wipe) struct seckey content_key = { 0 };
    uint8_t encrypted_key[RSA_MODULUS_BYTES];
    uint8_t content[CMS_CONTENT_MAX];
    uint8_t iv[IV_BYTES];
    uint8_t ski[32];
    size_t n = 0;

    ENSURE(plaintext.n < sizeof(content), ERR_TOO_LARGE, "CMS: expected at most 4111 bytes");
    libcrypto_random(content_key.b, sizeof(content_key.b));
    libcrypto_random(iv, sizeof(iv));
    TRY(rsa_oaep_seal(encrypted_key, spki, BYTES_OF(content_key.b)));
    TRY(aescbc_seal(content, &n, &content_key, iv, plaintext));
    sha2_256(ski, spki);
    put_open(out, TAG_SEQUENCE);
    put(out, TAG_OID, BYTES_LIT(OID_ENVELOPED_DATA));
    put_open(out, TAG_CONTEXT_0_C);
    put_open(out, TAG_SEQUENCE);
    put(out, TAG_INTEGER, BYTES_LIT(VERSION_2));
    put_recipient(out, BYTES_OF(ski), BYTES_OF(encrypted_key));
    put_content(out, BYTES_OF(iv), bytes_of(content, n), chunked);
    wr_u16(out, 0);
    wr_u16(out, 0);
    wr_u16(out, 0);
    return wr_end(out);
}
