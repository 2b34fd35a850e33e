// SPDX-License-Identifier: Apache-2.0
// net/tls_server.h: clients that are weak, broken or hostile, and programs that we did not write.
// After each of them the server serves the next one.
#include "net/tls_server.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/wait.h>

#include "tlshost.h"

static unsigned asked(void)
{
    return atomic_load(&host.asked[TLS_KEY_VERIFY13]) +
           atomic_load(&host.asked[TLS_KEY_EXCHANGE12]);
}

static void test_weak_clients(void **state)
{
    static const struct {
        const char *name;
        int version;
        const char *suites, *groups, *algorithms;
        bool is_served;
    } cases[] = {
        { "TLS 1.0", TLS1_VERSION, "ALL:@SECLEVEL=0", NULL, NULL, false },
        { "TLS 1.1", TLS1_1_VERSION, "ALL:@SECLEVEL=0", NULL, NULL, false },
        { "CBC", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", NULL, NULL, false },
        { "CBC, SHA-1", TLS1_2_VERSION, "ECDHE-ECDSA-AES256-SHA", NULL, NULL, false },
        { "CCM", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-CCM8", NULL, NULL, false },
        { "RSA certificates only", TLS1_2_VERSION, "ECDHE-RSA-AES128-GCM-SHA256", NULL, NULL,
          false },
        { "no forward secrecy", TLS1_2_VERSION, "AES128-GCM-SHA256", NULL, NULL, false },
        { "P-521 only", TLS1_3_VERSION, NULL, "P-521", NULL, false },
        { "SHA-1 only", TLS1_2_VERSION, "ALL:@SECLEVEL=0", NULL, "ECDSA+SHA1", false },
        { "SHA-384 only", TLS1_2_VERSION, NULL, NULL, "ECDSA+SHA384", false },
        { "AES-128", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", NULL, NULL, true },
        { "ChaCha20", TLS1_2_VERSION, "ECDHE-ECDSA-CHACHA20-POLY1305", NULL, NULL, true },
        { "P-256", TLS1_2_VERSION, NULL, "P-256", NULL, true },
        { "without the certificate's curve", TLS1_2_VERSION, NULL, "P-384", NULL, false },
        { "hello retry", TLS1_3_VERSION, NULL, "P-521:P-384", NULL, true },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        SSL_CTX *ctx = host_client(cases[i].version, NULL);
        SSL *ssl;

        must(!cases[i].suites || SSL_CTX_set_cipher_list(ctx, cases[i].suites) == 1);
        must(!cases[i].groups || SSL_CTX_set1_groups_list(ctx, cases[i].groups) == 1);
        must(!cases[i].algorithms || SSL_CTX_set1_sigalgs_list(ctx, cases[i].algorithms) == 1);
        ssl = host_tls(ctx, host_dial(), NULL);
        if ((ssl != NULL) != cases[i].is_served)
            fail_msg("%s", cases[i].name);
        if (ssl)
            host_hang_up(ssl);
        SSL_CTX_free(ctx);
    }
}

// RFC 5746: the server's secure answer to those who ask again is no; RFC 8446 has key updates.
static void test_no_renegotiation(void **state)
{
    SSL_CTX *ctx = host_client(TLS1_2_VERSION, NULL);
    SSL *ssl = host_tls(ctx, host_dial(), NULL);
    unsigned before = asked();

    (void)state;
    assert_int_equal(SSL_get_secure_renegotiation_support(ssl), 1);
    assert_string_equal(host_ask(ssl, "/"), "nobody ");
    must(SSL_renegotiate(ssl) == 1);
    assert_true(SSL_do_handshake(ssl) <= 0 || host_ask(ssl, "/")[0] == 0);
    assert_int_equal(asked(), before);
    host_hang_up(ssl);
    SSL_CTX_free(ctx);
    ctx = host_client(TLS1_3_VERSION, NULL);
    ssl = host_tls(ctx, host_dial(), NULL);
    for (int i = 0; i < 20; i++) {
        must(SSL_key_update(ssl, SSL_KEY_UPDATE_REQUESTED) == 1);
        assert_string_equal(host_ask(ssl, "/"), "nobody ");
    }
    host_hang_up(ssl);
    SSL_CTX_free(ctx);
}

static void test_broken_peers(void **state)
{
    static const char hello[] = "\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03";
    const struct {
        const char *name;
        struct bytes bytes;
    } cases[] = {
        { "nothing", BYTES_NONE },
        { "HTTP", BYTES_LIT("GET / HTTP/1.1\r\nHost: a\r\n\r\n") },
        { "SSLv2", BYTES_LIT("\x80\x2e\x01\x03\x01\x00\x15\x00\x00\x00\x10\x00\x00\x00\x00\x00") },
        { "an alert", BYTES_LIT("\x15\x03\x01\x00\x02\x02\x28") },
        { "application data", BYTES_LIT("\x17\x03\x03\x00\x01\x00") },
        { "an empty record", BYTES_LIT("\x16\x03\x01\x00\x00") },
        { "a large record", BYTES_LIT("\x16\x03\x01\xff\xff\x01") },
        { "half a hello", BYTES_OF(hello) },
        { "another message", BYTES_LIT("\x16\x03\x01\x00\x04\x02\x00\x00\x00") },
    };
    SSL_CTX *ctx = host_client(TLS1_3_VERSION, NULL);
    SSL *ssl;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int fd = host_dial();
        uint8_t answer[256];

        expect_ok(cases[i].name, fd_write_all(fd, cases[i].bytes, deadline_in(WAIT_MS)));
        must(shutdown(fd, SHUT_WR) == 0);
        while (recv(fd, answer, sizeof(answer), 0) > 0) // an alert at most
            ;
        (void)close(fd);
    }
    assert_int_equal(asked(), 0);
    ssl = host_tls(ctx, host_dial(), NULL);
    assert_string_equal(host_ask(ssl, "/"), "nobody ");
    host_hang_up(ssl);
    SSL_CTX_free(ctx);
}

// A connection that is cut inside TLS, at any byte of a request's record.
static void test_truncated(void **state)
{
    SSL_CTX *ctx = host_client(TLS1_3_VERSION, NULL);

    (void)state;
    for (size_t cut = 0; cut < 49; cut += 6) {
        SSL *ssl = host_tls(ctx, host_dial(), NULL);
        int fd = SSL_get_fd(ssl);
        BIO *memory = BIO_new(BIO_s_mem());
        char *record;
        long n;

        SSL_set0_wbio(ssl, memory);
        must(SSL_write(ssl, "GET / HTTP/1.1\r\nHost: a\r\n\r\n", 27) == 27);
        n = BIO_get_mem_data(memory, &record);
        must(n == 49);
        expect_ok("cut", fd_write_all(fd, bytes_of(record, cut), deadline_in(WAIT_MS)));
        must(shutdown(fd, SHUT_WR) == 0);
        assert_true(SSL_read(ssl, (char[8]) { 0 }, 8) <= 0);
        SSL_free(ssl);
        (void)close(fd);
    }
    assert_int_equal(atomic_load(&host.requests), 0);
    SSL_CTX_free(ctx);
}

// Another program, with both ends of its standard streams here.
static pid_t start_client(int *fd, const char *version)
{
    char port[32];
    int pair[2];
    pid_t child;

    (void)snprintf(port, sizeof(port), "127.0.0.1:%u", host.tcp_port);
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
    child = fork();
    must(child >= 0);
    if (child == 0) {
        (void)dup2(pair[1], 0);
        (void)dup2(pair[1], 1);
        (void)dup2(open("/dev/null", O_WRONLY), 2);
        (void)execlp("openssl", "openssl", "s_client", "-quiet", "-connect", port, version,
                     "-servername", "signer.example", NULL);
        _exit(127);
    }
    fd_close(&pair[1]);
    *fd = pair[0];
    return child;
}

static void test_other_program(void **state)
{
    static const char *const versions[] = { "-tls1_2", "-tls1_3" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        char text[16384];
        size_t n = 0;
        ssize_t got = 1;
        int fd;
        pid_t child = start_client(&fd, versions[i]);

        expect_ok("ask",
                  fd_write_all(fd,
                               BYTES_LIT("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"),
                               deadline_in(WAIT_MS)));
        for (; got > 0 && n<sizeof(text) - 1; n += got> 0 ? (size_t)got : 0) {
            expect_ok("answer", fd_wait(fd, POLLIN, deadline_in(WAIT_MS)));
            got = read(fd, text + n, sizeof(text) - 1 - n);
        }
        text[n] = 0;
        fd_close(&fd);
        must(waitpid(child, NULL, 0) == child);
        if (!strstr(text, "HTTP/1.1 200 OK\r\n") || !strstr(text, "\r\n\r\nnobody "))
            fail_msg("%s: %s", versions[i], text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_weak_clients, host_set_up, host_tear_down),
        cmocka_unit_test_setup_teardown(test_no_renegotiation, host_set_up, host_tear_down),
        cmocka_unit_test_setup_teardown(test_broken_peers, host_set_up, host_tear_down),
        cmocka_unit_test_setup_teardown(test_truncated, host_set_up, host_tear_down),
        cmocka_unit_test_setup_teardown(test_other_program, host_set_up, host_tear_down),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
