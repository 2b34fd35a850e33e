// SPDX-License-Identifier: Apache-2.0
// The locked arena: one mapping made at boot, with guard pages on both sides, mlocked, left out of
// core dumps and wiped on fork. Everything secret in the vault lives in it: key slots, libcrypto's
// heap (base/pool.h) and the stacks of the workers. Handed out in order, never given back.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

struct arena {
    uint8_t *base; // first usable byte
    size_t size;
    size_t used;
};

// Maps and locks `size` bytes (rounded up to pages). ERR_IO when the lock limit forbids it.
FALLIBLE arena_init(struct arena *arena, size_t size);
// Wipes and unmaps.
void arena_done(struct arena *arena);
// The next `size` bytes, zeroed, aligned to `align` (a power of two); with `guard`, a page that
// faults lies before them (for stacks). Ends the program when the arena is too small: sizes are
// compiled in, so that is a bug.
void *arena_take(struct arena *arena, size_t size, size_t align);
void *arena_take_guarded(struct arena *arena, size_t size);
bool arena_holds(const struct arena *arena, const void *p);
