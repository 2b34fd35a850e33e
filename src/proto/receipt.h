// SPDX-License-Identifier: Apache-2.0
// Receipts and status documents: what the enclave puts into `user_data`, and how an outsider
// checks it. user_data is always TAG || 0 || payload; the client's nonce is the NSM nonce field.
#pragma once

#include "crypto/attest.h"
#include "proto/keyset.h"
#include "proto/record.h"

enum receipt_phase {
    PHASE_UNCONFIGURED = 1,
    PHASE_CONFIGURED = 2,
    PHASE_READY = 4,
    PHASE_SEALED = 8
};

// What the verifier knows beforehand, from its trust file.
struct receipt_trust {
    struct bytes root_der;
    const uint8_t (*pcr0)[48]; // any of these
    size_t pcr0_len;
    const uint8_t *pcr16; // 48 bytes; NULL: not compared (the caller must say so to its user)
    bool allow_debug;
};

struct receipt_status {
    uint8_t phase;
    struct id boot;
    uint64_t sequence;
    uint8_t audit_head[32];
    uint64_t manifest_serial; // 0: none
    uint32_t seals;           // of this boot: what an approval to unseal names
    uint8_t anchor;           // enum config_anchor
};

// user_data of an account's receipt: TAG_RECEIPT || 0 || tag_hash(TAG_RECEIPT, public bytes).
// The public bytes contain policy hash, authoriser hash, keyset id and deployment id.
void receipt_write_record(struct wr *wr, struct bytes record_public);
// user_data of a keyset's receipt: TAG_KEYSET || 0 || tag_hash(TAG_KEYSET, keyset public fields).
void receipt_write_keyset(struct wr *wr, struct bytes keyset_public);
// user_data of `attestation`: TAG_STATUS or TAG_UNCONFIGURED || 0 || status fields.
void receipt_write_status(struct wr *wr, const struct receipt_status *status);

// The tag of user_data, one of proto/tag.h's five for documents; NULL when it is none of them.
const char *receipt_tag(struct bytes user_data);
// Reads user_data of a status document, under the tag that belongs to its phase. ERR_UNTRUSTED when
// it is another document's.
FALLIBLE receipt_read_status(struct receipt_status *out, struct bytes user_data);

// Verifies any document at its own time: root, PCR0, PCR16, public_key null, user_data with a tag
// of ours, nonce equal when `nonce.p` is not NULL. What the user_data says is the caller's to
// judge.
FALLIBLE receipt_check_document(const struct receipt_trust *trust, struct bytes document,
                                struct bytes nonce, struct attest *out);
// Verifies an account's receipt off the parent: document (at its own time), root, PCR0, PCR16,
// public_key null, user_data of this very record, nonce equal when `nonce.p` is not NULL.
FALLIBLE receipt_check_record(const struct receipt_trust *trust, const struct record *record,
                              struct bytes document, struct bytes nonce);
FALLIBLE receipt_check_keyset(const struct receipt_trust *trust, const struct keyset *keyset,
                              struct bytes document, struct bytes nonce);
// Verifies a live status document at `now_ms` +- 5 minutes.
FALLIBLE receipt_check_status(const struct receipt_trust *trust, struct bytes document,
                              struct bytes nonce, uint64_t now_ms, struct receipt_status *out);
