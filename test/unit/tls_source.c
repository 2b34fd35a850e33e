// SPDX-License-Identifier: Apache-2.0
// httpd/server_intro.h behind TLS: what a tunnel says in front, said at once or in pieces, and what
// is no such thing.
#include "net/proxy2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>

#include "tlshost.h"

#define MAGIC "\r\n\r\n\0\r\nQUIT\n"
#define IPV4  MAGIC "\x21\x11\x00\x0c\xc0\x00\x02\x01\x0a\x00\x00\x02\xc3\x50\x01\xbb"
#define LOCAL MAGIC "\x20\x00\x00\x00"

static SSL_CTX *ctx;

static void say(int fd, struct bytes bytes)
{
    expect_ok("say", fd_write_all(fd, bytes, deadline_in(WAIT_MS)));
}

static void test_sources(void **state)
{
    const struct {
        const char *name;
        struct bytes header;
        bool is_in_pieces;
        const char *answer;
    } cases[] = {
        { "none", BYTES_NONE, false, "nobody " },
        { "IPv4", BYTES_LIT(IPV4), false, "nobody 192.0.2.1:50000" },
        { "byte by byte", BYTES_LIT(IPV4), true, "nobody 192.0.2.1:50000" },
        { "the tunnel's own", BYTES_LIT(LOCAL), false, "nobody " },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int fd = host_dial();
        SSL *ssl;

        for (size_t k = 0; cases[i].is_in_pieces && k < cases[i].header.n; k++) {
            say(fd, bytes_of(cases[i].header.p + k, 1));
            (void)poll(NULL, 0, 2);
        }
        if (!cases[i].is_in_pieces)
            say(fd, cases[i].header);
        ssl = host_tls(ctx, fd, NULL);
        assert_non_null(ssl);
        if (strcmp(host_ask(ssl, "/"), cases[i].answer) != 0)
            fail_msg("%s", cases[i].name);
        host_hang_up(ssl);
    }
}

// Header, handshake and all in as few segments as there can be.
static void test_one_segment(void **state)
{
    SSL *ssl = SSL_new(ctx);
    int fd = host_dial();
    uint8_t segment[2048];
    struct wr wr = WR_OF(segment);
    char *hello;
    long n;

    (void)state;
    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    must(SSL_connect(ssl) == -1);
    n = BIO_get_mem_data(SSL_get_wbio(ssl), &hello);
    wr_bytes(&wr, BYTES_LIT(IPV4));
    wr_bytes(&wr, bytes_of(hello, (size_t)n));
    must(!wr.bad);
    say(fd, wr_done(&wr));
    must(SSL_set_fd(ssl, fd) == 1 && SSL_connect(ssl) == 1);
    assert_string_equal(host_ask(ssl, "/"), "nobody 192.0.2.1:50000");
    host_hang_up(ssl);
}

static void test_refused(void **state)
{
    const struct {
        const char *name;
        struct bytes bytes;
    } cases[] = {
        { "HTTP", BYTES_LIT("G") },
        { "a NUL", BYTES_LIT("\0") },
        { "application data", BYTES_LIT("\x17") },
        { "version 1", BYTES_LIT("PROXY TCP4 192.0.2.1 10.0.0.2 50000 443\r\n") },
        { "another signature", BYTES_LIT("\r\n\r\n\0\r\nQUIX\n\x21\x11\x00\x0c") },
        { "too long", BYTES_LIT(MAGIC "\x21\x11\xff\xff") },
        { "a broken field", BYTES_LIT(MAGIC "\x21\x00\x00\x01\x04") },
        { "twice", BYTES_LIT(IPV4 IPV4) },
        { "HTTP after it", BYTES_LIT(IPV4 "GET / HTTP/1.1\r\n\r\n") },
    };
    uint8_t byte[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int fd = host_dial();
        ssize_t got = 1;

        say(fd, cases[i].bytes);
        while (got > 0) // an alert at most
            got = recv(fd, byte, sizeof(byte), 0);
        if (got < 0 && errno != ECONNRESET)
            fail_msg("%s: still open", cases[i].name);
        (void)close(fd);
    }
    assert_int_equal(atomic_load(&host.requests), 0);
}

static void test_half_a_header(void **state)
{
    int fd = host_dial();
    uint8_t byte;

    (void)state;
    say(fd, bytes_take(BYTES_LIT(IPV4), 20));
    assert_int_equal(recv(fd, &byte, 1, 0), 0); // after the time for a request
    (void)close(fd);
}

static void start(int64_t request_ms)
{
    host_start(&(struct server_port_options) { .connections_max = 64,
                                               .request_max = 65536,
                                               .request_ms = request_ms,
                                               .has_source = true });
}

static int set_up(void **state)
{
    (void)state;
    ctx = host_client(TLS1_3_VERSION, NULL);
    start(WAIT_MS);
    return 0;
}

static int set_up_impatient(void **state)
{
    (void)state;
    ctx = host_client(TLS1_3_VERSION, NULL);
    start(200);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    host_stop();
    SSL_CTX_free(ctx);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_sources, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_one_segment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_half_a_header, set_up_impatient, tear_down),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
