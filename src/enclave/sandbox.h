// SPDX-License-Identifier: Apache-2.0
// What vault and front give up before they read their first byte: root, capabilities, core dumps,
// new privileges, and every system call that their table does not name. A forbidden call ends the
// process. Process 1 gives up calls only. Who may include it: main.c, supervise.c.
#pragma once

#include "base/err.h"

#define SANDBOX_UID_VAULT 61001U
#define SANDBOX_UID_FRONT 61002U

// Process 1, when it holds all descriptors that its children will get: it opens nothing afterwards.
// Vault and front inherit the filter. ERR_IO names what failed.
FALLIBLE sandbox_enter_init(void);
// What is kept for each thread must go before the first thread is started: the capability bounding
// set. Also ends core dumps and dumpability at once.
FALLIBLE sandbox_prepare(void);
// For all threads of the calling process, which must be root. ERR_IO names what failed.
FALLIBLE sandbox_enter_vault(void);
FALLIBLE sandbox_enter_front(void);
