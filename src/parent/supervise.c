// SPDX-License-Identifier: Apache-2.0
// One thread, one turn after the other: look at the enclave's status, do what is missing, look
// again. Every turn starts from what the enclave says and what is stored, so that a restart of
// either side needs no case of its own. A keyset record is on disk before the keyset is used: an
// account under a keyset that nobody stored would be lost.
#include "parent/supervise.h"

#include "base/ct.h"
#include "base/hex.h"
#include "base/must.h"
#include "parent/log.h"
#include "parent/stamp.h"
#include "parent/supervise_step.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#define SUPERVISE_TURN_MS      2000
#define SUPERVISE_SLICE_MS     200
#define SUPERVISE_PAUSE_MS     250
#define SUPERVISE_PAUSE_MS_MAX 15000

struct supervise {
    struct supervise_step step;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping;              // under lock
    bool woken;                 // under lock
    struct supervise_view view; // under lock
    uint64_t seen;              // the link's connection that `view` is about; under lock
};

static void *supervise_run(void *context);

struct err supervise_start(struct supervise **out, const struct supervise_options *options)
{
    struct supervise *s = calloc(1, sizeof(*s));

    *out = NULL;
    ENSURE(s, ERR_FULL, "supervise: no memory");
    s->step.options = *options;
    (void)snprintf(s->view.phase, sizeof(s->view.phase), "UNKNOWN");
    must(pthread_mutex_init(&s->lock, NULL) == 0);
    must(pthread_cond_init(&s->wake, NULL) == 0);
    if (pthread_create(&s->thread, NULL, supervise_run, s) != 0) {
        free(s);
        return FAIL(ERR_FULL, "supervise: no thread");
    }
    *out = s;
    return OK;
}

void supervise_stop(struct supervise **supervise)
{
    struct supervise *s = *supervise;

    if (!s)
        return;
    must(pthread_mutex_lock(&s->lock) == 0);
    s->stopping = true;
    must(pthread_cond_broadcast(&s->wake) == 0);
    must(pthread_mutex_unlock(&s->lock) == 0);
    must(pthread_join(s->thread, NULL) == 0);
    (void)pthread_mutex_destroy(&s->lock);
    (void)pthread_cond_destroy(&s->wake);
    free(s);
    *supervise = NULL;
}

void supervise_wake(struct supervise *supervise)
{
    must(pthread_mutex_lock(&supervise->lock) == 0);
    supervise->woken = true;
    must(pthread_cond_broadcast(&supervise->wake) == 0);
    must(pthread_mutex_unlock(&supervise->lock) == 0);
}

void supervise_look(struct supervise *supervise, struct supervise_view *out)
{
    uint64_t connection;
    uint64_t seen;

    must(pthread_mutex_lock(&supervise->lock) == 0);
    *out = supervise->view;
    seen = supervise->seen;
    must(pthread_mutex_unlock(&supervise->lock) == 0);
    connection = enclave_link_connection(supervise->step.options.link);
    if (connection == seen && connection != 0)
        return;
    // The last turn was up to two seconds ago; a lost link, or another one, is known at once.
    out->ready = false;
    out->connected = connection != 0;
    if (!out->problem[0] && out->since_ms != 0)
        (void)snprintf(out->problem, sizeof(out->problem), "enclave: %s",
                       connection ? "started again, is being set up" : "not connected");
}

// Waits `ms` plus up to a quarter, so that many daemons do not ask in step; false at the end.
static bool supervise_rest(struct supervise *s, int ms)
{
    struct timespec at;
    uint8_t jitter = 0;
    bool stopping;

    if (getrandom(&jitter, sizeof(jitter), 0) != (ssize_t)sizeof(jitter))
        jitter = 0;
    ms += ms * jitter / 1024;
    must(clock_gettime(CLOCK_MONOTONIC, &at) == 0);
    at.tv_sec += ms / 1000 + (at.tv_nsec + (long)(ms % 1000) * 1000000) / 1000000000;
    at.tv_nsec = (at.tv_nsec + (long)(ms % 1000) * 1000000) % 1000000000;
    must(pthread_mutex_lock(&s->lock) == 0);
    if (!s->stopping && !s->woken && ms > 0)
        (void)pthread_cond_clockwait(&s->wake, &s->lock, CLOCK_MONOTONIC, &at);
    stopping = s->stopping;
    must(pthread_mutex_unlock(&s->lock) == 0);
    return !stopping;
}

static bool supervise_take_wake(struct supervise *s)
{
    bool woken;

    must(pthread_mutex_lock(&s->lock) == 0);
    woken = s->woken;
    s->woken = false;
    must(pthread_mutex_unlock(&s->lock) == 0);
    return woken;
}

// Waits, but no longer than until the enclave is there again or somebody changed something.
static bool supervise_pause(struct supervise *s, int ms, uint64_t connection)
{
    do {
        uint64_t now = enclave_link_connection(s->step.options.link);

        if ((now != connection && now != 0) || supervise_take_wake(s))
            return supervise_rest(s, 0);
        if (!supervise_rest(s, ms < SUPERVISE_SLICE_MS ? ms : SUPERVISE_SLICE_MS))
            return false;
        ms -= SUPERVISE_SLICE_MS;
    } while (ms > 0);
    return true;
}

static void supervise_show(struct supervise *s, struct err err, uint64_t connection)
{
    struct supervise_view next = { .expires_ms = s->step.expires_ms };
    bool changed;

    if (err.code)
        (void)snprintf(next.problem, sizeof(next.problem), "%s: %s", err_name(err.code),
                       detail_text(&s->step.detail, err));
    next.connected = s->step.connected;
    next.ready = s->step.ready;
    (void)snprintf(next.phase, sizeof(next.phase), "%s",
                   s->step.phase[0] ? s->step.phase : "UNKNOWN");
    next.since_ms = stamp_now_ms();
    must(pthread_mutex_lock(&s->lock) == 0);
    changed = next.ready != s->view.ready || strcmp(next.problem, s->view.problem) != 0;
    if (!changed)
        next.since_ms = s->view.since_ms;
    s->view = next;
    s->seen = connection;
    must(pthread_mutex_unlock(&s->lock) == 0);
    if (changed && err.code)
        log_event(LOG_WARN, "supervise", next.ready ? "problem" : "not_ready", "error",
                  next.problem);
    else if (changed)
        log_event(LOG_INFO, "supervise", "ready", "phase", next.phase);
}

static void *supervise_run(void *context)
{
    struct supervise *s = context;
    uint64_t connection = 0;
    int pause_ms = 0;

    while (supervise_pause(s, pause_ms, connection)) {
        struct err err;

        connection = enclave_link_connection(s->step.options.link);
        err = supervise_step(&s->step);
        supervise_show(s, err, connection);
        if (err.code == ERR_NONE)
            pause_ms = SUPERVISE_TURN_MS;
        else if (pause_ms == 0 || pause_ms == SUPERVISE_TURN_MS)
            pause_ms = SUPERVISE_PAUSE_MS;
        else
            pause_ms =
                pause_ms > SUPERVISE_PAUSE_MS_MAX / 2 ? SUPERVISE_PAUSE_MS_MAX : pause_ms * 2;
    }
    ct_wipe(s->step.params, sizeof(s->step.params));
    return NULL;
}
