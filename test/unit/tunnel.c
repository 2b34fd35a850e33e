// SPDX-License-Identifier: Apache-2.0
// parent/tunnel.h: clients reach the enclave with their address before their bytes, nobody is held
// up by those who say nothing, by too many, or by an enclave that is not there, and who is being
// answered at the end gets the answer.
#include "parent/tunnel.h"

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
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "expect.h"
#include "fake_parent.h"

#define WAIT_MS 30000 // for what must happen, however busy the machine is
#define MANY    16U
#define V4_HEAD 28U // the header of a client over IPv4

static char dir[64];
static struct tunnel_options options;
static struct tunnel *tunnel;
static struct addr bound;
static int enclave_fd;

static void enclave_appears(void)
{
    struct addr at;

    expect_ok("enclave", addr_listen(&enclave_fd, &options.target, &at));
}

static int set_up(void **state)
{
    char text[160];

    (void)state;
    fake_dir(dir);
    enclave_fd = -1;
    tunnel = NULL;
    options = (struct tunnel_options) {
        .connections = MANY, .adds_source = true, .first_ms = WAIT_MS, .idle_ms = WAIT_MS
    };
    (void)snprintf(text, sizeof(text), "unix://%s/9000", dir);
    must(!addr_parse(&options.target, text).code);
    must(!addr_parse(&options.listen, "tcp://127.0.0.1:0").code);
    enclave_appears();
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tunnel_stop(&tunnel, 0);
    fd_close(&enclave_fd);
    fake_dir_remove(dir);
    return 0;
}

static void start(void)
{
    size_t connections;

    expect_ok("start", tunnel_start(&tunnel, &options));
    tunnel_look(tunnel, &bound, &connections);
    assert_int_equal(connections, 0);
}

static size_t count_open(void)
{
    struct addr at;
    size_t connections;

    tunnel_look(tunnel, &at, &connections);
    return connections;
}

static int client_new(void)
{
    int fd = -1;

    expect_ok("dial", addr_dial(&fd, &bound, deadline_in(WAIT_MS)));
    return fd;
}

static void say(int fd, const char *text)
{
    expect_ok(text, fd_write_all(fd, bytes_str(text), deadline_in(WAIT_MS)));
}

static void hear(int fd, const char *text)
{
    uint8_t got[64];
    struct bytes wanted = bytes_str(text);

    assert_true(wanted.n <= sizeof(got));
    expect_ok(text, fd_read_all(fd, got, wanted.n, deadline_in(WAIT_MS)));
    assert_memory_equal(got, wanted.p, wanted.n);
}

// The connection is over: an end or a reset.
static void hear_end(int fd)
{
    uint8_t byte;
    struct err err = fd_read_all(fd, &byte, 1, deadline_in(WAIT_MS));

    assert_true(err.code == ERR_CLOSED || err.code == ERR_IO);
}

static int enclave_accept(void)
{
    int fd;

    expect_ok("arrives", fd_wait(enclave_fd, POLLIN, deadline_in(WAIT_MS)));
    fd = accept(enclave_fd, NULL, NULL);
    assert_true(fd >= 0);
    return fd;
}

static void skip_head(int fd)
{
    uint8_t head[V4_HEAD];

    expect_ok("header", fd_read_all(fd, head, sizeof(head), deadline_in(WAIT_MS)));
}

// A client that has said "hello" and the enclave's end of it.
static void connect_both(int *client, int *inner)
{
    *client = client_new();
    say(*client, "hello");
    *inner = enclave_accept();
    skip_head(*inner);
    hear(*inner, "hello");
}

// -- the header ----------------------------------------------------------------------------------

static void no_source(bool adds_source)
{
    AUTO(fd_close) int client = -1;
    AUTO(fd_close) int inner = -1;

    options.adds_source = adds_source;
    start();
    client = client_new();
    say(client, "first");
    inner = enclave_accept();
    hear(inner, "first");
    tunnel_stop(&tunnel, 0);
}

static void tells_no_source(void **state)
{
    char text[160];

    (void)state;
    no_source(false);
    (void)snprintf(text, sizeof(text), "unix://%s/clients", dir);
    must(!addr_parse(&options.listen, text).code);
    no_source(true); // a client of a Unix socket has no address
}

// -- bytes ---------------------------------------------------------------------------------------

static void both_ways(void **state)
{
    AUTO(fd_close) int client = -1;
    AUTO(fd_close) int inner = -1;

    (void)state;
    start();
    connect_both(&client, &inner);
    say(inner, "world");
    hear(client, "world");
    say(client, "again");
    hear(inner, "again");
    assert_int_equal(count_open(), 1);
}

