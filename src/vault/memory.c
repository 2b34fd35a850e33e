// SPDX-License-Identifier: Apache-2.0
#include "vault/memory.h"

#include "base/ct.h"
#include "base/must.h"
#include "crypto/openssl/libcrypto.h"
#include "vault/map.h"
#include "vault/nsm_worker.h"

#define OVERHEAD_BYTES (64U << 10) // page rounding and the stacks' guard pages
#define NEAR_BYTES     4096U       // more than ct_wipe's frames, in a sanitizer's build too

static struct memory_stack stack_take(struct arena *arena, size_t n)
{
    return (struct memory_stack) { arena_take_guarded(arena, n), n };
}

struct err memory_init(struct memory *memory)
{
    size_t size = VAULT_POOL_BYTES + VAULT_SECRET_BYTES + map_this.worker_stack +
                  map_this.nsm_stack + sizeof(struct nsm_worker) + OVERHEAD_BYTES;
    void *pool;

    _Static_assert(sizeof(struct state_secrets) <= VAULT_SECRET_BYTES, "secrets fit their part");
    TRY(arena_init(&memory->arena, size));
    memory->worker_stack = stack_take(&memory->arena, map_this.worker_stack);
    memory->nsm_stack = stack_take(&memory->arena, map_this.nsm_stack);
    memory->nsm_worker = arena_take(&memory->arena, sizeof(*memory->nsm_worker), 64);
    memory->secrets = arena_take(&memory->arena, sizeof(*memory->secrets), 64);
    pool = arena_take(&memory->arena, VAULT_POOL_BYTES, 64);
    pool_init(&memory->pool, pool, VAULT_POOL_BYTES);
    accounts_init(&memory->secrets->accounts);
    return libcrypto_init_in(&memory->pool);
}

struct err memory_start_thread(const struct memory_stack *stack, void *(*run)(void *),
                               void *context, pthread_t *thread)
{
    pthread_attr_t attr;
    bool ok = pthread_attr_init(&attr) == 0 &&
              pthread_attr_setstack(&attr, stack->base, stack->n) == 0 &&
              pthread_create(thread, &attr, run, context) == 0;

    ENSURE(ok, ERR_INTERNAL, "vault: a thread cannot be started");
    return OK;
}

// Overwrites what lies right below the caller's frame, where its callees' frames were: on the stack
// itself, which AddressSanitizer would have it leave.
static __attribute__((noinline, no_sanitize("address"))) void wipe_near(void)
{
    uint8_t near[NEAR_BYTES];

    ct_wipe(near, sizeof(near));
}

// All of it, whatever was used: a frame may have left a large buffer untouched and secrets below
// it. That is faster than to find out what is dirty.
void memory_wipe_stack(const struct memory_stack *stack)
{
    const uint8_t *top = (uint8_t *)__builtin_frame_address(0) - NEAR_BYTES;

    must(top > stack->base && top < stack->base + stack->n);
    ct_wipe(stack->base, (size_t)(top - stack->base)); // not under ct_wipe's own feet
    wipe_near();
}
