// SPDX-License-Identifier: Apache-2.0
// httpd/server.h over loopback TCP: answers, keep-alive, pipelining, chunked bodies, and every way
// to be refused: bad syntax, sizes, a full queue, too many connections.
#include "httpd/server.h"

#include "base/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define WAIT_MS 30000 // for what must happen, however busy the machine is

static struct server *server;
static uint16_t port;
static atomic_bool hold; // handlers of /hold wait for it to become false
static atomic_uint entered;

static void handle(const struct server_request *request, struct server_response *response)
{
    struct bytes target = request->head->target;

    if (bytes_equal_str(target, "/none"))
        return;
    atomic_fetch_add(&entered, 1);
    while (bytes_equal_str(target, "/hold") && atomic_load(&hold))
        (void)poll(NULL, 0, 2);
    response->status = 200;
    response->content_type = "text/plain";
    if (bytes_equal_str(target, "/field"))
        response->field[response->fields++] =
            (struct http_field) { BYTES_LIT("X-Extra"), BYTES_LIT("yes") };
    if (bytes_equal_str(target, "/huge"))
        wr_refuse(&response->body);
    wr_bytes(&response->body, request->head->method);
    wr_str(&response->body, " ");
    wr_bytes(&response->body, target);
    wr_str(&response->body, " ");
    wr_bytes(&response->body, request->body);
}

static bool goes_first(const struct http_head *head)
{
    return bytes_equal_str(head->target, "/health");
}

static int start(unsigned connections_max)
{
    struct sockaddr_in at = { .sin_family = AF_INET };
    socklen_t size = sizeof(at);
    struct server_options options = { .workers = 2, .queue_max = 1 };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    options.connections_max = connections_max;
    atomic_store(&hold, false);
    atomic_store(&entered, 0);
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    options.request_max = options.response_max = 65536;
    options.handle = handle;
    options.goes_first = goes_first;
    if (bind(fd, (struct sockaddr *)&at, size) != 0 || listen(fd, 16) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &size) != 0)
        return -1;
    port = ntohs(at.sin_port);
    return server_start(&server, fd, &options).code ? -1 : 0;
}

static int set_up(void **state)
{
    (void)state;
    return start(6);
}

static int tear_down(void **state)
{
    (void)state;
    atomic_store(&hold, false);
    server_stop(&server);
    return 0;
}

static int dial(void)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(port) };
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof(to)), 0);
    return fd;
}

static void put(int fd, const char *text)
{
    assert_int_equal(fd_write_all(fd, bytes_str(text), deadline_in(WAIT_MS)).code, 0);
}

// Reads until `wanted` occurs (or the end of the stream when NULL); true when it did.
static bool saw(int fd, const char *wanted)
{
    static char text[200000];
    size_t n = 0;

    while (n < sizeof(text) - 1) {
        ssize_t got;

        if (fd_wait(fd, POLLIN, deadline_in(WAIT_MS)).code)
            return false;
        got = read(fd, text + n, 1); // one by one, so that a second answer stays in the socket
        if (got <= 0)
            return !wanted;
        text[++n] = 0;
        if (wanted && strstr(text, wanted))
            return true;
    }
    return false;
}

