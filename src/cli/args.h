// SPDX-License-Identifier: Apache-2.0
// The command line after noun and verb, read against the command's own table of options. Nothing is
// guessed: an unknown option, a missing value, or a word too many is an error that names it.
// Who may include it: cli.
#pragma once

#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>

#define ARGS_MAX 64

enum args_kind {
    ARGS_FLAG,     // --json
    ARGS_VALUE,    // --to ADDRESS, once
    ARGS_REPEATED, // --pcr0 HEX, any number of times
    ARGS_OPTIONAL, // --wait [SECONDS]: the value is taken when it starts with a digit
};

struct args_option {
    const char *name;   // without dashes; NULL ends a table
    const char *letter; // "o" for -o, or NULL
    enum args_kind kind;
    const char *value; // how help calls the value
    const char *help;
};

struct args {
    const struct args_option *option[ARGS_MAX]; // in the order given
    const char *value[ARGS_MAX];                // "" for flags
    size_t len;
    const char *word; // the positional argument, or NULL
};

// Reads argv up to its NULL with the options of two tables (the command's and the common ones, each
// ended by a NULL name). *bad is the argument that an error is about. ERR_MALFORMED.
FALLIBLE args_read(struct args *out, char *const *argv, const struct args_option *const tables[2],
                   const char **bad);
bool args_has(const struct args *args, const char *name);
// The first value, or NULL when the option was not given.
const char *args_get(const struct args *args, const char *name);
// The next value of a repeated option from *at on, which moves past it; NULL at the end.
const char *args_next(const struct args *args, const char *name, size_t *at);
