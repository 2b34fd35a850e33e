// SPDX-License-Identifier: Apache-2.0
// All parts of cloisterd, started in order and stopped in the reverse one. Who may include it:
// parent/main.c, tests.
#pragma once

#include "parent/conf.h"

struct daemon;

// Starts everything. `version` is static text. The error names what could not be started.
FALLIBLE daemon_start(struct daemon **out, const struct conf *conf, const char *version);
// Lets requests that run finish, then ends every thread. Accepts NULL inside.
void daemon_stop(struct daemon **daemon);
