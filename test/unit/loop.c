// SPDX-License-Identifier: Apache-2.0
// net/loop.h: events, pausing, giving back watches and timers from inside callbacks, wake-ups from
// another thread, the end-of-turn call.
#include "net/loop.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture {
    struct loop *loop;
    struct loop_watch *watch[2];
    struct loop_timer *timer[2];
    int pair[2][2];
    unsigned calls, turns, wakes;
    uint32_t seen;
};

static struct fixture f;

static int set_up(void **state)
{
    (void)state;
    f = (struct fixture) { 0 };
    for (int i = 0; i < 2; i++)
        if (socketpair(AF_UNIX, SOCK_STREAM, 0, f.pair[i]) != 0)
            return -1;
    return loop_new(&f.loop).code ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    loop_free(&f.loop);
    for (int i = 0; i < 4; i++)
        (void)close(f.pair[i / 2][i % 2]);
    return 0;
}

static void stop(void *context)
{
    (void)context;
    loop_stop(f.loop);
}

static void run_for(int64_t ms)
{
    struct loop_timer *end;

    assert_int_equal(loop_timer(f.loop, &end, deadline_in(ms), stop, NULL).code, 0);
    loop_run(f.loop);
    loop_timer_free(&end);
}

static void on_read(void *context, uint32_t events)
{
    char byte;
    int *fd = context;

    f.seen |= events;
    f.calls++;
    if (events & EPOLLIN)
        assert_int_equal(read(*fd, &byte, 1), 1);
    if (f.calls == 2)
        loop_stop(f.loop);
}

static void test_events(void **state)
{
    (void)state;
    assert_int_equal(
        loop_watch(f.loop, &f.watch[0], f.pair[0][0], EPOLLIN, on_read, &f.pair[0][0]).code, 0);
    assert_int_equal(write(f.pair[0][1], "ab", 2), 2);
    run_for(30000);
    assert_int_equal(f.calls, 2);
    assert_int_equal(f.seen, EPOLLIN);
}

static void test_paused_watch_reports_nothing(void **state)
{
    (void)state;
    assert_int_equal(
        loop_watch(f.loop, &f.watch[0], f.pair[0][0], EPOLLIN, on_read, &f.pair[0][0]).code, 0);
    loop_rewatch(f.watch[0], 0);
    assert_int_equal(write(f.pair[0][1], "a", 1), 1);
    (void)shutdown(f.pair[0][1], SHUT_RDWR);
    run_for(20);
    assert_int_equal(f.calls, 0);
    loop_rewatch(f.watch[0], EPOLLIN);
    (void)shutdown(f.pair[0][0], SHUT_WR);
    loop_stop(f.loop); // a stop before the run ends it at once
    loop_run(f.loop);
    assert_int_equal(f.calls, 0);
}

static void on_read_drop_both(void *context, uint32_t events)
{
    (void)context;
    (void)events;
    f.calls++;
    loop_unwatch(&f.watch[0]);
    loop_unwatch(&f.watch[1]);
    loop_stop(f.loop);
}

static void test_unwatch_in_callback(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(
            loop_watch(f.loop, &f.watch[i], f.pair[i][0], EPOLLIN, on_read_drop_both, NULL).code,
            0);
        assert_int_equal(write(f.pair[i][1], "a", 1), 1);
    }
    run_for(30000);
    assert_int_equal(f.calls, 1); // the other one's event was in the same batch
    assert_null(f.watch[1]);
}

static void test_bad_descriptor_is_refused(void **state)
{
    (void)state;
    assert_int_equal(loop_watch(f.loop, &f.watch[0], -1, EPOLLIN, on_read, NULL).code, ERR_IO);
    assert_null(f.watch[0]);
}

static void on_timer(void *context)
{
    (void)context;
    f.calls++;
    loop_timer_free(&f.timer[1]);
    if (f.calls < 3)
        loop_timer_set(f.timer[0], deadline_in(1));
    else
        loop_stop(f.loop);
}

static void test_timers(void **state)
{
    (void)state;
    assert_int_equal(loop_timer(f.loop, &f.timer[0], deadline_in(1), on_timer, NULL).code, 0);
    assert_int_equal(loop_timer(f.loop, &f.timer[1], deadline_in(30), on_timer, NULL).code, 0);
    run_for(30000);
    assert_int_equal(f.calls, 3); // armed again twice; the other one never fired
}

static void test_timer_moved_later_does_not_fire(void **state)
{
    (void)state;
    assert_int_equal(loop_timer(f.loop, &f.timer[0], deadline_in(1), on_timer, NULL).code, 0);
    loop_timer_set(f.timer[0], deadline_in(10000));
    run_for(20);
    assert_int_equal(f.calls, 0);
}

// Frees the timer that would be next, itself, and adds another one.
static void on_timer_that_frees(void *context)
{
    struct loop_timer *mine = context ? f.timer[0] : f.timer[1];

    f.calls++;
    loop_timer_free(&f.timer[0]);
    loop_timer_free(&f.timer[1]);
    assert_non_null(mine);
    assert_int_equal(loop_timer(f.loop, &f.timer[0], deadline_in(1), on_timer, NULL).code, 0);
}

static void test_timers_freed_in_callback(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++)
        assert_int_equal(
            loop_timer(f.loop, &f.timer[i], deadline_in(0), on_timer_that_frees, i ? NULL : f.timer)
                .code,
            0);
    run_for(30000);
    assert_int_equal(f.calls, 3); // one of the two, and the added one until it stops the loop
}

static void on_wake(void *context)
{
    (void)context;
    f.wakes++;
    loop_stop(f.loop);
}

static void *waker(void *context)
{
    (void)context;
    for (int i = 0; i < 100; i++)
        loop_wake(f.loop);
    return NULL;
}

static void test_wake(void **state)
{
    pthread_t thread;

    (void)state;
    loop_set_wake(f.loop, on_wake, NULL);
    assert_int_equal(pthread_create(&thread, NULL, waker, NULL), 0);
    loop_run(f.loop);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_in_range(f.wakes, 1, 100);
}

static void on_turn(void *context)
{
    (void)context;
    f.turns++;
}

static void test_turn(void **state)
{
    (void)state;
    loop_set_turn(f.loop, on_turn, NULL);
    test_events(state);
    assert_int_equal(f.turns, 2); // before the wait for each of the two events
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_events, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_paused_watch_reports_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_unwatch_in_callback, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bad_descriptor_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_timers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_timers_freed_in_callback, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_timer_moved_later_does_not_fire, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_wake, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_turn, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
