// SPDX-License-Identifier: Apache-2.0
// httpd/server_gate.h: who is inside, who waits, who has to go.
#include "httpd/server_gate.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"

#define CROWD (2 * SERVER_GATE_MAX)

static struct loop *loop;
static struct server_gate *gate;

static struct guest {
    struct server_gate_place place;
    unsigned entered, evicted;
} guests[CROWD];

static void enter(void *owner)
{
    struct guest *guest = owner;

    assert_int_equal(guest->place.where, SERVER_GATE_INSIDE);
    guest->entered++;
}

static void evict(void *owner)
{
    struct guest *guest = owner;

    guest->evicted++;
    server_gate_leave(gate, &guest->place);
}

static unsigned count(unsigned from, unsigned to, unsigned evicted)
{
    unsigned all = 0;

    for (unsigned i = from; i < to; i++)
        all += guests[i].evicted == evicted;
    return all;
}

static void stop(void *context)
{
    (void)context;
    loop_stop(loop);
}

static void run_for(int64_t ms)
{
    struct loop_timer *timer;

    expect_ok("timer", loop_timer(loop, &timer, deadline_in(ms), stop, NULL));
    loop_run(loop);
    loop_timer_free(&timer);
}

static int set_up(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CROWD; i++) {
        guests[i] = (struct guest) { .place.enter = enter, .place.evict = evict };
        guests[i].place.owner = &guests[i];
    }
    return loop_new(&loop).code || server_gate_new(&gate, loop).code ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CROWD; i++)
        server_gate_leave(gate, &guests[i].place);
    server_gate_free(&gate);
    assert_null(gate);
    loop_free(&loop);
    return 0;
}

static void test_order(void **state)
{
    (void)state;
    for (unsigned i = 0; i < CROWD; i++)
        assert_int_equal(server_gate_pass(gate, &guests[i].place), i < SERVER_GATE_MAX);
    server_gate_leave(gate, &guests[SERVER_GATE_MAX].place); // one that waits
    server_gate_leave(gate, &guests[SERVER_GATE_MAX].place); // is outside now
    server_gate_leave(gate, &guests[7].place);
    assert_int_equal(guests[SERVER_GATE_MAX].entered, 0);
    assert_int_equal(guests[SERVER_GATE_MAX + 1].entered, 1);
    assert_int_equal(guests[SERVER_GATE_MAX + 2].entered, 0);
    server_gate_leave(gate, &guests[0].place);
    server_gate_leave(gate, &guests[SERVER_GATE_MAX - 1].place);
    assert_int_equal(guests[SERVER_GATE_MAX + 2].entered, 1);
    assert_int_equal(guests[SERVER_GATE_MAX + 3].entered, 1);
    assert_int_equal(guests[SERVER_GATE_MAX + 4].entered, 0);
}

// Inside for longer than half a second: that ends when somebody waits, and only then.
static void test_slow_ones(void **state)
{
    (void)state;
    for (unsigned i = 0; i < SERVER_GATE_MAX; i++)
        assert_true(server_gate_pass(gate, &guests[i].place));
    run_for(700);
    assert_int_equal(count(0, CROWD, 1), 0);
    for (unsigned i = 0; i < 10; i++)
        assert_false(server_gate_pass(gate, &guests[SERVER_GATE_MAX + i].place));
    run_for(300);
    assert_int_equal(count(0, 10, 1), 10); // the first ten
    assert_int_equal(count(10, CROWD, 1), 0);
    for (unsigned i = 0; i < 10; i++)
        assert_int_equal(guests[SERVER_GATE_MAX + i].entered, 1);
}

static void test_quick_ones_stay(void **state)
{
    (void)state;
    for (unsigned i = 0; i <= SERVER_GATE_MAX; i++)
        (void)server_gate_pass(gate, &guests[i].place);
    run_for(300);
    assert_int_equal(count(0, CROWD, 1), 0);
    assert_int_equal(guests[SERVER_GATE_MAX].entered, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_order, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_slow_ones, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_quick_ones_stay, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
