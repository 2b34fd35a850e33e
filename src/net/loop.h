// SPDX-License-Identifier: Apache-2.0
// The event loop: epoll, level-triggered, one thread. Callbacks may add and remove any watch,
// also their own. Timers are coarse (deadlines of connections and calls).
#pragma once

#include "base/deadline.h"
#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_watch; // a descriptor that is watched
struct loop_timer;

FALLIBLE loop_new(struct loop **out);
// Frees the loop with the watches and timers that are left. Accepts NULL inside.
void loop_free(struct loop **loop);
// Runs until loop_stop. Callbacks run in this thread.
void loop_run(struct loop *loop);
// May be called from any thread and from signal handlers.
void loop_stop(struct loop *loop);
// Makes the loop call `call` soon, in its own thread; callable from any thread. Calls made before
// it ran are merged. One such function for each loop, set before loop_run.
void loop_set_wake(struct loop *loop, void (*call)(void *context), void *context);
void loop_wake(struct loop *loop);
// Makes the loop call `call` at the end of each turn, after all callbacks and before it waits
// again: the place to write in one go what a turn has produced. One for each loop.
void loop_set_turn(struct loop *loop, void (*call)(void *context), void *context);

// `events` are EPOLLIN and EPOLLOUT; errors and hang-ups are reported too. With 0 the watch pauses:
// then nothing is reported at all.
FALLIBLE loop_watch(struct loop *loop, struct loop_watch **out, int fd, uint32_t events,
                    void (*call)(void *context, uint32_t events), void *context);
void loop_rewatch(struct loop_watch *watch, uint32_t events);
// Stops watching (does not close the descriptor) and sets *watch to NULL; accepts NULL inside.
void loop_unwatch(struct loop_watch **watch);

// Calls once, at `at` or soon after; loop_timer_set arms it again (at_ms INT64_MAX: never).
FALLIBLE loop_timer(struct loop *loop, struct loop_timer **out, struct deadline at,
                    void (*call)(void *context), void *context);
void loop_timer_set(struct loop_timer *timer, struct deadline at);
// Sets *timer to NULL; accepts NULL inside.
void loop_timer_free(struct loop_timer **timer);