static void test_answers(void **state)
{
    static const struct {
        const char *name, *request, *answer;
    } cases[] = {
        { "get", "GET /a HTTP/1.1\r\nHost: x\r\n\r\n", "\r\n\r\nGET /a " },
        { "post", "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
          "POST /b hello" },
        { "chunked",
          "POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n"
          "0\r\n\r\n",
          "POST /c hello" },
        { "date", "GET /a HTTP/1.1\r\nHost: x\r\n\r\n", "\r\nDate: " },
        { "date of a refusal", "GET\r\n\r\n", "\r\nDate: " },
        { "date without a body", "GET /none HTTP/1.1\r\nHost: x\r\n\r\n", "\r\nDate: " },
        { "empty", "GET /none HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 204" },
        { "field", "GET /field HTTP/1.1\r\nHost: x\r\n\r\n", "X-Extra: yes\r\n" },
        { "overflow", "GET /huge HTTP/1.1\r\nHost: x\r\n\r\n", "HTTP/1.1 500" },
        { "old", "GET /old HTTP/1.0\r\nHost: x\r\n\r\n", "Connection: close\r\n" },
        { "syntax", "GET\r\n\r\n", "HTTP/1.1 400" },
        { "smuggle",
          "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0",
          "HTTP/1.1 400" },
        { "large", "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 65537\r\n\r\n", "HTTP/1.1 413" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        int fd = dial();

        put(fd, cases[i].request);
        if (!saw(fd, cases[i].answer))
            fail_msg("case %s", cases[i].name);
        (void)close(fd);
    }
}

static void test_keeps_alive_and_pipelines(void **state)
{
    int fd = dial();

    (void)state;
    put(fd, "GET /1 HTTP/1.1\r\nHost: x\r\n\r\nGET /2 HTTP/1.1\r\nHost: x\r\n\r\nGET /3 HT");
    assert_true(saw(fd, "GET /1 "));
    assert_true(saw(fd, "GET /2 "));
    put(fd, "TP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert_true(saw(fd, "GET /3 "));
    assert_true(saw(fd, NULL));
    (void)close(fd);
}

static void test_body_in_pieces(void **state)
{
    static char body[60001];
    int fd = dial();

    (void)state;
    put(fd, "POST /p HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 60000\r\n\r\n");
    assert_true(saw(fd, "100 Continue\r\n\r\n"));
    memset(body, 'b', 59999);
    body[59999] = 'e';
    put(fd, body);
    assert_true(saw(fd, "bbbe"));
    (void)close(fd);
}

// Each piece is looked at when it comes; what follows the body is the next request.
static void test_chunks_in_pieces(void **state)
{
    static const char text[] = "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                               "2\r\nhe\r\n3\r\nllo\r\n0\r\nX: y\r\n\r\nGET /q HTTP/1.1\r\n";
    int fd = dial();

    (void)state;
    put(fd, "GET /before HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(saw(fd, "GET /before "));
    for (const char *at = text; *at; at++) {
        put(fd, (char[]) { *at, 0 });
        (void)poll(NULL, 0, 1);
    }
    assert_true(saw(fd, "POST /p hello"));
    put(fd,
        "Host: x\r\n\r\nPOST /r HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n");
    assert_true(saw(fd, "GET /q "));
    put(fd, "a\r\n0\r\n\r\n");
    assert_true(saw(fd, "POST /r a"));
    put(fd, "POST /p HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n");
    (void)poll(NULL, 0, 20);
    put(fd, "abc");
    assert_true(saw(fd, "HTTP/1.1 400"));
    (void)close(fd);
}

static void test_long_target_is_refused(void **state)
{
    static char request[2000];
    int fd = dial();

    (void)state;
    memset(request, 'a', 1500);
    memcpy(request, "GET /", 5);
    memcpy(request + 1500, " HTTP/1.1\r\nHost: x\r\n\r\n", 23);
    put(fd, request);
    assert_true(saw(fd, "HTTP/1.1 414"));
    assert_true(saw(fd, NULL));
    (void)close(fd);
}

static void wait_for_handlers(unsigned n)
{
    for (int i = 0; i < WAIT_MS / 2 && atomic_load(&entered) < n; i++)
        (void)poll(NULL, 0, 2);
    assert_int_equal(atomic_load(&entered), n);
}

// The server's end of a connection, which is in this process, too; -1 before it is accepted.
static int other_end(int fd)
{
    struct sockaddr_in mine = { 0 }, theirs = { 0 };
    socklen_t size = sizeof(mine);

    assert_int_equal(getsockname(fd, (struct sockaddr *)&mine, &size), 0);
    for (int i = 0; i < 256; i++) {
        size = sizeof(theirs);
        if (getpeername(i, (struct sockaddr *)&theirs, &size) == 0 &&
            theirs.sin_port == mine.sin_port)
            return i;
    }
    return -1;
}

// Until the loop took the request that was put: what it does with other connections is later then.
static void wait_until_taken(int fd)
{
    int unread = 1;

    for (int i = 0; i < WAIT_MS / 2 && unread != 0; i++) {
        int end = other_end(fd);

        if (end < 0 || ioctl(end, FIONREAD, &unread) != 0)
            unread = 1;
        (void)poll(NULL, 0, 2);
    }
    assert_int_equal(unread, 0);
}

static void test_full_queue_is_busy(void **state)
{
    int fd[4];

    (void)state;
    atomic_store(&hold, true);
    for (int i = 0; i < 3; i++) {
        fd[i] = dial();
        put(fd[i], "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
        if (i < 2)
            wait_for_handlers((unsigned)i + 1);
        wait_until_taken(fd[i]);
    }
    fd[3] = dial();
    put(fd[3], "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(saw(fd[3], "HTTP/1.1 503"));
    put(fd[3], "GET /health HTTP/1.1\r\nHost: x\r\n\r\n"); // there is room for that
    wait_until_taken(fd[3]);
    atomic_store(&hold, false);
    assert_true(saw(fd[3], "GET /health "));
    for (int i = 0; i < 3; i++)
        assert_true(saw(fd[i], "GET /hold "));
    for (int i = 0; i < 4; i++)
        (void)close(fd[i]);
}

static void test_connections_are_bounded(void **state)
{
    int fd[7];

    (void)state;
    fd[0] = dial();
    put(fd[0], "GET /early HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(saw(fd[0], "GET /early "));
    for (int i = 1; i < 7; i++) {
        (void)poll(NULL, 0, 5);
        fd[i] = dial();
    }
    put(fd[6], "GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(saw(fd[6], "GET /late "));
    // The oldest newcomer went; the one that had worked is older and stays.
    assert_true(saw(fd[1], NULL));
    put(fd[0], "GET /again HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(saw(fd[0], "GET /again "));
    for (int i = 0; i < 7; i++)
        (void)close(fd[i]);
}

// All places are taken by requests that are being answered: a newcomer waits, nobody is cut off.
static void test_working_connections_stay(void **state)
{
    static const char request[] = "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n";
    int fd[4];

    (void)state;
    server_stop(&server);
    assert_int_equal(start(3), 0);
    atomic_store(&hold, true);
    for (int i = 0; i < 3; i++) {
        fd[i] = dial();
        put(fd[i], request);
        if (i < 2)
            wait_for_handlers((unsigned)i + 1);
    }
    wait_until_taken(fd[2]); // it stands in the queue
    fd[3] = dial();
    assert_int_equal(fd_wait(fd[0], POLLIN, deadline_in(50)).code, ERR_TIMEOUT);
    atomic_store(&hold, false);
    for (int i = 0; i < 3; i++)
        assert_true(saw(fd[i], "GET /hold "));
    put(fd[3], "GET /late HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_true(saw(fd[3], "GET /late "));
    for (int i = 0; i < 4; i++)
        (void)close(fd[i]);
}

static void *release_later(void *context)
{
    (void)poll(NULL, 0, 50);
    atomic_store(&hold, false);
    return context;
}

static void test_stop_lets_handlers_finish(void **state)
{
    pthread_t thread;
    int fd = dial();

    (void)state;
    atomic_store(&hold, true);
    put(fd, "GET /hold HTTP/1.1\r\nHost: x\r\n\r\n");
    wait_for_handlers(1);
    assert_int_equal(pthread_create(&thread, NULL, release_later, NULL), 0);
    server_stop(&server);
    assert_null(server);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(saw(fd, "GET /hold "));
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_keeps_alive_and_pipelines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_body_in_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_chunks_in_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_long_target_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_full_queue_is_busy, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_connections_are_bounded, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_working_connections_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_stop_lets_handlers_finish, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
