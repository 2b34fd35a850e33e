// SPDX-License-Identifier: Apache-2.0
// The vault's memory: one locked arena that holds libcrypto's heap, the stacks of the threads and
// every long-lived secret. Mapped before the process drops its user id, never grown.
#pragma once

#include "base/arena.h"
#include "base/pool.h"
#include "vault/state.h"

#include <pthread.h>

struct nsm_worker;

struct memory_stack {
    uint8_t *base; // a guard page below
    size_t n;
};

struct memory {
    struct arena arena;
    struct pool pool;
    struct memory_stack worker_stack, nsm_stack; // as large as map_this says
    struct nsm_worker *nsm_worker;
    struct state_secrets *secrets;
};

// Maps, locks and divides the arena, and starts libcrypto in its pool.
FALLIBLE memory_init(struct memory *memory);
// Starts a thread on the stack.
FALLIBLE memory_start_thread(const struct memory_stack *stack, void *(*run)(void *), void *context,
                             pthread_t *thread);
// Wipes what finished calls left on the caller's own stack, below its frame. Cryptographic code of
// libraries leaves key limbs there.
void memory_wipe_stack(const struct memory_stack *stack);
