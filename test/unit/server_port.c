// SPDX-License-Identifier: Apache-2.0
// httpd/server_port.h and server_conn.h on a loop, without workers: statuses, forms of errors,
// request ids, pipelining, slow and idle peers, and the end of serving.
#include "httpd/server_port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/fd.h"
#include "expect.h"
#include "net/addr.h"

#define WAIT_MS     30000
#define PIPELINED   200
#define REQUEST_MAX 20000

static struct scene {
    struct loop *loop;
    struct server_port *port;
    struct loop_timer *timer;
    uint32_t tcp_port;
    int listen_fd;
    pthread_t thread;
    struct server_conn *held;
    atomic_uint dispatched, gone;
    atomic_bool releases, drains;
} scene;

static void answer(struct server_conn *conn)
{
    const struct server_request *request = server_conn_request(conn);
    struct server_response response = { .status = 200, .content_type = "text/plain" };
    uint8_t body[2048];

    response.body = WR_OF(body);
    wr_bytes(&response.body, request->head->target);
    wr_str(&response.body, " ");
    wr_bytes(&response.body, bytes_take(request->body, 64));
    wr_str(&response.body, ".");
    server_conn_answer(conn, &response);
}

static void dispatch(void *context, struct server_conn *conn)
{
    struct bytes target = server_conn_request(conn)->head->target;

    assert_ptr_equal(context, &scene);
    assert_null(server_conn_peer(conn));
    assert_int_equal(server_conn_source(conn).n, 0);
    atomic_fetch_add(&scene.dispatched, 1);
    if (bytes_equal_str(target, "/error"))
        server_conn_answer_error(conn, 403, FAIL(ERR_DENIED, "not for you"));
    else if (bytes_equal_str(target, "/busy"))
        server_conn_answer_error(conn, 503, FAIL(ERR_BUSY, "later"));
    else if (bytes_equal_str(target, "/trusted"))
        server_conn_set_trusted(conn);
    if (bytes_equal_str(target, "/hold"))
        scene.held = conn;
    else if (!bytes_equal_str(target, "/error") && !bytes_equal_str(target, "/busy"))
        answer(conn);
}

static void gone(void *context, struct server_conn *conn)
{
    assert_ptr_equal(context, &scene);
    scene.held = scene.held == conn ? NULL : scene.held;
    atomic_fetch_add(&scene.gone, 1);
}

static void tick(void *context)
{
    struct server_conn *held = scene.held;

    (void)context;
    if (held && atomic_exchange(&scene.releases, false)) {
        scene.held = NULL;
        answer(held);
    }
    if (atomic_exchange(&scene.drains, false))
        server_port_drain(scene.port);
    loop_timer_set(scene.timer, deadline_in(10));
}

static void *run(void *context)
{
    loop_run(scene.loop);
    return context;
}

static void start(int64_t request_ms, int64_t idle_ms, unsigned places)
{
    struct addr at = { .kind = ADDR_TCP, .host = "127.0.0.1" }, bound;
    struct server_port_options options = { .connections_max = places,
                                           .request_max = REQUEST_MAX,
                                           .request_ms = request_ms,
                                           .idle_ms = idle_ms,
                                           .dispatch = dispatch,
                                           .gone = gone,
                                           .context = &scene };

    scene = (struct scene) { .loop = NULL };
    expect_ok("listen", addr_listen(&scene.listen_fd, &at, &bound));
    scene.tcp_port = bound.port;
    expect_ok("loop", loop_new(&scene.loop));
    expect_ok("timer", loop_timer(scene.loop, &scene.timer, deadline_in(10), tick, NULL));
    options.loop = scene.loop;
    expect_ok("port", server_port_new(&scene.port, scene.listen_fd, &options));
    assert_int_equal(pthread_create(&scene.thread, NULL, run, NULL), 0);
}

static int set_up(void **state)
{
    (void)state;
    start(0, 0, 16);
    return 0;
}

static int set_up_impatient(void **state)
{
    (void)state;
    start(300, 300, 16);
    return 0;
}

static int set_up_small(void **state)
{
    (void)state;
    start(0, 0, 3);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    loop_stop(scene.loop);
    assert_int_equal(pthread_join(scene.thread, NULL), 0);
    server_port_free(&scene.port);
    loop_timer_free(&scene.timer);
    loop_free(&scene.loop);
    fd_close(&scene.listen_fd);
    return 0;
}

