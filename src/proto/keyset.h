// SPDX-License-Identifier: Apache-2.0
// The keyset record (PROTOCOL.md, "Keyset record"): how a keyset key is wrapped under the data keys
// of one or more CMKs. Public bytes and ciphertexts only; this module knows no secret.
#pragma once

#include "base/rd.h"
#include "base/wr.h"
#include "proto/config.h"

#define KEYSET_VERSION       1
#define KEYSET_WRAP_DATA_KEY 1 // GenerateDataKey, then Decrypt of the blob at once

struct keyset_wrap {
    uint8_t kind;
    uint8_t x;           // the share's Shamir coordinate, 1..n; 1 when k = n = 1
    struct bytes cmk;    // full ARN
    struct bytes blob;   // KMS's CiphertextBlob of the data key
    struct bytes sealed; // nonce (12) || AES-256-GCM of the share (32) || tag (16)
};

struct keyset {
    struct id deployment;
    struct id id;
    struct bytes name;
    enum config_purpose purpose;
    uint64_t created_ms;
    uint8_t k, n;
    struct keyset_wrap wrap[CONFIG_CMKS];
    struct bytes recovery; // 32 bytes for each recovery public key of the configuration
    struct bytes check;    // HMAC-SHA-256(keyset key, ...) over keyset_public, 32 bytes
};

// Views point into `record`. Checks form and ranges only.
FALLIBLE keyset_read(struct keyset *out, struct bytes record);
void keyset_write(struct wr *wr, const struct keyset *keyset);
// The public fields that the check value and the receipt cover: all but `sealed` and `check`.
void keyset_write_public(struct wr *wr, const struct keyset *keyset);
// AAD of one share: tag, deployment, keyset id, name, purpose, k, n, x, ARN, blob.
void keyset_write_share_aad(struct wr *wr, const struct keyset *keyset,
                            const struct keyset_wrap *wrap);
