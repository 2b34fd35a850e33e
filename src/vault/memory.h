// SPDX-License-Identifier: Apache-2.0
// The vault's memory: one locked arena that holds libcrypto's heap, the worker's stack and every
// long-lived secret. Mapped before the process drops its user id, never grown.
#pragma once

#include "base/arena.h"
#include "base/pool.h"
#include "vault/state.h"

struct memory {
    struct arena arena;
    struct pool pool;
    uint8_t *stack; // VAULT_STACK_BYTES, a guard page below
    struct state_secrets *secrets;
};

// Maps, locks and divides the arena, and starts libcrypto in its pool.
FALLIBLE memory_init(struct memory *memory);
// Wipes what finished calls left on the worker's stack, below the caller's frame. Cryptographic
// code of libraries leaves key limbs there.
void memory_wipe_stack(const struct memory *memory);
