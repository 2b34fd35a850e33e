// SPDX-License-Identifier: Apache-2.0
// Worker threads. A job is the caller's, in one of the two lists under `lock`, or one worker's:
// nothing else is shared. Trusts what it runs, knows nothing of it.
#include "net/crew.h"

#include "base/must.h"

#include <signal.h>
#include <stdlib.h>

struct list {
    struct crew_job *first, *last;
    unsigned count;
};

struct crew {
    struct crew_options options;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct list urgent, waiting, back; // under lock
    unsigned running;                  // under lock
    bool stopping;                     // under lock
    pthread_t worker[CREW_WORKERS_MAX];
    unsigned workers;
};

static void *crew_main(void *context);

static struct err crew_start(struct crew *crew)
{
    for (; crew->workers < crew->options.workers; crew->workers++)
        TRY(crew_thread(&crew->worker[crew->workers], crew_main, crew));
    (void)pthread_mutex_lock(&crew->lock);
    while (crew->running < crew->workers)
        (void)pthread_cond_wait(&crew->changed, &crew->lock);
    (void)pthread_mutex_unlock(&crew->lock);
    return OK;
}

struct err crew_new(struct crew **out, const struct crew_options *options)
{
    struct crew *crew;
    struct err err;

    *out = NULL;
    ENSURE(options->workers >= 1 && options->workers <= CREW_WORKERS_MAX, ERR_TOO_LARGE,
           "workers: expected 1 to 64");
    *out = crew = calloc(1, sizeof(*crew));
    ENSURE(crew, ERR_FULL, "workers: out of memory");
    crew->options = *options;
    (void)pthread_mutex_init(&crew->lock, NULL);
    (void)pthread_cond_init(&crew->changed, NULL);
    err = crew_start(crew);
    if (err.code)
        crew_free(out);
    return err;
}

static void crew_put(struct list *list, struct crew_job *job)
{
    job->next = NULL;
    *(list->first ? &list->last->next : &list->first) = job;
    list->last = job;
    list->count++;
}

static struct crew_job *crew_take(struct list *list)
{
    struct crew_job *job = list->first;

    if (job) {
        list->first = job->next;
        list->count--;
    }
    return job;
}

// The next job to run; NULL at the end.
static struct crew_job *crew_next(struct crew *crew)
{
    struct crew_job *job = NULL;

    (void)pthread_mutex_lock(&crew->lock);
    while (!crew->urgent.first && !crew->waiting.first && !crew->stopping)
        (void)pthread_cond_wait(&crew->changed, &crew->lock);
    if (!crew->stopping)
        job = crew_take(crew->urgent.first ? &crew->urgent : &crew->waiting);
    (void)pthread_mutex_unlock(&crew->lock);
    return job;
}

static void *crew_main(void *context)
{
    struct crew *crew = context;
    const struct crew_options *options = &crew->options;
    uint8_t *scratch = malloc(options->scratch + 1);
    struct crew_job *job;

    must(scratch);
    (void)pthread_mutex_lock(&crew->lock);
    crew->running++;
    (void)pthread_cond_broadcast(&crew->changed);
    (void)pthread_mutex_unlock(&crew->lock);
    while ((job = crew_next(crew))) {
        options->run(job->owner, scratch);
        (void)pthread_mutex_lock(&crew->lock);
        crew_put(&crew->back, job);
        (void)pthread_mutex_unlock(&crew->lock);
        loop_wake(options->loop);
    }
    free(scratch);
    return NULL;
}

static bool crew_add(struct crew *crew, struct list *list, size_t most, struct crew_job *job)
{
    bool room;

    (void)pthread_mutex_lock(&crew->lock);
    room = list->count < most;
    if (room)
        crew_put(list, job);
    (void)pthread_cond_signal(&crew->changed);
    (void)pthread_mutex_unlock(&crew->lock);
    return room;
}

bool crew_submit(struct crew *crew, struct crew_job *job)
{
    return crew_add(crew, &crew->waiting, crew->options.queue_max, job);
}

bool crew_submit_first(struct crew *crew, struct crew_job *job)
{
    return crew_add(crew, &crew->urgent, CREW_FIRST_MAX, job);
}

void crew_collect(struct crew *crew)
{
    struct crew_job *job;

    do {
        (void)pthread_mutex_lock(&crew->lock);
        job = crew_take(&crew->back);
        (void)pthread_mutex_unlock(&crew->lock);
        if (job)
            crew->options.done(job->owner);
    } while (job);
}

void crew_free(struct crew **out)
{
    struct crew *crew = *out;
    struct crew_job *job;

    *out = NULL;
    if (!crew)
        return;
    (void)pthread_mutex_lock(&crew->lock);
    crew->stopping = true;
    (void)pthread_cond_broadcast(&crew->changed);
    (void)pthread_mutex_unlock(&crew->lock);
    while (crew->workers > 0)
        (void)pthread_join(crew->worker[--crew->workers], NULL);
    while ((job = crew_take(&crew->urgent)) || (job = crew_take(&crew->waiting)))
        crew_put(&crew->back, job);
    crew_collect(crew);
    (void)pthread_cond_destroy(&crew->changed);
    (void)pthread_mutex_destroy(&crew->lock);
    free(crew);
}

struct err crew_thread(pthread_t *out, void *(*main)(void *context), void *context)
{
    sigset_t all, before;
    int failed;

    (void)sigfillset(&all);
    must(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    failed = pthread_create(out, NULL, main, context);
    must(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    ENSURE(!failed, ERR_FULL, "thread: no more of them");
    return OK;
}
