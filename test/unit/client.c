// SPDX-License-Identifier: Apache-2.0
// net/client.h: answers that are read and refused, kept connections, URLs.
#include "net/client.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "play.h"

static void answers(void **state)
{
    static const struct {
        struct step step;
        const char *method;
        unsigned status;
        const char *body;
    } cases[] = {
        { { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false }, "POST", 200, "hello" },
        { { "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", true }, "GET", 404, "" },
        { { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
            false },
          "POST",
          200,
          "hello" },
        { { "HTTP/1.1 200 OK\r\n\r\nuntil the end", true }, "POST", 200, "until the end" },
        { { "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", true }, "POST", 200, "ok" },
        { { "HTTP/1.1 204 No Content\r\n\r\n", false }, "POST", 204, "" },
        { { "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false }, "GET", 304, "" },
        { { "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", false }, "HEAD", 200, "" },
        { { "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\n"
            "HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx",
            false },
          "POST",
          201,
          "x" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(client_done) struct client client;

        client_init(&client, &address, "host.example", NULL);
        play_start(&cases[i].step, 1, NULL);
        expect_ok(cases[i].step.answer, call(&client, cases[i].method, "body"));
        expect_answer(cases[i].step.answer, cases[i].status, cases[i].body);
        client_done(&client);
        play_stop();
        assert_int_equal(play.connections, 1);
    }
}

static void request_bytes(void **state)
{
    static const struct step step = { "HTTP/1.1 204 No\r\n\r\n", true };
    AUTO(client_done) struct client client;

    (void)state;
    client_init(&client, &address, "host.example", NULL);
    play_start(&step, 1, NULL);
    expect_ok("call", call(&client, "POST", "the body"));
    play_stop();
    assert_true(bytes_equal_str(bytes_of(play.last, play.last_len),
                                "POST /path?q HTTP/1.1\r\nHost: host.example\r\nX-Test: yes\r\n"
                                "Content-Length: 8\r\n\r\nthe body"));
}

#define INTERIM "HTTP/1.1 100 C\r\n\r\n"

static void refused(void **state)
{
    static const struct {
        struct step step;
        enum err_code code;
    } cases[] = {
        { { NULL, true }, ERR_CLOSED },
        { { "HTTP/1.1 200 OK\r\nContent-Le", true }, ERR_CLOSED },
        { { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", true }, ERR_CLOSED },
        { { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", true },
          ERR_CLOSED },
        { { "HTTP/1.1 100 Continue\r\n\r\n", true }, ERR_CLOSED },
        { { INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM INTERIM
            "HTTP/1.1 204 No\r\n\r\n",
            true },
          ERR_TOO_LARGE },
        { { "HTTP/1.1 101 Switch\r\n\r\n", false }, ERR_UNSUPPORTED },
        { { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", false },
          ERR_MALFORMED },
        { { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", false }, ERR_MALFORMED },
        { { "SSH-2.0-x\n", false }, ERR_MALFORMED },
        { { "HTTP/1.1 200 OK\r\nContent-Length: 217\r\n\r\n", false }, ERR_TOO_LARGE },
        { { "HTTP/1.1 200 OK\r\nContent-Length: 999999999999999999\r\n\r\n", false },
          ERR_TOO_LARGE },
        { { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", false },
          ERR_TOO_LARGE },
        { { "HTTP/1.1 200 OK\r\nA: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            false },
          ERR_TOO_LARGE },
        { { "HTTP/1.1 200 OK\r\nContent-Length: 216\r\n\r\n", true }, ERR_CLOSED },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(client_done) struct client client;

        client_init(&client, &address, "host.example", NULL);
        play_start(&cases[i].step, 1, NULL);
        expect_err(cases[i].step.answer, call(&client, "POST", "body"), cases[i].code, NULL);
        assert_null(client.wire);
        play_stop();
        assert_int_equal(play.connections, 1);
    }
}

static void silence(void **state)
{
    static const struct step step = { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", false };
    struct client_request request = { .method = "GET", .target = "/" };
    AUTO(client_done) struct client client;
    int64_t before = deadline_now_ms();

    (void)state;
    client_init(&client, &address, "host.example", NULL);
    play_start(&step, 1, NULL);
    expect_err("half an answer",
               client_call(&client, &request, buf, sizeof(buf), &response, deadline_in(100)),
               ERR_TIMEOUT, NULL);
    play_stop();
    assert_true(deadline_now_ms() - before < 20000);
    expect_err("nobody listens", call(&client, "GET", ""), ERR_UNREACHABLE, NULL);
    client_init(&client, &address, "host\r\nX: y", NULL);
    play_start(&step, 0, NULL);
    expect_err("host", call(&client, "GET", ""), ERR_MALFORMED, "forbidden");
    play_stop();
}

#define KEPT                                                   \
    {                                                          \
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", false \
    }
#define GONE                                                  \
    {                                                         \
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", true \
    }
#define MUTE       \
    {              \
        NULL, true \
    }
#define TORN      \
    {             \
        "H", true \
    }
#define EXTRA                                                    \
    {                                                            \
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc", false \
    }
#define TOLD                                                                       \
    {                                                                              \
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\na", true \
    }

static void kept_connections(void **state)
{
    static const struct {
        const char *name;
        struct step steps[3];
        size_t count, calls;
        enum err_code last; // of the last call; all before succeed
        unsigned connections;
    } cases[] = {
        { "three calls", { KEPT, KEPT, KEPT }, 3, 3, ERR_NONE, 1 },
        { "closed while idle", { GONE, KEPT }, 2, 2, ERR_NONE, 2 },
        { "closed as told", { TOLD, KEPT }, 2, 2, ERR_NONE, 2 },
        { "closed at the request", { KEPT, MUTE, KEPT }, 3, 2, ERR_NONE, 2 },
        { "bytes beyond the answer", { EXTRA }, 1, 1, ERR_NONE, 1 },
        { "replaced only once", { KEPT, MUTE, MUTE }, 3, 2, ERR_CLOSED, 2 },
        { "not after a byte", { KEPT, TORN }, 2, 2, ERR_CLOSED, 1 },
        { "not a new connection", { MUTE }, 1, 1, ERR_CLOSED, 1 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(client_done) struct client client;

        client_init(&client, &address, "host.example", NULL);
        play_start(cases[i].steps, cases[i].count, NULL);
        for (size_t k = 0; k + 1 < cases[i].calls; k++) {
            expect_ok(cases[i].name, call(&client, "POST", "x"));
            expect_answer(cases[i].name, 200, "a");
        }
        expect_err(cases[i].name, call(&client, "POST", "x"), cases[i].last, NULL);
        client_done(&client);
        play_stop();
        assert_int_equal(play.connections, cases[i].connections);
        assert_int_equal(play.next, cases[i].count);
    }
}

static struct err own_dial(void *context, int *fd, struct deadline until)
{
    ++*(unsigned *)context;
    return addr_dial(fd, &address, until);
}

static struct err no_dial(void *context, int *fd, struct deadline until)
{
    (void)context;
    (void)fd;
    (void)until;
    return FAIL(ERR_BUSY, "no");
}

static void dialled_by_the_caller(void **state)
{
    static const struct step steps[] = { GONE, KEPT };
    struct client client;
    unsigned dialled = 0;

    (void)state;
    client_init(&client, NULL, "host.example", NULL);
    client.dial = own_dial;
    client.dial_context = &dialled;
    play_start(steps, 2, NULL);
    expect_ok("first", call(&client, "POST", "x"));
    expect_ok("second", call(&client, "POST", "x"));
    client_done(&client);
    play_stop();
    assert_int_equal(dialled, 2);
    client.dial = no_dial;
    expect_err("refusal is passed on", call(&client, "POST", "x"), ERR_BUSY, "no");
}

static void urls(void **state)
{
    static const struct {
        const char *url, *addr, *host, *path;
        bool https;
    } cases[] = {
        { "http://127.0.0.1:8545", "tcp://127.0.0.1:8545", "127.0.0.1", "/", false },
        { "https://node.example", "tcp://node.example:443", "node.example", "/", true },
        { "http://a/", "tcp://a:80", "a", "/", false },
        { "https://a:1/v3/key?x=1:2/", "tcp://a:1", "a", "/v3/key?x=1:2/", true },
        { "http://[::1]:80/x", "tcp://[::1]:80", "[::1]", "/x", false },
        { "http://[::1]", "tcp://[::1]:80", "[::1]", "/", false },
    };
    static const char *const bad[] = {
        "",
        "http",
        "ftp://a",
        "HTTP://a",
        "http:/a",
        "http://",
        "http:///",
        "http://:80",
        "http://a:0",
        "http://a:b",
        "http://a:",
        "http://u@a",
        "http://a b",
        "http://a/b c",
        "http://a/#x",
        "http://a?x",
        "http://a/\x01",
        "http://a/\xc3\xa9",
        "http://a:65536",
        "http://[::1",
        "http://u:p@a/",
    };
    char host[256], path[256], text[300];
    struct addr addr;
    bool https;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        expect_ok(cases[i].url, client_parse_url(cases[i].url, &addr, &https, host, path));
        addr_format(text, sizeof(text), &addr);
        assert_string_equal(text, cases[i].addr);
        assert_string_equal(host, cases[i].host);
        assert_string_equal(path, cases[i].path);
        assert_int_equal(https, cases[i].https);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        expect_err(bad[i], client_parse_url(bad[i], &addr, &https, host, path), ERR_MALFORMED,
                   NULL);
    memset(text, 'a', sizeof(text));
    memcpy(text, "http://a/", 9);
    text[8 + 256] = 0;
    expect_err("path of 256", client_parse_url(text, &addr, &https, host, path), ERR_TOO_LARGE,
               "255");
    text[8 + 255] = 0;
    expect_ok("path of 255", client_parse_url(text, &addr, &https, host, path));
}

static int set_up(void **state)
{
    (void)state;
    return play_set_up();
}

static int tear_down(void **state)
{
    (void)state;
    return play_tear_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(request_bytes),
        cmocka_unit_test(refused),
        cmocka_unit_test(silence),
        cmocka_unit_test(kept_connections),
        cmocka_unit_test(dialled_by_the_caller),
        cmocka_unit_test(urls),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
