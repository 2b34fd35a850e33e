// SPDX-License-Identifier: Apache-2.0
// parent/relay.h: bytes go both ways to the one target of an entry, ends travel on one at a time,
// and nobody waits for a target that is not there.
#include "parent/relay.h"

#include "base/fd.h"
#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "expect.h"
#include "fake_parent.h"

#define MEGABYTE (1U << 20)
#define WAIT_MS  30000 // for what must happen, however busy the machine is

static char dir[64];
static struct relay_entry entry[2];
static struct relay *relay;
static int target_fd;

static int set_up(void **state)
{
    struct addr bound;
    char text[160];

    (void)state;
    fake_dir(dir);
    for (int i = 0; i < 2; i++) {
        (void)snprintf(text, sizeof(text), "unix://%s/%d", dir, 8000 + i);
        must(!addr_parse(&entry[i].listen, text).code);
        (void)snprintf(text, sizeof(text), "unix://%s/target%d", dir, i);
        must(!addr_parse(&entry[i].target, text).code);
    }
    target_fd = -1;
    must(!addr_listen(&target_fd, &entry[0].target, &bound).code);
    return relay_start(&relay, entry, 2).code ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    relay_stop(&relay);
    fd_close(&target_fd);
    fake_dir_remove(dir);
    return 0;
}

// A connection through the relay and its other end.
static void connect_both(int *inner, int *outer)
{
    *inner = -1;
    expect_ok("dial", addr_dial(inner, &entry[0].listen, deadline_in(WAIT_MS)));
    expect_ok("arrives", fd_wait(target_fd, POLLIN, deadline_in(WAIT_MS)));
    *outer = accept(target_fd, NULL, NULL);
    assert_true(*outer >= 0);
}

static void both_ways(void **state)
{
    AUTO(fd_close) int inner = -1;
    AUTO(fd_close) int outer = -1;
    uint8_t buf[5];

    (void)state;
    connect_both(&inner, &outer);
    expect_ok("out", fd_write_all(inner, BYTES_LIT("hello"), deadline_in(WAIT_MS)));
    expect_ok("out", fd_read_all(outer, buf, 5, deadline_in(WAIT_MS)));
    assert_memory_equal(buf, "hello", 5);
    expect_ok("in", fd_write_all(outer, BYTES_LIT("world"), deadline_in(WAIT_MS)));
    expect_ok("in", fd_read_all(inner, buf, 5, deadline_in(WAIT_MS)));
    assert_memory_equal(buf, "world", 5);
}

static void half_close(void **state)
{
    AUTO(fd_close) int inner = -1;
    AUTO(fd_close) int outer = -1;
    uint8_t buf[5];

    (void)state;
    connect_both(&inner, &outer);
    expect_ok("out", fd_write_all(inner, BYTES_LIT("hello"), deadline_in(WAIT_MS)));
    assert_int_equal(shutdown(inner, SHUT_WR), 0);
    expect_ok("out", fd_read_all(outer, buf, 5, deadline_in(WAIT_MS)));
    expect_err("its end", fd_read_all(outer, buf, 1, deadline_in(WAIT_MS)), ERR_CLOSED, NULL);
    expect_ok("in", fd_write_all(outer, BYTES_LIT("after"), deadline_in(WAIT_MS)));
    expect_ok("in", fd_read_all(inner, buf, 5, deadline_in(WAIT_MS)));
    assert_memory_equal(buf, "after", 5);
    fd_close(&outer);
    expect_err("end", fd_read_all(inner, buf, 1, deadline_in(WAIT_MS)), ERR_CLOSED, NULL);
}

static void *write_a_lot(void *context)
{
    static uint8_t block[MEGABYTE];

    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = (uint8_t)(i * 7 + (i >> 9));
    for (int i = 0; i < 4; i++)
        if (fd_write_all(*(int *)context, BYTES_OF(block), deadline_in(WAIT_MS)).code)
            return NULL;
    (void)shutdown(*(int *)context, SHUT_WR);
    return context;
}

