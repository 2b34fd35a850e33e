// SPDX-License-Identifier: Apache-2.0
// Accounts: creation (which keeps nothing), and opening of a stored record into a slot.
#pragma once

#include "vault/state.h"

FALLIBLE account_create(struct turn *turn);
FALLIBLE account_open(struct turn *turn);
// The slot of the account in this record, opened now or already. Checks that it belongs to this
// deployment and an open keyset, and that the key fits the public key.
FALLIBLE account_slot_of_record(struct state *state, struct bytes record,
                                struct accounts_slot **out);
