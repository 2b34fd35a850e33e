// SPDX-License-Identifier: Apache-2.0
// PID 1 of the enclave: opens the surroundings, starts vault and front by executing its own file
// again (each with its own canaries and addresses), gives a dead front a successor and the vault a
// new channel to it, and ends with the vault. Holds no secret, never calls libcrypto.
#pragma once

#include "base/err.h"

// The descriptors that the children find, by number.
enum { SUPERVISE_VAULT_NSM = 3, SUPERVISE_VAULT_SUPERVISOR = 4 };
enum {
    SUPERVISE_FRONT_VAULT = 3,
    SUPERVISE_FRONT_CONTROL,
    SUPERVISE_FRONT_DIAL,
    SUPERVISE_FRONT_DATA
};

// Returns when the vault has ended or SIGTERM came; both children are gone then.
FALLIBLE supervise_run(void);
