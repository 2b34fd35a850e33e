// SPDX-License-Identifier: Apache-2.0
// The emulator's command line: `--name VALUE`, `--name=VALUE` and flags, each at most once.
// Unknown options are refused by name. No option carries a secret.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct args_option {
    const char *name;   // without the dashes
    const char **value; // receives the value; NULL for a flag
    bool *flag;         // set for a flag; NULL otherwise
    bool required;
};

// Reads everything after the subcommand. On a refusal the sentence on stderr names the option.
FALLIBLE args_read(const struct args_option *options, size_t count, char **argv);
// A number with an optional '-' between the limits. `text` NULL leaves *out as it is.
FALLIBLE args_number(int64_t *out, const char *text, int64_t least, int64_t most);
