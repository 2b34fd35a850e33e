// SPDX-License-Identifier: Apache-2.0
// The front: control plane (JSON frames), KMS client, TLS. Holds AWS credentials, no key. Who may
// include it: enclave, test programs.
#pragma once

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/err.h"
#include "crypto/anchors.h"

struct front_env {
    int vault_fd;  // channel to the vault, SOCK_STREAM
    int listen_fd; // control plane, a listening socket
    int data_fd;   // data plane, the same
    int dial_fd;   // for `dial`; -1 when it needs none
    struct err (*dial)(int dial_fd, uint32_t port, int *fd, struct deadline until);
    const struct anchors *anchors;
    // Called once, after threads are started and contexts made, before the first connection.
    struct err (*seal)(void);
};

// Serves until the vault's channel closes (ERR_CLOSED) or something fatal happens.
FALLIBLE front_run(const struct front_env *env);
