// SPDX-License-Identifier: Apache-2.0
// The only place from which a record is deleted, and only after the time that its deletion was
// announced for, which the store checks again. It goes by the system's clock; a clock that jumps
// forward deletes early, which is why deletions are announced at least seven days ahead.
#include "parent/reaper.h"

#include "base/must.h"
#include "parent/log.h"
#include "parent/metrics.h"
#include "parent/stamp.h"
#include "parent/store_account.h"

#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#define REAPER_TURN_S 60

struct reaper {
    struct store *store;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t wake;
    bool stopping; // under lock
};

static void *reaper_run(void *context);

struct err reaper_start(struct reaper **out, struct store *store)
{
    struct reaper *reaper = calloc(1, sizeof(*reaper));

    *out = NULL;
    ENSURE(reaper, ERR_FULL, "reaper: no memory");
    reaper->store = store;
    must(pthread_mutex_init(&reaper->lock, NULL) == 0);
    must(pthread_cond_init(&reaper->wake, NULL) == 0);
    if (pthread_create(&reaper->thread, NULL, reaper_run, reaper) != 0) {
        free(reaper);
        return FAIL(ERR_FULL, "reaper: no thread");
    }
    *out = reaper;
    return OK;
}

void reaper_stop(struct reaper **reaper)
{
    struct reaper *r = *reaper;

    if (!r)
        return;
    must(pthread_mutex_lock(&r->lock) == 0);
    r->stopping = true;
    must(pthread_cond_broadcast(&r->wake) == 0);
    must(pthread_mutex_unlock(&r->lock) == 0);
    must(pthread_join(r->thread, NULL) == 0);
    (void)pthread_mutex_destroy(&r->lock);
    (void)pthread_cond_destroy(&r->wake);
    free(r);
    *reaper = NULL;
}

struct err reaper_turn(struct store *store, uint64_t now_ms)
{
    for (;;) {
        char id[ID_TEXT];
        struct err err = store_account_delete_due(store, now_ms, id);

        if (err.code == ERR_NOT_FOUND)
            return OK;
        TRY(err);
        metrics_add(METRICS_ACCOUNTS_DELETED, 1);
        log_event(LOG_WARN, "reaper", "account_deleted", "account", id);
    }
}

static bool reaper_rest(struct reaper *r)
{
    struct timespec at;
    bool stopping;

    must(clock_gettime(CLOCK_MONOTONIC, &at) == 0);
    at.tv_sec += REAPER_TURN_S;
    must(pthread_mutex_lock(&r->lock) == 0);
    if (!r->stopping)
        (void)pthread_cond_clockwait(&r->wake, &r->lock, CLOCK_MONOTONIC, &at);
    stopping = r->stopping;
    must(pthread_mutex_unlock(&r->lock) == 0);
    return !stopping;
}

static void *reaper_run(void *context)
{
    struct reaper *r = context;

    do {
        struct err err = reaper_turn(r->store, stamp_now_ms());

        if (err.code)
            log_error(LOG_WARN, "reaper", "not_deleted", err);
    } while (reaper_rest(r));
    return NULL;
}