static void half_close(void **state)
{
    AUTO(fd_close) int client = -1;
    AUTO(fd_close) int inner = -1;

    (void)state;
    start();
    connect_both(&client, &inner);
    assert_int_equal(shutdown(client, SHUT_WR), 0);
    hear_end(inner);
    say(inner, "after");
    hear(client, "after");
    fd_close(&inner);
    hear_end(client);
}

static void half_close_of_the_enclave(void **state)
{
    AUTO(fd_close) int client = -1;
    AUTO(fd_close) int inner = -1;

    (void)state;
    start();
    connect_both(&client, &inner);
    assert_int_equal(shutdown(inner, SHUT_WR), 0);
    hear_end(client);
    say(client, "after");
    hear(inner, "after");
    fd_close(&client);
    hear_end(inner);
}

#define BLOCKS 64

static void fill(uint8_t block[static 65536], int number)
{
    for (size_t i = 0; i < 65536; i++)
        block[i] = (uint8_t)(i * 7 + (i >> 9) + (size_t)number);
}

static void *write_a_lot(void *context)
{
    static uint8_t block[65536];

    for (int i = 0; i < BLOCKS; i++) {
        fill(block, i);
        if (fd_write_all(*(int *)context, BYTES_OF(block), deadline_in(WAIT_MS)).code)
            return NULL;
    }
    (void)shutdown(*(int *)context, SHUT_WR);
    return context;
}

static void move_a_lot(int *from, int to)
{
    static uint8_t got[65536], wanted[65536];
    pthread_t writer;
    void *done;

    assert_int_equal(pthread_create(&writer, NULL, write_a_lot, from), 0);
    (void)poll(NULL, 0, 50); // everything on the way is full
    for (int i = 0; i < BLOCKS; i++) {
        expect_ok("read", fd_read_all(to, got, sizeof(got), deadline_in(WAIT_MS)));
        fill(wanted, i);
        assert_memory_equal(got, wanted, sizeof(got));
    }
    hear_end(to);
    assert_int_equal(pthread_join(writer, &done), 0);
    assert_ptr_equal(done, from);
}

static void a_lot_to_slow_readers(void **state)
{
    AUTO(fd_close) int client = -1;
    AUTO(fd_close) int inner = -1;

    (void)state;
    start();
    connect_both(&client, &inner);
    move_a_lot(&client, inner);
    move_a_lot(&inner, client);
}

// A lot and little in turn: bytes take one way or another inside the tunnel, never out of order.
static void a_lot_and_little(void **state)
{
    AUTO(fd_close) int client = -1;
    AUTO(fd_close) int inner = -1;
    static uint8_t block[65536], got[65536];

    (void)state;
    start();
    connect_both(&client, &inner);
    for (int i = 0; i < 16; i++) {
        fill(block, i);
        expect_ok("block", fd_write_all(client, BYTES_OF(block), deadline_in(WAIT_MS)));
        say(client, "little");
        expect_ok("block", fd_read_all(inner, got, sizeof(got), deadline_in(WAIT_MS)));
        assert_memory_equal(got, block, sizeof(got));
        hear(inner, "little");
        say(inner, "answer");
        hear(client, "answer");
    }
}

// -- who has to go -------------------------------------------------------------------------------

static void silent_clients_do_not_reach_it(void **state)
{
    AUTO(fd_close) int silent = -1;
    AUTO(fd_close) int gone = -1;
    AUTO(fd_close) int client = -1;
    AUTO(fd_close) int inner = -1;

    (void)state;
    options.first_ms = 300;
    start();
    silent = client_new();
    gone = client_new();
    fd_close(&gone); // as the health check of a balancer does it
    connect_both(&client, &inner);
    hear_end(silent);
    say(inner, "still here");
    hear(client, "still here");
    expect_err("nobody else", fd_wait(enclave_fd, POLLIN, deadline_in(0)), ERR_TIMEOUT, NULL);
}

static void idle_clients_are_closed(void **state)
{
    AUTO(fd_close) int client = -1;
    AUTO(fd_close) int inner = -1;

    (void)state;
    options.idle_ms = 300;
    start();
    connect_both(&client, &inner);
    hear_end(client);
    hear_end(inner);
}

