// SPDX-License-Identifier: Apache-2.0
// net/http.h: heads that are read, heads that are refused, chunked bodies and the writers.
#include "net/http.h"

#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"

#define H "Host: a\r\n"

static struct http_head head;
static size_t head_len;

static void request_read(void **state)
{
    struct bytes in =
        BYTES_LIT("POST /a/b?c=%20d HTTP/1.1\r\nhOST:  ex.org:80 \t\r\n"
                  "Content-Length: 3\r\nX-Empty:\r\nx-y: 1,\t2 \xc3\xa9\r\n\r\nabcrest");

    (void)state;
    expect_ok("request", http_parse_request(&head, &head_len, in));
    assert_int_equal(head_len, in.n - 7);
    assert_true(bytes_equal_str(head.method, "POST"));
    assert_true(bytes_equal_str(head.target, "/a/b?c=%20d"));
    assert_int_equal(head.minor, 1);
    assert_int_equal(head.fields, 4);
    assert_true(bytes_equal_str(http_field_get(&head, "Host"), "ex.org:80"));
    assert_true(bytes_equal_str(http_field_get(&head, "X-Y"), "1,\t2 \xc3\xa9"));
    assert_true(http_field_get(&head, "x-empty").p != NULL);
    assert_int_equal(http_field_get(&head, "x-empty").n, 0);
    assert_null(http_field_get(&head, "x-emp").p);
    assert_true(head.has_length && !head.chunked && head.keep_alive && !head.is_response);
    assert_int_equal(head.content_length, 3);
    for (size_t n = 0; n < in.n - 7; n++) {
        expect_ok("cut", http_parse_request(&head, &head_len, bytes_take(in, n)));
        assert_int_equal(head_len, 0);
    }
}

