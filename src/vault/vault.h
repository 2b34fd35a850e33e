// SPDX-License-Identifier: Apache-2.0
// The vault: holds every secret and takes every decision. Its only inputs are the messages of
// proto/msg.h on one channel, and NSM. Who may include it: enclave, test programs.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct vault_env {
    // One NSM request and its answer (enclave/env.h).
    struct err (*nsm_call)(int nsm_fd, struct bytes request, uint8_t *answer, size_t cap,
                           size_t *n);
    int nsm_fd;
    // A SOCK_STREAM Unix socket on which PID 1 hands over the channel to each new front
    // (SCM_RIGHTS, one byte 'C'). Its end means that PID 1 is gone.
    int supervisor_fd;
    bool release; // AWS's anchors: debug mode and development's kind of anchor are refused
    // Called once, after all memory is mapped and locked and threads are started, before the first
    // message: drops uid and capabilities and installs the filter. NULL in test programs.
    struct err (*seal)(void);
};

// Serves until the supervisor channel closes (OK) or something fatal happens (an error; the caller
// ends the process). Runs the self-tests first.
FALLIBLE vault_run(const struct vault_env *env);
