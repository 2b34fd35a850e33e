// SPDX-License-Identifier: Apache-2.0
// The one shape of CMS EnvelopedData (RFC 5652) that AWS KMS answers as CiphertextForRecipient:
// BER with indefinite outer lengths, one KeyTransRecipientInfo with RSAES-OAEP (SHA-256), content
// AES-256-CBC, either primitive or in chunks. Anything else is ERR_MALFORMED.
#pragma once

#include "crypto/openssl/rsa.h"

#define CMS_BYTES_MAX   6144 // KMS's own limit for CiphertextForRecipient
#define CMS_CONTENT_MAX 4112

struct cms {
    struct bytes encrypted_key; // RSA_MODULUS_BYTES
    struct bytes iv;            // 16
    size_t content_len;
    uint8_t content[CMS_CONTENT_MAX]; // the chunks put together
};

FALLIBLE cms_parse(struct cms *cms, struct bytes ber);
// Parses and opens with the recipient key; the plaintext must have exactly n bytes. A wrong key, a
// wrong length and a damaged envelope are one and the same ERR_CORRUPT: whoever carries envelopes
// must not learn what is in them by changing them (crypto/openssl/aescbc.h; so n % 16 == 0 where
// they may be hostile). CBC is not authenticated: the caller checks.
FALLIBLE cms_open(uint8_t *out, size_t n, const struct rsa_key *key, struct bytes ber);
