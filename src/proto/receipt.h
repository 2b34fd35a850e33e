// SPDX-License-Identifier: Apache-2.0
// Receipts and status documents: what the enclave puts into `user_data`, always TAG || 0 ||
// payload; the client's nonce is the NSM nonce field. How an outsider checks them is src/verify's.
#pragma once

#include "proto/keyset.h"
#include "proto/record.h"

enum receipt_phase {
    PHASE_UNCONFIGURED = 1,
    PHASE_CONFIGURED = 2,
    PHASE_READY = 4,
    PHASE_SEALED = 8
};

struct receipt_status {
    uint8_t phase;
    struct id boot;
    uint64_t sequence;
    uint8_t audit_head[32];
    uint64_t manifest_serial;    // 0: none
    uint8_t manifest_digest[32]; // SHA-256 of its canonical bytes; zero without one
    uint32_t seals;              // of this boot: what an approval to unseal names
    uint8_t anchor;              // enum config_anchor
    bool anchored;               // what is in force stands in the anchor (PROTOCOL.md, "Anchor")
};

// A TLS key, as `attestation` names it.
struct receipt_tls {
    uint8_t spki_sha256[32]; // SHA-256 of its SubjectPublicKeyInfo (DER)
    struct id keyset;        // in which it was generated
};

// user_data of an account's receipt: TAG_RECEIPT || 0 || tag_hash(TAG_RECEIPT, public bytes).
// The public bytes contain policy hash, authoriser hash, keyset id and deployment id.
void receipt_write_record(struct wr *wr, struct bytes record_public);
// user_data of a keyset's receipt: TAG_KEYSET || 0 || tag_hash(TAG_KEYSET, keyset public fields).
void receipt_write_keyset(struct wr *wr, struct bytes keyset_public);
// user_data of `attestation`: TAG_STATUS or TAG_UNCONFIGURED || 0 || status fields.
void receipt_write_status(struct wr *wr, const struct receipt_status *status);
// user_data of `attestation` for a TLS key: TAG_TLS || 0 || SHA-256 of the key's DER
// SubjectPublicKeyInfo || id of its keyset || the same status fields.
void receipt_write_tls(struct wr *wr, const struct receipt_tls *key,
                       const struct receipt_status *status);
