// SPDX-License-Identifier: Apache-2.0
// A thread that wakes each second. Without one (no thread, no terminal) the command goes on
// silently.
#include "cli/progress.h"

#include "base/must.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

static bool is_quiet, is_shown; // of the command's main thread, the only one that begins and ends

void progress_set_quiet(bool quiet)
{
    is_quiet = quiet;
}

static void *progress_run(void *context)
{
    struct progress *p = context;
    struct timespec at;
    unsigned seconds = 0;

    must(clock_gettime(CLOCK_MONOTONIC, &at) == 0);
    must(pthread_mutex_lock(&p->lock) == 0);
    while (!p->stopping) {
        at.tv_sec++;
        while (!p->stopping &&
               pthread_cond_clockwait(&p->wake, &p->lock, CLOCK_MONOTONIC, &at) == 0)
            continue;
        if (!p->stopping)
            (void)fprintf(stderr, "\rcloister: %s ... %u s", p->what, ++seconds);
    }
    must(pthread_mutex_unlock(&p->lock) == 0);
    if (seconds)
        (void)fputs("\r\033[K", stderr);
    return NULL;
}

void progress_begin(struct progress *progress, const char *what)
{
    *progress = (struct progress) { .what = what };
    if (is_quiet || is_shown || isatty(STDERR_FILENO) != 1)
        return;
    must(pthread_mutex_init(&progress->lock, NULL) == 0);
    must(pthread_cond_init(&progress->wake, NULL) == 0);
    progress->running = pthread_create(&progress->thread, NULL, progress_run, progress) == 0;
    is_shown = progress->running;
}

void progress_end(struct progress *progress)
{
    if (!progress->running)
        return;
    must(pthread_mutex_lock(&progress->lock) == 0);
    progress->stopping = true;
    must(pthread_cond_signal(&progress->wake) == 0);
    must(pthread_mutex_unlock(&progress->lock) == 0);
    must(pthread_join(progress->thread, NULL) == 0);
    progress->running = is_shown = false;
    (void)pthread_mutex_destroy(&progress->lock);
    (void)pthread_cond_destroy(&progress->wake);
}
