// SPDX-License-Identifier: Apache-2.0
// The thread that waits for the security module, so that the vault's worker does not: Linux's
// driver gives a silent module up after 120 s only. One request at a time. A request that was given
// up occupies the thread until the module has answered; the answer is wiped and reaches nobody.
// Lies in the arena, with its buffers: random bytes pass through them.
#pragma once

#include "vault/memory.h"
#include "vault/nsm.h"

#include <pthread.h>

enum nsm_worker_phase {
    NSM_WORKER_IDLE,
    NSM_WORKER_ASKED,
    NSM_WORKER_ANSWERED,
    NSM_WORKER_GIVEN_UP, // nobody waits for the answer any more
};

struct nsm_worker {
    struct nsm nsm; // what carries requests out
    struct memory_stack stack;
    pthread_mutex_t lock;
    pthread_cond_t asked, answered;
    enum nsm_worker_phase phase;
    size_t request_len, answer_len;
    uint8_t request[NSM_REQUEST_BYTES], answer[NSM_ANSWER_BYTES];
    struct err result;
};

// Starts the thread, which ends with the process. `worker` is zeroed memory of the arena.
FALLIBLE nsm_worker_start(struct nsm_worker *worker, const struct nsm *nsm,
                          const struct memory_stack *stack);
// As the call of struct nsm. ERR_DEVICE when the module does not answer in time (map_this.nsm_ms),
// ERR_BUSY at once while it has not answered an earlier request.
FALLIBLE nsm_worker_call(struct nsm_worker *worker, struct bytes request, uint8_t *answer,
                         size_t cap, size_t *n);
