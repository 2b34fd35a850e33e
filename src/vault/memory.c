// SPDX-License-Identifier: Apache-2.0
#include "vault/memory.h"

#include "base/must.h"
#include "crypto/openssl/libcrypto.h"

#define OVERHEAD_BYTES (64U << 10) // page rounding and the stack's guard page

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

// Most batches use little of the stack, so the wipe starts below the caller and stops after the
// first stretch that is clean: nothing below it was touched since the last wipe.
void memory_wipe_stack(const struct memory *memory)
{
    enum { STRETCH = 32 << 10, OWN_FRAME = 512 };
    uint8_t *top = (uint8_t *)__builtin_frame_address(0) - OWN_FRAME;
    bool dirty = true;

    must(top > memory->stack && top < memory->stack + VAULT_STACK_BYTES);
    while (dirty && top > memory->stack) {
        size_t room = (size_t)(top - memory->stack);
        size_t n = room < STRETCH ? room : STRETCH;
        volatile uint64_t *word = (volatile uint64_t *)(((uintptr_t)top - n + 7) & ~(uintptr_t)7);

        dirty = false;
        for (; (uint8_t *)word + 8 <= top; word++) {
            dirty = dirty || *word != 0;
            *word = 0;
        }
        top -= n;
    }
}
