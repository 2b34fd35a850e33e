// SPDX-License-Identifier: Apache-2.0
// How libcrypto is started in the vault: all its memory comes from a wiped pool inside the locked
// arena, no configuration file is read, and its own random generator is seeded from getrandom(2).
#pragma once

#include "base/err.h"
#include "base/pool.h"

// Must be the process's first use of libcrypto. `pool` lives as long as the process.
// ERR_INTERNAL when libcrypto was used before.
FALLIBLE libcrypto_init_in(struct pool *pool);
// For programs without an arena: starts libcrypto without a configuration file.
FALLIBLE libcrypto_init(void);
// Random bytes from the kernel (getrandom(2)); ends the program when the kernel has none.
void libcrypto_random(uint8_t *out, size_t n);