// Whoever was answered twice stays, however many come that were not.
static void flood(bool with_bytes)
{
    AUTO(fd_close) int client = -1;
    AUTO(fd_close) int inner = -1;
    int others[4 * MANY];

    start();
    connect_both(&client, &inner);
    for (int i = 0; i < 2; i++) {
        say(inner, "answer");
        hear(client, "answer");
        say(client, "asks");
        hear(inner, "asks");
    }
    for (size_t i = 0; i < ARRAY_LEN(others); i++) {
        others[i] = client_new();
        if (with_bytes)
            (void)send(others[i], "x", 1, MSG_NOSIGNAL);
    }
    hear_end(others[0]);
    say(inner, "answer");
    hear(client, "answer");
    for (int i = 0; i < WAIT_MS / 10 && count_open() > MANY; i++)
        (void)poll(NULL, 0, 10);
    assert_true(count_open() <= MANY);
    for (size_t i = 0; i < ARRAY_LEN(others); i++)
        fd_close(&others[i]);
    tunnel_stop(&tunnel, 0);
}

static void floods(void **state)
{
    (void)state;
    flood(false);
    flood(true);
}

// -- an enclave that is not there ----------------------------------------------------------------

static void refused_while_it_is_away(void **state)
{
    AUTO(fd_close) int refused = -1;
    AUTO(fd_close) int client = -1;
    AUTO(fd_close) int inner = -1;

    (void)state;
    start();
    connect_both(&client, &inner);
    fd_close(&enclave_fd);
    refused = client_new();
    (void)send(refused, "hello", 5, MSG_NOSIGNAL);
    hear_end(refused);
    fd_close(&inner); // it ends with what it had
    hear_end(client);
    fd_close(&client);
    enclave_appears();
    connect_both(&client, &inner);
}

static void not_started(void **state)
{
    struct tunnel *second = NULL;
    struct tunnel_options same = options;

    (void)state;
    start();
    same.listen = bound;
    expect_err("in use", tunnel_start(&second, &same), ERR_EXISTS, "tunnel_listen");
    assert_null(second);
    must(!addr_parse(&same.listen, "tcp://192.0.2.1:1").code);
    expect_err("not ours", tunnel_start(&second, &same), ERR_IO, "tunnel_listen");
}

// -- the end -------------------------------------------------------------------------------------

static void *stop_slowly(void *context)
{
    tunnel_stop(&tunnel, WAIT_MS);
    return context;
}

static void is_refused(void)
{
    int fd = -1;

    for (int i = 0; i < WAIT_MS / 10; i++) {
        if (addr_dial(&fd, &bound, deadline_in(WAIT_MS)).code)
            return;
        fd_close(&fd);
        (void)poll(NULL, 0, 10);
    }
    fail_msg("the tunnel still takes clients");
}

static void answers_before_it_ends(void **state)
{
    AUTO(fd_close) int idle = -1;
    AUTO(fd_close) int idle_inner = -1;
    AUTO(fd_close) int client = -1;
    AUTO(fd_close) int inner = -1;
    AUTO(fd_close) int silent = -1;
    pthread_t stopper;

    (void)state;
    start();
    connect_both(&idle, &idle_inner);
    say(idle_inner, "answer");
    hear(idle, "answer");
    connect_both(&client, &inner);
    silent = client_new();
    assert_int_equal(pthread_create(&stopper, NULL, stop_slowly, NULL), 0);
    is_refused();
    hear_end(idle);
    hear_end(silent);
    say(inner, "late answer");
    hear(client, "late answer");
    hear_end(client);
    assert_int_equal(pthread_join(stopper, NULL), 0);
    assert_null(tunnel);
}

static void ends_in_time(void **state)
{
    AUTO(fd_close) int client = -1;
    AUTO(fd_close) int inner = -1;

    (void)state;
    start();
    connect_both(&client, &inner);
    tunnel_stop(&tunnel, 200); // nobody answers
    hear_end(client);
    hear_end(inner);
}

int main(void)
{
#define TUNNEL_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TUNNEL_TEST(tells_no_source),
        TUNNEL_TEST(both_ways),
        TUNNEL_TEST(half_close),
        TUNNEL_TEST(half_close_of_the_enclave),
        TUNNEL_TEST(a_lot_to_slow_readers),
        TUNNEL_TEST(a_lot_and_little),
        TUNNEL_TEST(silent_clients_do_not_reach_it),
        TUNNEL_TEST(idle_clients_are_closed),
        TUNNEL_TEST(floods),
        TUNNEL_TEST(refused_while_it_is_away),
        TUNNEL_TEST(not_started),
        TUNNEL_TEST(answers_before_it_ends),
        TUNNEL_TEST(ends_in_time),
    };

    (void)signal(SIGPIPE, SIG_IGN); // as cloisterd does
    return cmocka_run_group_tests(tests, NULL, NULL);
}
