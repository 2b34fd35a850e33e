// SPDX-License-Identifier: Apache-2.0
// The seccomp filters of process 1, vault and front as const tables: what is not in them ends the
// process (SECCOMP_RET_KILL_PROCESS). x86-64 and its native call numbers only.
#pragma once

#include "base/err.h"

// For all threads of the process (SECCOMP_FILTER_FLAG_TSYNC). no_new_privs must be set.
// Process 1's allows what vault and front need too: a child's filters only ever add up.
FALLIBLE filter_install_init(void);
FALLIBLE filter_install_vault(void);
FALLIBLE filter_install_front(void);
