// SPDX-License-Identifier: Apache-2.0
#include "vault/map.h"

#include "vault/limits.h"

const struct map map_this = {
    .worker_stack = VAULT_STACK_BYTES,
    .nsm_stack = VAULT_NSM_STACK,
    .nsm_ms = VAULT_NSM_MS,
};
