// SPDX-License-Identifier: Apache-2.0
#include "vault/memory.h"

#include "base/ct.h"
#include "base/must.h"
#include "crypto/openssl/libcrypto.h"

#define OVERHEAD_BYTES (64U << 10) // page rounding and the stack's guard page
#define NEAR_BYTES     4096U       // more than ct_wipe's frames, in a sanitizer's build too

struct err memory_init(struct memory *memory)
{
    size_t size = VAULT_POOL_BYTES + VAULT_STACK_BYTES + VAULT_SECRET_BYTES + OVERHEAD_BYTES;
    void *pool;

    _Static_assert(sizeof(struct state_secrets) <= VAULT_SECRET_BYTES, "secrets fit their part");
    TRY(arena_init(&memory->arena, size));
    memory->stack = arena_take_guarded(&memory->arena, VAULT_STACK_BYTES);
    memory->secrets = arena_take(&memory->arena, sizeof(*memory->secrets), 64);
    pool = arena_take(&memory->arena, VAULT_POOL_BYTES, 64);
    pool_init(&memory->pool, pool, VAULT_POOL_BYTES);
    accounts_init(&memory->secrets->accounts);
    return libcrypto_init_in(&memory->pool);
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
void memory_wipe_stack(const struct memory *memory)
{
    const uint8_t *top = (uint8_t *)__builtin_frame_address(0) - NEAR_BYTES;

    must(top > memory->stack && top < memory->stack + VAULT_STACK_BYTES);
    ct_wipe(memory->stack, (size_t)(top - memory->stack)); // not under ct_wipe's own feet
    wipe_near();
}