static int dial(void)
{
    struct addr to = { .kind = ADDR_TCP, .host = "127.0.0.1", .port = scene.tcp_port };
    int fd;

    expect_ok("dial", addr_dial(&fd, &to, deadline_in(WAIT_MS)));
    return fd;
}

static void put(int fd, const char *text)
{
    expect_ok("put", fd_write_all(fd, bytes_str(text), deadline_in(WAIT_MS)));
}

static char text[1 << 20];

// All that comes until the server closes, or until `wanted` has come.
static const char *get(int fd, const char *wanted)
{
    size_t n = 0;
    ssize_t got = 1;

    text[0] = 0;
    while (got > 0 && n < sizeof(text) - 1 && !(wanted && strstr(text, wanted))) {
        expect_ok("get", fd_wait(fd, POLLIN, deadline_in(WAIT_MS)));
        got = recv(fd, text + n, sizeof(text) - 1 - n, 0);
        n += got > 0 ? (size_t)got : 0;
        text[n] = 0;
    }
    assert_true(got >= 0); // an end, and no reset
    return text;
}

// A request to a connection of its own, which the server closes.
static const char *ask(const char *request)
{
    int fd = dial();

    put(fd, request);
    (void)get(fd, NULL);
    (void)close(fd);
    return text;
}

static void test_refusals(void **state)
{
    static char long_field[HTTP_HEAD_MAX + 100], long_target[2000], many_fields[2000];
    const struct {
        const char *name, *request, *status;
    } cases[] = {
        { "syntax", "GET\r\n\r\n", "400 Bad Request" },
        { "no Host", "GET / HTTP/1.1\r\n\r\n", "400 Bad Request" },
        { "two framings",
          "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
          "400 Bad Request" },
        { "chunk", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
          "400 Bad Request" },
        { "length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 20001\r\n\r\n",
          "413 Content Too Large" },
        { "chunks", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4e21\r\n",
          "413 Content Too Large" },
        { "target", long_target, "414 URI Too Long" },
        { "expectation", "GET / HTTP/1.1\r\nHost: a\r\nExpect: the best\r\n\r\n",
          "417 Expectation Failed" },
        { "head", long_field, "431 Request Header Fields Too Large" },
        { "fields", many_fields, "431 Request Header Fields Too Large" },
        { "coding", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
          "501 Not Implemented" },
        { "version", "GET / HTTP/2.0\r\nHost: a\r\n\r\n", "505 HTTP Version Not Supported" },
        { "HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "400 Bad Request" },
    };

    (void)state;
    (void)snprintf(long_field, sizeof(long_field), "GET / HTTP/1.1\r\nHost: a\r\nX: %0*d",
                   HTTP_HEAD_MAX, 0);
    (void)snprintf(long_target, sizeof(long_target), "GET /%01500d HTTP/1.1\r\nHost: a\r\n\r\n", 0);
    for (int i = -1; i <= HTTP_FIELDS_MAX; i++) {
        size_t at = strlen(many_fields);
        const char *line = i < HTTP_FIELDS_MAX ? "X: y\r\n" : "\r\n";

        (void)snprintf(many_fields + at, sizeof(many_fields) - at, "%s",
                       i < 0 ? "GET / HTTP/1.1\r\nHost: a\r\n" : line);
    }
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char line[100];

        (void)snprintf(line, sizeof(line), "HTTP/1.1 %s\r\n", cases[i].status);
        (void)ask(cases[i].request);
        if (strncmp(text, line, strlen(line)) != 0 || !strstr(text, "Connection: close\r\n") ||
            strstr(text, "Keep-Alive") || !strstr(text, "{\"error\":{\"code\":"))
            fail_msg("%s: %s", cases[i].name, text);
    }
    assert_int_equal(atomic_load(&scene.dispatched), 0);
}

