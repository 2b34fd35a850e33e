// SPDX-License-Identifier: Apache-2.0
// The one table of what the program can do, and its help. Who may include it: cli.
#pragma once

#include "cli/cli.h"

struct commands_entry {
    const char *noun, *verb; // verb NULL: the noun alone
    const char *word;        // positional argument for help, or NULL: none is taken
    const struct args_option *options;
    const char *summary; // one line
    const char *text;    // paragraphs with an example
    struct err (*run)(struct cli *cli);
};

extern const struct commands_entry commands_table[];
extern const size_t commands_table_len;

// The options that every command takes.
extern const struct args_option *const commands_common;

// The command that argv (after the program's name) starts with, and how many words name it (1 or
// 2); NULL when there is none.
const struct commands_entry *commands_find(char *const *argv, int *words);
bool commands_has_noun(const char *noun);
// Help on standard output: of everything, of a noun, of one command.
void commands_help_all(void);
void commands_help_noun(const char *noun);
// One line on standard error: which verbs the noun has.
void commands_say_verbs(const char *noun);
void commands_help(const struct commands_entry *command);
