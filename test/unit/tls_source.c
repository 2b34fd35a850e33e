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
#include <sys/resource.h>

#include "tlshost.h"

#define MAGIC "\r\n\r\n\0\r\nQUIT\n"
#define IPV4  MAGIC "\x21\x11\x00\x0c\xc0\x00\x02\x01\x0a\x00\x00\x02\xc3\x50\x01\xbb"
#define LOCAL MAGIC "\x20\x00\x00\x00"
#define CROWD 1100U

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

// A client, and its first message behind a header. `protocols` bytes of it are ALPN.
static struct bytes first_bytes(SSL **ssl, size_t protocols)
{
    static uint8_t segment[20000], names[16384];
    struct wr wr = WR_OF(segment);
    char *hello;
    long n;

    memset(names, 1, sizeof(names)); // one-byte names
    *ssl = SSL_new(ctx);
    if (protocols > 0)
        must(SSL_set_alpn_protos(*ssl, names, (unsigned)protocols) == 0);
    SSL_set_bio(*ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    must(SSL_connect(*ssl) == -1);
    n = BIO_get_mem_data(SSL_get_wbio(*ssl), &hello);
    wr_bytes(&wr, BYTES_LIT(IPV4));
    wr_bytes(&wr, bytes_of(hello, (size_t)n));
    must(!wr.bad);
    return wr_done(&wr);
}

static void served(SSL *ssl, int fd)
{
    must(SSL_set_fd(ssl, fd) == 1 && SSL_connect(ssl) == 1);
    assert_string_equal(host_ask(ssl, "/"), "nobody 192.0.2.1:50000");
    host_hang_up(ssl);
}

// Header and first message in as few segments as there can be, in as many, and cut anywhere; of all
// sizes, also larger than what is read before TLS begins.
static void test_segments(void **state)
{
    static const size_t protocols[] = { 0, 2000, 3500, 4000, 8000, 15000 };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(protocols); i++) {
        int fd = host_dial();
        SSL *ssl;

        say(fd, first_bytes(&ssl, protocols[i]));
        served(ssl, fd);
    }
    for (size_t cut = 1; cut < 60; cut += 3) {
        int fd = host_dial();
        SSL *ssl;
        struct bytes bytes = first_bytes(&ssl, 0);

        say(fd, bytes_take(bytes, cut));
        (void)poll(NULL, 0, 3);
        say(fd, bytes_skip(bytes, cut));
        served(ssl, fd);
    }
}

// More at once than may be inside the gate: all are served.
static void test_many_at_once(void **state)
{
    static SSL *ssl[CROWD];
    static int fd[CROWD];

    (void)state;
    for (unsigned i = 0; i < CROWD; i++) {
        struct bytes bytes = first_bytes(&ssl[i], 0);

        fd[i] = host_dial();
        say(fd[i], bytes);
        must(SSL_set_fd(ssl[i], fd[i]) == 1);
    }
    for (unsigned i = 0; i < CROWD; i++)
        served(ssl[i], fd[i]);
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
        { "SSL 2", BYTES_LIT("\x80\x2e\x01\x03\x01") },
        { "another major version", BYTES_LIT("\x16\x02\x00\x00\x04") },
        { "an empty record", BYTES_LIT("\x16\x03\x01\x00\x00") },
        { "a record too long", BYTES_LIT("\x16\x03\x01\x40\x01") },
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
    host_start(&(struct server_port_options) { .connections_max = 1200,
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
        cmocka_unit_test_setup_teardown(test_segments, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_many_at_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_half_a_header, set_up_impatient, tear_down),
    };

    const struct rlimit files = { 4096, 4096 }; // both ends are here

    (void)signal(SIGPIPE, SIG_IGN);
    must(setrlimit(RLIMIT_NOFILE, &files) == 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