static void test_forms_of_errors(void **state)
{
    static const struct {
        const char *accept;
        bool is_json;
    } cases[] = {
        { "", true },
        { "Accept: */*\r\n", true },
        { "Accept: application/json\r\n", true },
        { "Accept: text/plain\r\n", false },
        { "Accept: text/html\r\n", false },
        { "Accept: text/plain, application/json;q=0.5\r\n", false },
    };
    char request[256];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)snprintf(request, sizeof(request),
                       "GET /error HTTP/1.1\r\nHost: a\r\n%sConnection: close\r\n\r\n",
                       cases[i].accept);
        (void)ask(request);
        assert_non_null(strstr(text, "HTTP/1.1 403 Forbidden\r\n"));
        if (!strstr(text, cases[i].is_json ? "\r\n\r\n{\"error\":{\"code\":\"denied\","
                                           : "\r\n\r\nnot for you\n"))
            fail_msg("%s: %s", cases[i].accept, text);
    }
    (void)ask("GET /busy HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_non_null(strstr(text, "Retry-After: 1\r\n"));
}

// A request that was refused for now does not cost the connection.
static void test_busy_keeps_the_connection(void **state)
{
    int fd = dial();

    (void)state;
    put(fd, "GET /busy HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_non_null(strstr(get(fd, "later"), "Keep-Alive: timeout=75\r\n"));
    put(fd, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    (void)get(fd, "/1 .");
    (void)close(fd);
}

static void test_request_ids(void **state)
{
    static const struct {
        const char *given;
        bool is_kept;
    } cases[] = {
        { "abc-123", true },
        { "0123456789012345678901234567890123456789012345678901234567890123", true },
        { "01234567890123456789012345678901234567890123456789012345678901234", false },
        { "", false },
        { "a b", false },
        { "a\"b", false },
        { "<b>", false },
        { "$(x)", false },
        { "caf\xc3\xa9", false },
    };
    char request[256], field[128];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        (void)snprintf(field, sizeof(field), "X-Request-Id: %s\r\n", cases[i].given);
        (void)snprintf(request, sizeof(request),
                       "GET / HTTP/1.1\r\nHost: a\r\n%sConnection: close\r\n\r\n", field);
        (void)ask(request);
        if (!strstr(text, "\r\nX-Request-Id: ") ||
            (strstr(text, field) != NULL) != cases[i].is_kept)
            fail_msg("%s: %s", cases[i].given, text);
    }
}

static void test_head_and_old(void **state)
{
    (void)state;
    (void)ask("HEAD /x HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    assert_non_null(strstr(text, "Content-Length: 4\r\n"));
    assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n");
    (void)ask("GET /old HTTP/1.0\r\n\r\n");
    assert_non_null(strstr(text, "Connection: close\r\n"));
    assert_string_equal(strstr(text, "\r\n\r\n"), "\r\n\r\n/old .");
    (void)ask("GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    assert_non_null(strstr(text, "Connection: close\r\n"));
}

static void name_of(char out[static 16], int number)
{
    if (number == 40)
        (void)snprintf(out, 16, "/hold");
    else
        (void)snprintf(out, 16, "/p%d", number);
}

// Many requests in one segment, one of which is answered late: the answers keep their order.
static void test_pipelining(void **state)
{
    static char requests[(PIPELINED + 1) * 64];
    char name[16], wanted[32];
    const char *at = text;
    int fd = dial();

    (void)state;
    requests[0] = 0;
    for (int i = 0; i < PIPELINED; i++) {
        name_of(name, i);
        (void)snprintf(requests + strlen(requests), 64, "GET %s HTTP/1.1\r\nHost: a\r\n\r\n", name);
    }
    put(fd, requests);
    (void)get(fd, "/p39 .");
    assert_int_equal(fd_wait(fd, POLLIN, deadline_in(50)).code, ERR_TIMEOUT);
    atomic_store(&scene.releases, true);
    put(fd, "POST /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 4\r\n\r\nbody");
    (void)get(fd, NULL);
    for (int i = 40; i < PIPELINED; i++) {
        name_of(name, i);
        (void)snprintf(wanted, sizeof(wanted), "\r\n\r\n%s .", name);
        at = strstr(at, wanted);
        if (!at)
            fail_msg("no %s", name);
    }
    assert_non_null(strstr(at, "\r\n\r\n/last body."));
    assert_int_equal(atomic_load(&scene.dispatched), PIPELINED + 1);
    (void)close(fd);
}

static void test_slow_peers(void **state)
{
    static const char request[] = "POST /slow HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\n";
    int slow = dial(), silent = dial(), kept = dial();

    (void)state;
    put(kept, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    (void)get(kept, "/1 .");
    put(kept, "GET /2 HTTP/1.1\r\n"); // in time at first, and then slow
    for (size_t i = 0; i < sizeof(request) - 1 && fd_wait(slow, POLLIN, deadline_in(20)).code; i++)
        (void)send(slow, request + i, 1, MSG_NOSIGNAL);
    assert_non_null(strstr(get(slow, NULL), "HTTP/1.1 408 Request Timeout\r\n"));
    assert_non_null(strstr(text, "Connection: close\r\n"));
    assert_non_null(strstr(get(kept, NULL), "HTTP/1.1 408 Request Timeout\r\n"));
    assert_string_equal(get(silent, NULL), "");
    (void)close(slow);
    (void)close(silent);
    (void)close(kept);
    assert_int_equal(atomic_load(&scene.dispatched), 1);
}

// An idle connection ends with an end: nothing that is under way meets a reset.
static void test_idle_peers(void **state)
{
    int fd = dial();

    (void)state;
    put(fd, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    (void)get(fd, "/1 .");
    for (int i = 0; i < 6; i++) { // each within its time, together beyond
        (void)poll(NULL, 0, 100);
        put(fd, "GET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
        (void)get(fd, "/2 .");
    }
    assert_string_equal(get(fd, NULL), "");
    put(fd, "GET /late HTTP/1.1\r\nHost: a\r\n\r\n"); // it is still listened to, and not read
    assert_string_equal(get(fd, NULL), "");
    (void)close(fd);
    assert_int_equal(atomic_load(&scene.dispatched), 7);
}

static void test_drain(void **state)
{
    int idle = dial(), busy = dial();

    (void)state;
    put(idle, "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
    (void)get(idle, "/1 .");
    put(busy, "GET /hold HTTP/1.1\r\nHost: a\r\n\r\nGET /never HTTP/1.1\r\nHost: a\r\n\r\n");
    for (int i = 0; i < WAIT_MS && atomic_load(&scene.dispatched) < 2; i++)
        (void)poll(NULL, 0, 1);
    atomic_store(&scene.drains, true);
    assert_string_equal(get(idle, NULL), "");
    atomic_store(&scene.releases, true);
    assert_non_null(strstr(get(busy, NULL), "Connection: close\r\n"));
    assert_non_null(strstr(text, "/hold ."));
    assert_null(strstr(text, "/never"));
    (void)close(idle);
    (void)close(busy);
}

// The peer goes while its request is held: `gone` says so, and nothing is answered.
static void test_gone_while_held(void **state)
{
    int fd[4];

    (void)state;
    fd[0] = dial();
    put(fd[0], "GET /hold HTTP/1.1\r\nHost: a\r\n\r\n");
    for (int i = 0; i < WAIT_MS && atomic_load(&scene.dispatched) < 1; i++)
        (void)poll(NULL, 0, 1);
    (void)close(fd[0]);
    (void)poll(NULL, 0, 50);
    assert_int_equal(atomic_load(&scene.gone), 0); // it is not looked at meanwhile
    atomic_store(&scene.releases, true);
    for (int i = 0; i < WAIT_MS && atomic_load(&scene.gone) < 1; i++)
        (void)poll(NULL, 0, 1);
    assert_int_equal(atomic_load(&scene.gone), 1);
}

// Three places: one of a peer that is trusted, which stays whatever comes.
static void test_trusted_stays(void **state)
{
    int trusted = dial(), other[9];

    (void)state;
    put(trusted, "GET /trusted HTTP/1.1\r\nHost: a\r\n\r\n");
    (void)get(trusted, "/trusted .");
    for (int i = 0; i < 9; i++) {
        other[i] = dial();
        put(other[i], "GET /1 HTTP/1.1\r\nHost: a\r\n\r\n");
        (void)get(other[i], "/1 .");
    }
    put(trusted, "GET /again HTTP/1.1\r\nHost: a\r\n\r\n");
    (void)get(trusted, "/again .");
    assert_true(atomic_load(&scene.gone) >= 7);
    (void)close(trusted);
    for (int i = 0; i < 9; i++)
        (void)close(other[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refusals, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_forms_of_errors, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_busy_keeps_the_connection, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_request_ids, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_head_and_old, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pipelining, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_slow_peers, set_up_impatient, tear_down),
        cmocka_unit_test_setup_teardown(test_idle_peers, set_up_impatient, tear_down),
        cmocka_unit_test_setup_teardown(test_drain, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gone_while_held, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_trusted_stays, set_up_small, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
