// SPDX-License-Identifier: Apache-2.0
// The vault's whole state, in one place: what is public lies in static memory, what is secret in
// the arena. One worker owns it; nothing here is shared.
#pragma once

#include "base/deadline.h"
#include "crypto/openssl/hpke.h"
#include "crypto/openssl/p256.h"
#include "crypto/openssl/rsa.h"
#include "proto/manifest.h"
#include "proto/msg.h"
#include "vault/accounts.h"
#include "vault/clock.h"
#include "vault/keyring.h"
#include "vault/nsm.h"
#include "vault/vault.h"

// A keyset that is being created or opened and waits for an answer of KMS or the anchor.
struct state_pending {
    uint64_t operation;    // 0: free
    struct deadline until; // for the answer that it waits for
    bool create;
    enum msg_step_kind waits_for;
    bool waits_for_more; // the last step asked for something
    const struct config_keyset *keyset;
    uint8_t at;                     // the wrapping that KMS is asked about
    uint8_t got;                    // open: shares so far
    uint8_t x[CONFIG_CMKS];         // open: their coordinates
    uint8_t nonce[NONCE_BYTES_MAX]; // create: of the receipt
    size_t nonce_len;
    uint8_t record[KEYSET_BYTES_MAX]; // open: the record. create: the blobs, one after the other
    size_t record_len;
    size_t blob_len[CONFIG_CMKS]; // create
    struct anchor_item item;      // with an anchor: as it stands there, or shall
};

#define STATE_SEALED (CONFIG_KEYSETS + VAULT_PENDING) // all that can be open or half open

// A sealed item of this boot: written by it, to be written, or met when a keyset was opened.
struct state_sealed {
    bool written;            // it stands there, as far as is known
    struct anchor_item item; // counter 0: free
};

// The write of a manifest or a seal (while SEALED) to the anchor that is under way.
struct state_anchoring {
    uint64_t operation; // 0: none
    struct deadline until;
    enum msg_step_kind waits_for;
    struct anchor_item item; // manifest: what is being written
    size_t at;               // seal: index in `sealed`
    unsigned writes;         // seal: how often that one was tried
};

// An import that waits for the owner's sealed key. Consumed when it succeeds.
struct state_import {
    bool used;
    struct deadline until;
    struct id account, keyset;
    uint8_t policy[POLICY_BYTES_MAX], authorisers[POLICY_BYTES_MAX];
    size_t policy_len, authorisers_len;
};

// An open TLS key. It lies ready to sign in libcrypto's pool, which lies in the arena.
struct state_tls {
    struct p256_key *key; // NULL: free
    struct id id, keyset;
    uint32_t generation;
    enum record_provenance provenance;
    uint8_t record_hash[32]; // SHA-256 of the record that was opened: another one is opened anew
    uint64_t used;           // order of use
};

// What must lie in the arena.
struct state_secrets {
    struct keyring keyring;
    // Of the operation with the same index: data keys while it creates, shares while it opens, the
    // keyset key (first) while it waits for the anchor.
    struct seckey pending_key[VAULT_PENDING][CONFIG_CMKS];
    // Of the sealed item with the same index, while SEALED and until it is written: the key of its
    // MAC, which opens nothing.
    struct seckey sealed_key[STATE_SEALED];
    struct accounts accounts;
};

struct state {
    const struct vault_env *env;
    struct nsm nsm;
    struct clock clock;
    int64_t documents_ms; // until when the documents given so far use up their share of the NSM
    enum receipt_phase phase;
    struct id boot;
    uint64_t sequence;
    uint8_t audit_head[32];
    uint8_t config_bytes[CONFIG_BYTES_MAX];
    size_t config_len;
    struct config config; // views into config_bytes
    uint8_t pcr16[48];
    uint8_t manifest_bytes[2][MANIFEST_BYTES_MAX];
    struct bytes manifest_view;  // which of them is in force; none before the first manifest
    struct manifest manifest;    // views into manifest_bytes; serial 0 before the first
    uint8_t manifest_digest[32]; // SHA-256 of its canonical bytes; zero before the first
    struct bytes next_view;      // the one that is being applied
    struct manifest next;
    uint8_t next_digest[32];
    uint32_t seals; // how often this boot was sealed
    bool anchored;  // the manifest in force, or the seal, stands in the anchor (proto/receipt.h)
    struct state_anchoring anchoring;
    struct state_sealed sealed[STATE_SEALED];
    // The vault's own keys, in libcrypto's pool, which lies in the arena: new ones at each boot and
    // after each seal, none while sealed.
    struct rsa_key *recipient;
    uint8_t recipient_spki[RSA_SPKI_BYTES];
    struct hpke_key *import_key;
    uint8_t import_public[HPKE_PUBLIC_BYTES];
    struct state_import import[VAULT_IMPORTS];
    struct state_tls tls[VAULT_TLS_KEYS];
    uint64_t tls_used;
    struct state_pending pending[VAULT_PENDING];
    uint64_t last_operation;
    struct state_secrets *secret;
    // Set when something happened that must end the enclave: a PCR that is not what it must be.
    bool fatal;
};

// One request on its way through a handler.
struct turn {
    struct state *state;
    struct bytes body;
    struct wr *out;    // the result goes here; dropped again when the handler fails
    struct id account; // for the audit entry; zero when there is none
};
