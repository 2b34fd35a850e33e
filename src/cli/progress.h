// SPDX-License-Identifier: Apache-2.0
// One line on standard error, after a second, while a command works or waits; nothing when standard
// error is no terminal, with --json, and beside another one that is shown. Who may include it: cli.
#pragma once

#include <pthread.h>
#include <stdbool.h>

// `AUTO(progress_end) struct progress progress; progress_begin(&progress, "deriving the key");`
struct progress {
    const char *what; // a literal
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool running, stopping;
};

// For the rest of the command, which was asked for JSON: nothing but the answer.
void progress_set_quiet(bool quiet);
void progress_begin(struct progress *progress, const char *what);
// Clears the line. Accepts a zeroed object, and is done twice without harm.
void progress_end(struct progress *progress);