static void a_lot_to_a_slow_reader(void **state)
{
    AUTO(fd_close) int inner = -1;
    AUTO(fd_close) int outer = -1;
    static uint8_t got[MEGABYTE];
    pthread_t writer;
    void *done;

    (void)state;
    connect_both(&inner, &outer);
    assert_int_equal(pthread_create(&writer, NULL, write_a_lot, &inner), 0);
    (void)poll(NULL, 0, 50);
    for (int round = 0; round < 4; round++) {
        expect_ok("read", fd_read_all(outer, got, sizeof(got), deadline_in(WAIT_MS)));
        for (size_t i = 0; i < sizeof(got); i += 997)
            assert_int_equal(got[i], (uint8_t)(i * 7 + (i >> 9)));
    }
    expect_err("its end", fd_read_all(outer, got, 1, deadline_in(WAIT_MS)), ERR_CLOSED, NULL);
    assert_int_equal(pthread_join(writer, &done), 0);
    assert_ptr_equal(done, &inner);
}

static void target_is_not_there(void **state)
{
    AUTO(fd_close) int dead = -1;
    AUTO(fd_close) int inner = -1;
    AUTO(fd_close) int outer = -1;
    uint8_t byte;

    (void)state;
    expect_ok("dial", addr_dial(&dead, &entry[1].listen, deadline_in(WAIT_MS)));
    expect_err("closed", fd_read_all(dead, &byte, 1, deadline_in(WAIT_MS)), ERR_CLOSED, NULL);
    connect_both(&inner, &outer); // the other entry is not held up
}

static unsigned count_closed(const int *fd, size_t n)
{
    unsigned closed = 0;

    for (size_t i = 0; i < n; i++) {
        struct pollfd p = { .fd = fd[i], .events = POLLIN };

        closed += fd[i] < 0 || poll(&p, 1, 0) == 1;
    }
    return closed;
}

static void too_many(void **state)
{
    int inner[160];
    unsigned closed;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(inner); i++) {
        inner[i] = -1;
        if (addr_dial(&inner[i], &entry[0].listen, deadline_in(2000)).code)
            inner[i] = -1;
        (void)poll(NULL, 0, 1);
    }
    for (int i = 0; i < WAIT_MS / 100 && count_closed(inner, ARRAY_LEN(inner)) < 160 - 128; i++)
        (void)poll(NULL, 0, 100);
    (void)poll(NULL, 0, 100); // for further ones that should not be
    closed = count_closed(inner, ARRAY_LEN(inner));
    for (size_t i = 0; i < ARRAY_LEN(inner); i++)
        fd_close(&inner[i]);
    assert_in_range(closed, 160 - 128, 159);
}

static void plan(void **state)
{
    struct relay_entry got[CONFIG_HOSTS];
    uint8_t buf[CONFIG_BYTES_MAX];
    struct config config;
    struct conf conf = { .relay_listen = "unix:///run/link/" };
    size_t n;

    (void)state;
    (void)fake_configuration(buf, &config);
    expect_ok("plan", relay_plan(got, &n, &conf, &config));
    assert_int_equal(n, 1);
    assert_string_equal(got[0].listen.host, "/run/link/8000");
    assert_string_equal(got[0].target.host, "kms.eu-west-1.amazonaws.com");
    assert_int_equal(got[0].target.port, 443);
    conf.relays = 1;
    (void)snprintf(conf.relay[0].host, sizeof(conf.relay[0].host), "%s", got[0].host);
    expect_ok("target", addr_parse(&conf.relay[0].target, "tcp://127.0.0.1:4430"));
    (void)snprintf(conf.relay_listen, sizeof(conf.relay_listen), "vsock://ANY");
    expect_ok("plan", relay_plan(got, &n, &conf, &config));
    assert_int_equal(got[0].listen.kind, ADDR_VSOCK);
    assert_int_equal(got[0].listen.cid, UINT32_MAX);
    assert_int_equal(got[0].listen.port, 8000);
    assert_int_equal(got[0].target.port, 4430);
}

int main(void)
{
#define RELAY_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plan),          RELAY_TEST(both_ways),
        RELAY_TEST(half_close),          RELAY_TEST(a_lot_to_a_slow_reader),
        RELAY_TEST(target_is_not_there), RELAY_TEST(too_many),
    };

    (void)signal(SIGPIPE, SIG_IGN); // as cloisterd does
    return cmocka_run_group_tests(tests, NULL, NULL);
}
