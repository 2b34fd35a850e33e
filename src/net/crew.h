// SPDX-License-Identifier: Apache-2.0
// Threads for work that may wait: jobs are handed in by a loop's thread, run in the order in which
// they came, and come back to the loop's thread when they are done.
#pragma once

#include "net/loop.h"

#include <pthread.h>
#include <stddef.h>

#define CREW_WORKERS_MAX 64U
#define CREW_FIRST_MAX   16U

struct crew;

// Part of what is worked on; belongs to the crew from crew_submit to `done`.
struct crew_job {
    struct crew_job *next; // the crew's
    void *owner;           // for `run` and `done`
};

struct crew_options {
    struct loop *loop;                        // is woken for crew_collect when jobs are done
    unsigned workers, queue_max;              // threads, and jobs that wait for one
    size_t scratch;                           // bytes that each worker has for `run`
    void (*run)(void *owner, uint8_t *space); // in a worker
    void (*done)(void *owner);                // in the loop's thread
};

// Starts the threads; returns when they run (the first system calls of a thread are none that a
// sandbox allows). ERR_TOO_LARGE, ERR_FULL.
FALLIBLE crew_new(struct crew **out, const struct crew_options *options);
// False when too many are waiting: the job stays the caller's.
bool crew_submit(struct crew *crew, struct crew_job *job);
// The same for one that comes before all that wait, in one of CREW_FIRST_MAX further places.
bool crew_submit_first(struct crew *crew, struct crew_job *job);
// Calls `done` for every job that has come back.
void crew_collect(struct crew *crew);
// Ends the threads after their current jobs, calls `done` for these and for those that none has
// begun, and frees. The loop does not run any more. Accepts NULL inside.
void crew_free(struct crew **crew);
// Starts a thread that signals do not reach: they are the main program's.
FALLIBLE crew_thread(pthread_t *out, void *(*main)(void *context), void *context);
