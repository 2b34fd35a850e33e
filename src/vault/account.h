// SPDX-License-Identifier: Apache-2.0
// Accounts: creation (which keeps nothing), and opening of a stored record into a slot.
#pragma once

#include "vault/state.h"

// What the keys of a keyset are, by its purpose.
struct account_kind {
    enum config_purpose keyset;
    enum record_purpose purpose;
    enum record_key_type key_type;
    enum record_provenance imported; // of a key that came from outside
    struct err (*check)(const struct seckey *key);
    struct err (*public)(uint8_t out[static 33], const struct seckey *key); // compressed
};

// An account or a TLS key that is about to be made.
struct account_new {
    const struct keyring_entry *keyset;
    const struct account_kind *kind;
    struct id id;
    struct bytes policy, authorisers; // canonical
    struct bytes nonce;               // of the receipt; may be empty
    enum record_provenance provenance;
};

FALLIBLE account_create(struct turn *turn);
// Finds the open keyset and what its keys are. ERR_NOT_FOUND, or ERR_MISMATCH for one of
// validators.
FALLIBLE account_find_keyset(const struct state *state, const struct id *keyset,
                             struct account_new *out);
// Checks keyset, policy and authorisers, and takes all but id and provenance over.
FALLIBLE account_check_new(const struct state *state, const struct msg_account_create *m,
                           struct account_new *out);
// Seals `key` into a record with its receipt and writes both as the turn's result.
FALLIBLE account_make(struct turn *turn, const struct account_new *fresh, const struct seckey *key);
FALLIBLE account_open(struct turn *turn);
// Checks that a record is one of this deployment, of an open keyset of this purpose (accounts or
// tls), and that the manifest allows it.
FALLIBLE account_belongs(const struct state *state, const struct record *record,
                         enum config_purpose purpose, const struct keyring_entry **keyset);
// The slot of the account in this record, opened now or already. Checks that it belongs to this
// deployment and an open keyset, and that the key fits the public key.
FALLIBLE account_slot_of_record(struct state *state, struct bytes record,
                                struct accounts_slot **out);
