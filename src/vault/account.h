// SPDX-License-Identifier: Apache-2.0
// Accounts: creation (which keeps nothing), and opening of a stored record into a slot.
#pragma once

#include "vault/state.h"

// An account that is about to be made.
struct account_new {
    const struct keyring_entry *keyset;
    struct id id;
    struct bytes policy, authorisers; // canonical
    struct bytes nonce;               // of the receipt; may be empty
    enum record_provenance provenance;
};

FALLIBLE account_create(struct turn *turn);
// Checks keyset, policy and authorisers, and takes all but id and provenance over.
FALLIBLE account_check_new(const struct state *state, const struct msg_account_create *m,
                           struct account_new *out);
// Seals `key` into a record with its receipt and writes both as the turn's result.
FALLIBLE account_make(struct turn *turn, const struct account_new *fresh, const struct seckey *key);
FALLIBLE account_open(struct turn *turn);
// The slot of the account in this record, opened now or already. Checks that it belongs to this
// deployment and an open keyset, and that the key fits the public key.
FALLIBLE account_slot_of_record(struct state *state, struct bytes record,
                                struct accounts_slot **out);
