// SPDX-License-Identifier: Apache-2.0
// How libcrypto is started. In the vault: all its memory comes from a wiped pool inside the locked
// arena, no configuration file is read, and its own random generator is seeded from getrandom(2).
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "base/pool.h"

// Must be the process's first use of libcrypto. `pool` lives as long as the process.
// ERR_INTERNAL when libcrypto was used before.
FALLIBLE libcrypto_init_in(struct pool *pool);
// For a process that talks TLS with strangers: from here on nothing of more than `n` bytes is
// allocated for them. Must be the process's first use of libcrypto. ERR_INTERNAL when it was not.
FALLIBLE libcrypto_init_bounded(size_t n);
// For programs without an arena: starts libcrypto without a configuration file.
FALLIBLE libcrypto_init(void);
// Stirs `seed` into the generators from which libcrypto makes keys for the calling thread, beside
// what they have from getrandom(2) (NIST SP 800-90A 9.2: as additional input of a reseed).
FALLIBLE libcrypto_seed(struct bytes seed);
// Random bytes from the kernel (getrandom(2)); ends the program when the kernel has none.
void libcrypto_random(uint8_t *out, size_t n);
