// SPDX-License-Identifier: Apache-2.0
// Keyset operations that wait for KMS: a few fixed places, with a deadline for each answer. The
// secrets of one (data keys or shares) lie in the arena and are wiped when it ends, however it
// ends.
#pragma once

#include "vault/state.h"

// A free place, or that of the operation that began first; what was there is dropped. Whoever asks
// KMS sets `until`: an operation without a question waits for nothing.
struct state_pending *pending_take(struct state *state, const struct config_keyset *keyset);
// NULL when there is none of that number or its time is over. Drops all whose time is over.
struct state_pending *pending_find(struct state *state, uint64_t operation);
// The operation's secrets: CONFIG_CMKS of them.
struct seckey *pending_keys(struct state *state, const struct state_pending *pending);
void pending_drop(struct state *state, struct state_pending *pending);
void pending_drop_all(struct state *state);
