// SPDX-License-Identifier: Apache-2.0
// A file that holds a key under a password: closed to other users, its password asked for on the
// terminal or read from the descriptor of --password-fd. Who may include it: cli.
#pragma once

#include "cli/cli.h"
#include "cli/secret.h"

#define PASSFILE_BYTES_MAX 65536U

struct passfile {
    struct bytes bytes; // in static memory, valid until the next call
    struct secret password;
};

// `AUTO(passfile_wipe) struct passfile file = { 0 };`
void passfile_wipe(struct passfile *file);
// Reads the file that `option` names. cli->where is left at it: errors about its content follow.
FALLIBLE passfile_read(struct cli *cli, struct passfile *out, const char *option);
