// SPDX-License-Identifier: Apache-2.0
// The vault's map (vault/map.h) in test programs, linked before the product's: with room on each
// stack for what ThreadSanitizer keeps there, and as patient with the emulated NSM as the program
// says, which may run under valgrind on a busy machine. meson.build gives both.
#include "vault/map.h"

#include "vault/limits.h"

const struct map map_this = {
    .worker_stack = VAULT_STACK_BYTES + MAP_STACK_MORE,
    .nsm_stack = VAULT_NSM_STACK + MAP_STACK_MORE,
    .nsm_ms = MAP_NSM_MS,
};