static void connection_options(void **state)
{
    static const struct {
        const char *in;
        bool keep;
    } cases[] = {
        { "GET / HTTP/1.1\r\n" H "\r\n", true },
        { "GET / HTTP/1.1\r\n" H "Connection: close\r\n\r\n", false },
        { "GET / HTTP/1.1\r\n" H "Connection: x, CLOSE\r\n\r\n", false },
        { "GET / HTTP/1.1\r\n" H "Connection: x\r\nConnection: close\r\n\r\n", false },
        { "GET / HTTP/1.1\r\n" H "Connection: closed\r\n\r\n", true },
        { "GET / HTTP/1.0\r\n\r\n", false },
        { "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true },
        { "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        expect_ok(cases[i].in, http_parse_request(&head, &head_len, bytes_str(cases[i].in)));
        assert_int_equal(head.keep_alive, cases[i].keep);
        assert_int_equal(head_len, strlen(cases[i].in));
    }
    expect_ok("expect",
              http_parse_request(&head, &head_len,
                                 BYTES_LIT("PUT / HTTP/1.1\r\n" H "Expect: 100-Continue\r\n"
                                           "Transfer-Encoding: Chunked\r\n\r\n")));
    assert_true(head.expect_continue && head.chunked && !head.has_length);
}

static void request_refused(void **state)
{
    static const struct {
        const char *in;
        enum err_code code;
        const char *what;
    } cases[] = {
        { "\r\n", ERR_MALFORMED, "method" },
        { "\r\nGET / HTTP/1.1\r\n" H "\r\n", ERR_MALFORMED, "method" },
        { "\n", ERR_MALFORMED, "bare LF" },
        { "GET / HTTP/1.1\n", ERR_MALFORMED, "bare LF" },
        { "GET / HTTP/1.1\r\n" H "\n", ERR_MALFORMED, "bare LF" },
        { "GET / HTTP/1.1\r\n" H "A: b\n\r\n", ERR_MALFORMED, "bare LF" },
        { "GET / HTTP/1.1\r\n" H "A: b\rc\r\n\r\n", ERR_MALFORMED, "control" },
        { "GET / HTTP/1.1\r\n" H "A: b\r\r\n\r\n", ERR_MALFORMED, "control" },
        { "GET\r\n\r\n", ERR_MALFORMED, "target" },
        { "GET /\r\n\r\n", ERR_MALFORMED, "HTTP/1.1" },
        { "GET  / HTTP/1.1\r\n" H "\r\n", ERR_MALFORMED, "target" },
        { "GET /  HTTP/1.1\r\n" H "\r\n", ERR_MALFORMED, "HTTP/1.1" },
        { "GET / HTTP/1.1 \r\n" H "\r\n", ERR_MALFORMED, "HTTP/1.1" },
        { "GET / http/1.1\r\n" H "\r\n", ERR_MALFORMED, "HTTP/1.1" },
        { "GET / HTTP/1.2\r\n" H "\r\n", ERR_UNSUPPORTED, "HTTP/1.1" },
        { "GET / HTTP/2.0\r\n" H "\r\n", ERR_UNSUPPORTED, "HTTP/1.1" },
        { "GET / HTTP/0.9\r\n" H "\r\n", ERR_UNSUPPORTED, "HTTP/1.1" },
        { " GET / HTTP/1.1\r\n" H "\r\n", ERR_MALFORMED, "method" },
        { "G@T / HTTP/1.1\r\n" H "\r\n", ERR_MALFORMED, "method" },
        { "ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFGH / HTTP/1.1\r\n" H "\r\n", ERR_MALFORMED, "method" },
        { "OPTIONS * HTTP/1.1\r\n" H "\r\n", ERR_MALFORMED, "target" },
        { "GET http://a/ HTTP/1.1\r\n" H "\r\n", ERR_MALFORMED, "target" },
        { "GET /a#b HTTP/1.1\r\n" H "\r\n", ERR_MALFORMED, "target" },
        { "GET /\x7f HTTP/1.1\r\n" H "\r\n", ERR_MALFORMED, "target" },
        { "GET /\xc3\xa9 HTTP/1.1\r\n" H "\r\n", ERR_MALFORMED, "target" },
        { "GET / HTTP/1.1\r\n\r\n", ERR_MALFORMED, "Host is missing" },
        { "GET / HTTP/1.1\r\n" H H "\r\n", ERR_MALFORMED, "two Host" },
        { "GET / HTTP/1.1\r\nHost:\r\n\r\n", ERR_MALFORMED, "no host" },
        { "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", ERR_MALFORMED, "no host" },
        { "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", ERR_MALFORMED, "no host" },
        { "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", ERR_MALFORMED, "no host" },
        { "GET / HTTP/1.1\r\n" H "A\r\n\r\n", ERR_MALFORMED, "colon" },
        { "GET / HTTP/1.1\r\n" H ": b\r\n\r\n", ERR_MALFORMED, "name" },
        { "GET / HTTP/1.1\r\n" H "A : b\r\n\r\n", ERR_MALFORMED, "name" },
        { "GET / HTTP/1.1\r\n" H "A\t: b\r\n\r\n", ERR_MALFORMED, "name" },
        { "GET / HTTP/1.1\r\n" H "A: b\r\n c: d\r\n\r\n", ERR_MALFORMED, "name" },
        { "GET / HTTP/1.1\r\n" H "A: b\r\n\tc\r\n\r\n", ERR_MALFORMED, "colon" },
        { "GET / HTTP/1.1\r\n" H "(A): b\r\n\r\n", ERR_MALFORMED, "name" },
        { "GET / HTTP/1.1\r\n" H "A: \x01\r\n\r\n", ERR_MALFORMED, "control" },
        { "GET / HTTP/1.1\r\n" H "A: \x7f\r\n\r\n", ERR_MALFORMED, "control" },
        { "GET / HTTP/1.1\r\n" H "Content-Length: 1\r\ncontent-length: 1\r\n\r\n", ERR_MALFORMED,
          "two Content-Length" },
        { "GET / HTTP/1.1\r\n" H "Content-Length: 1, 1\r\n\r\n", ERR_MALFORMED, "no number" },
        { "GET / HTTP/1.1\r\n" H "Content-Length:\r\n\r\n", ERR_MALFORMED, "no number" },
        { "GET / HTTP/1.1\r\n" H "Content-Length: -1\r\n\r\n", ERR_MALFORMED, "no number" },
        { "GET / HTTP/1.1\r\n" H "Content-Length: +1\r\n\r\n", ERR_MALFORMED, "no number" },
        { "GET / HTTP/1.1\r\n" H "Content-Length: 0x1\r\n\r\n", ERR_MALFORMED, "no number" },
        { "GET / HTTP/1.1\r\n" H "Content-Length: 1000000000000000000\r\n\r\n", ERR_MALFORMED,
          "no number" },
        { "GET / HTTP/1.1\r\n" H "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
          ERR_MALFORMED, "Content-Length and" },
        { "GET / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
          ERR_MALFORMED, "two Transfer-Encoding" },
        { "GET / HTTP/1.1\r\n" H "Transfer-Encoding: gzip, chunked\r\n\r\n", ERR_UNSUPPORTED,
          "chunked" },
        { "GET / HTTP/1.1\r\n" H "Transfer-Encoding: xchunked\r\n\r\n", ERR_UNSUPPORTED,
          "chunked" },
        { "GET / HTTP/1.1\r\n" H "Transfer-Encoding:\r\n\r\n", ERR_UNSUPPORTED, "chunked" },
        { "GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", ERR_MALFORMED, "HTTP/1.0" },
        { "GET / HTTP/1.1\r\n" H "Transfer-Encoding: chunked\t\r\n\r\n", ERR_MALFORMED, "tab" },
        { "GET / HTTP/1.1\r\n" H "Content-Length:\t1\r\n\r\n", ERR_MALFORMED, "tab" },
        { "GET / HTTP/1.1\r\n" H "Expect: 200-maybe\r\n\r\n", ERR_UNSUPPORTED, "100-continue" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_err(cases[i].in, http_parse_request(&head, &head_len, bytes_str(cases[i].in)),
                   cases[i].code, cases[i].what);
    expect_err(
        "NUL",
        http_parse_request(&head, &head_len, BYTES_LIT("GET / HTTP/1.1\r\n" H "A: \0\r\n\r\n")),
        ERR_MALFORMED, "control");
}

static void head_limits(void **state)
{
    static uint8_t in[HTTP_HEAD_MAX + 1];
    struct wr wr = WR_OF(in);

    (void)state;
    wr_str(&wr, "GET / HTTP/1.1\r\n" H);
    for (size_t i = 0; i < 63; i++)
        wr_str(&wr, "a: b\r\n");
    wr_str(&wr, "\r\n");
    expect_ok("64 fields", http_parse_request(&head, &head_len, wr_done(&wr)));
    assert_int_equal(head.fields, 64);
    wr.len -= 2;
    wr_str(&wr, "a: b\r\n\r\n");
    expect_err("65 fields", http_parse_request(&head, &head_len, wr_done(&wr)), ERR_TOO_LARGE,
               "64 fields");

    memset(in, 'a', sizeof(in));
    memcpy(in, "GET / HTTP/1.1\r\n" H "x:", 27);
    expect_ok("more may come", http_parse_request(&head, &head_len, bytes_of(in, 16383)));
    assert_int_equal(head_len, 0);
    expect_err("16 KiB without an end", http_parse_request(&head, &head_len, bytes_of(in, 16384)),
               ERR_TOO_LARGE, "16 KiB");
    memcpy(in + HTTP_HEAD_MAX - 4, "\r\n\r\n", 4);
    expect_ok("16 KiB", http_parse_request(&head, &head_len, bytes_of(in, sizeof(in))));
    assert_int_equal(head_len, HTTP_HEAD_MAX);
    memcpy(in + HTTP_HEAD_MAX - 4, "a\r\n\r\n", 5);
    expect_err("16 KiB and one", http_parse_request(&head, &head_len, bytes_of(in, sizeof(in))),
               ERR_TOO_LARGE, "16 KiB");
}

static void response(void **state)
{
    static const struct {
        const char *in;
        enum err_code code;
        unsigned status;
    } cases[] = {
        { "HTTP/1.1 200 OK\r\n\r\n", ERR_NONE, 200 },
        { "HTTP/1.1 404 Not  Found\r\nA: b\r\n\r\n", ERR_NONE, 404 },
        { "HTTP/1.0 599 \r\n\r\n", ERR_NONE, 599 },
        { "HTTP/1.1 100\r\n\r\n", ERR_NONE, 100 },
        { "HTTP/1.1 099 x\r\n\r\n", ERR_MALFORMED, 0 },
        { "HTTP/1.1 600 x\r\n\r\n", ERR_MALFORMED, 0 },
        { "HTTP/1.1 2000 x\r\n\r\n", ERR_MALFORMED, 0 },
        { "HTTP/1.1 20 x\r\n\r\n", ERR_MALFORMED, 0 },
        { "HTTP/1.1 2x0 x\r\n\r\n", ERR_MALFORMED, 0 },
        { "HTTP/1.1  200 x\r\n\r\n", ERR_MALFORMED, 0 },
        { "HTTP/1.1\r\n\r\n", ERR_MALFORMED, 0 },
        { "HTTP/2 200 OK\r\n\r\n", ERR_MALFORMED, 0 },
        { "ICY 200 OK\r\n\r\n", ERR_MALFORMED, 0 },
        { "HTTP/1.1 200 a\x01\r\n\r\n", ERR_MALFORMED, 0 },
        { "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
          ERR_MALFORMED, 0 },
        { "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n", ERR_MALFORMED, 0 },
        { "HTTP/1.1 200 OK\r\n", ERR_NONE, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        expect_err(cases[i].in, http_parse_response(&head, &head_len, bytes_str(cases[i].in)),
                   cases[i].code, NULL);
        assert_true(head.is_response);
        if (!cases[i].code)
            assert_int_equal(head.status, cases[i].status);
    }
}

static void chunked_read(void **state)
{
    static const char *const cases[] = {
        "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        "5\r\nabcde\r\n0\r\n\r\n",
        "1\r\na\r\n0001\r\nb\r\n03\r\ncde\r\n00000000\r\nX: y\r\nZ:\r\n\r\n",
    };
    struct http_chunks chunks;
    uint8_t data[128];
    size_t body_len, used;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t n = strlen(cases[i]);

        memcpy(data, cases[i], n);
        memcpy(data + n, "next", 4);
        chunks = (struct http_chunks) { 0 };
        for (size_t cut = 0; cut < n; cut++) {
            expect_ok(cases[i], http_measure(&chunks, &used, bytes_of(data, cut), 5));
            assert_true(used == 0 && chunks.at <= cut);
            expect_ok(cases[i], http_dechunk(data, cut, 5, &body_len, &used));
            assert_int_equal(used, 0);
            assert_memory_equal(data, cases[i], n);
        }
        expect_ok(cases[i], http_measure(&chunks, &used, bytes_of(data, n + 4), 5));
        assert_true(used == n && chunks.body_len == 5);
        expect_ok(cases[i], http_dechunk(data, n + 4, 5, &body_len, &used));
        assert_int_equal(used, n);
        assert_true(bytes_equal_str(bytes_of(data, body_len), "abcde"));
    }
    memcpy(data, "0\r\n\r\n", 5);
    expect_ok("empty", http_dechunk(data, 5, 0, &body_len, &used));
    assert_true(used == 5 && body_len == 0);
}

static void chunked_refused(void **state)
{
    static const struct {
        const char *in;
        enum err_code code;
    } cases[] = {
        { "\r\n", ERR_MALFORMED },
        { "g\r\n", ERR_MALFORMED },
        { " 1\r\na\r\n", ERR_MALFORMED },
        { "1 \r\na\r\n", ERR_MALFORMED },
        { "1;x=y\r\na\r\n", ERR_MALFORMED },
        { "1\na\r\n", ERR_MALFORMED },
        { "1\r\r\n", ERR_MALFORMED },
        { "0x1\r\na\r\n", ERR_MALFORMED },
        { "-1\r\n", ERR_MALFORMED },
        { "000000001\r\n", ERR_MALFORMED },
        { "1\r\nab\r\n", ERR_MALFORMED },
        { "0\r\nContent-Length: 1\r\n\r\n", ERR_MALFORMED },
        { "0\r\ntransfer-encoding: chunked\r\n\r\n", ERR_MALFORMED },
        { "0\r\nConnection: close\r\n\r\n", ERR_MALFORMED },
        { "0\r\nA : b\r\n\r\n", ERR_MALFORMED },
        { "1\r\na\n", ERR_MALFORMED },
        { "1\r\na0\r\n\r\n", ERR_MALFORMED },
        { "0\r\nX\r\n\r\n", ERR_MALFORMED },
        { "0\r\n X: y\r\n\r\n", ERR_MALFORMED },
        { "0\r\n\n", ERR_MALFORMED },
        { "b\r\n", ERR_TOO_LARGE },
        { "ffffffff\r\n", ERR_TOO_LARGE },
        { "a\r\n0123456789\r\n1\r\n", ERR_TOO_LARGE },
    };
    static uint8_t many[8193 * 6];
    uint8_t data[64];
    size_t body_len, used;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        memcpy(data, cases[i].in, strlen(cases[i].in));
        expect_err(cases[i].in, http_dechunk(data, strlen(cases[i].in), 10, &body_len, &used),
                   cases[i].code, NULL);
    }
    for (size_t i = 0; i < 8193; i++)
        memcpy(many + 6 * i, "1\r\na\r\n", 6);
    expect_ok("8192 chunks", http_dechunk(many, 8192 * 6, sizeof(many), &body_len, &used));
    expect_err("8193 chunks", http_dechunk(many, sizeof(many), sizeof(many), &body_len, &used),
               ERR_TOO_LARGE, "8192");
}

static void written(void **state)
{
    uint8_t out[512];
    struct wr wr = WR_OF(out);

    (void)state;
    http_write_request(&wr, "POST", "/x?y", "h.example:1");
    http_write_field(&wr, "A-B", BYTES_LIT("c d"));
    http_write_length(&wr, 12);
    assert_true(bytes_equal_str(wr_done(&wr), "POST /x?y HTTP/1.1\r\nHost: h.example:1\r\n"
                                              "A-B: c d\r\nContent-Length: 12\r\n\r\n"));
    expect_ok("again", http_parse_request(&head, &head_len, wr_done(&wr)));
    wr = WR_OF(out);
    http_write_response(&wr, 404);
    http_write_length(&wr, 0);
    assert_true(
        bytes_equal_str(wr_done(&wr), "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"));
    expect_ok("again", http_parse_response(&head, &head_len, wr_done(&wr)));
    assert_string_equal(http_reason(503), "Service Unavailable");
    assert_string_equal(http_reason(299), "Unknown");
}

static void write_refused(void **state)
{
    static const struct {
        const char *name, *method, *target, *host, *field, *value;
    } cases[] = {
        { "method", "GE T", "/", "h", "a", "b" },
        { "empty method", "", "/", "h", "a", "b" },
        { "target without slash", "GET", "x", "h", "a", "b" },
        { "blank in target", "GET", "/ x", "h", "a", "b" },
        { "line in target", "GET", "/\r\nX: y", "h", "a", "b" },
        { "line in host", "GET", "/", "h\r\nX: y", "a", "b" },
        { "empty host", "GET", "/", "", "a", "b" },
        { "name", "GET", "/", "h", "a:", "b" },
        { "line in value", "GET", "/", "h", "a", "b\r\nX: y" },
        { "LF in value", "GET", "/", "h", "a", "b\n" },
    };
    uint8_t out[512];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct wr wr = WR_OF(out);

        http_write_request(&wr, cases[i].method, cases[i].target, cases[i].host);
        http_write_field(&wr, cases[i].field, bytes_str(cases[i].value));
        expect_err(cases[i].name, wr_end(&wr), ERR_TOO_LARGE, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(request_read),    cmocka_unit_test(connection_options),
        cmocka_unit_test(request_refused), cmocka_unit_test(head_limits),
        cmocka_unit_test(response),        cmocka_unit_test(chunked_read),
        cmocka_unit_test(chunked_refused), cmocka_unit_test(written),
        cmocka_unit_test(write_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
