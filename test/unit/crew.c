// SPDX-License-Identifier: Apache-2.0
// net/crew.h: jobs come back in the loop's thread, a full queue refuses, and the end waits for what
// runs and gives back what none has begun.
#include "net/crew.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdatomic.h>
#include <string.h>

#include "expect.h"

#define JOBS 100

struct work {
    struct crew_job job;
    unsigned runs, returns;
    unsigned turn; // in which order it ran
};

static struct loop *loop;
static struct crew *crew;
static struct work work[JOBS];
static atomic_uint running, hold;
static unsigned returned;
static pthread_t loop_thread;

static void run(void *owner, uint8_t *space)
{
    struct work *done = owner;

    memset(space, 1, 64);
    done->turn = atomic_fetch_add(&running, 1);
    while (atomic_load(&hold))
        (void)poll(NULL, 0, 1);
    done->runs++;
}

static void back(void *owner)
{
    struct work *done = owner;

    assert_true(pthread_equal(pthread_self(), loop_thread));
    done->returns++;
    if (++returned == JOBS)
        loop_stop(loop);
}

static void wake(void *context)
{
    (void)context;
    crew_collect(crew);
}

static void start(unsigned workers, unsigned queue_max)
{
    struct crew_options options = { .workers = workers, .queue_max = queue_max, .scratch = 64 };

    memset(work, 0, sizeof(work));
    returned = 0;
    atomic_store(&running, 0);
    atomic_store(&hold, 0);
    loop_thread = pthread_self();
    expect_ok("loop", loop_new(&loop));
    loop_set_wake(loop, wake, NULL);
    options.loop = loop;
    options.run = run;
    options.done = back;
    expect_ok("crew", crew_new(&crew, &options));
    for (size_t i = 0; i < JOBS; i++)
        work[i].job.owner = &work[i];
}

static void all_come_back_once(void **state)
{
    (void)state;
    start(4, JOBS);
    for (size_t i = 0; i < JOBS; i++)
        assert_true(crew_submit(crew, &work[i].job));
    loop_run(loop);
    for (size_t i = 0; i < JOBS; i++) {
        assert_int_equal(work[i].runs, 1);
        assert_int_equal(work[i].returns, 1);
    }
    crew_free(&crew);
    loop_free(&loop);
}

static void a_full_queue_and_the_end(void **state)
{
    (void)state;
    start(1, 2);
    atomic_store(&hold, 1);
    assert_true(crew_submit(crew, &work[0].job));
    while (atomic_load(&running) == 0)
        (void)poll(NULL, 0, 1);
    assert_true(crew_submit(crew, &work[1].job));
    assert_true(crew_submit(crew, &work[2].job));
    assert_false(crew_submit(crew, &work[3].job));
    atomic_store(&hold, 0);
    crew_free(&crew);
    assert_null(crew);
    assert_int_equal(work[0].runs, 1);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(work[i].returns, 1);
    assert_int_equal(work[3].returns, 0);
    crew_free(&crew);
    loop_free(&loop);
}

// Those that go first pass the others, in their own order, and have a few places of their own.
static void first_ones(void **state)
{
    (void)state;
    start(1, 2);
    atomic_store(&hold, 1);
    assert_true(crew_submit(crew, &work[0].job));
    while (atomic_load(&running) == 0)
        (void)poll(NULL, 0, 1);
    assert_true(crew_submit(crew, &work[1].job));
    assert_true(crew_submit(crew, &work[2].job));
    for (size_t i = 0; i < CREW_FIRST_MAX; i++)
        assert_true(crew_submit_first(crew, &work[3 + i].job));
    assert_false(crew_submit_first(crew, &work[99].job));
    assert_false(crew_submit(crew, &work[99].job));
    atomic_store(&hold, 0);
    while (atomic_load(&running) < 3 + CREW_FIRST_MAX)
        (void)poll(NULL, 0, 1);
    crew_free(&crew);
    for (size_t i = 0; i < CREW_FIRST_MAX; i++)
        assert_int_equal(work[3 + i].turn, 1 + i);
    assert_int_equal(work[1].turn, CREW_FIRST_MAX + 1);
    assert_int_equal(work[2].turn, CREW_FIRST_MAX + 2);
    assert_int_equal(work[99].returns, 0);
    loop_free(&loop);
}

static void refused_sizes(void **state)
{
    struct crew_options options = { .queue_max = 1, .run = run, .done = back };

    (void)state;
    expect_err("none", crew_new(&crew, &options), ERR_TOO_LARGE, "1 to 64");
    options.workers = CREW_WORKERS_MAX + 1;
    expect_err("too many", crew_new(&crew, &options), ERR_TOO_LARGE, "1 to 64");
    assert_null(crew);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_come_back_once),
        cmocka_unit_test(a_full_queue_and_the_end),
        cmocka_unit_test(first_ones),
        cmocka_unit_test(refused_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
