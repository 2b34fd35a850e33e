// SPDX-License-Identifier: Apache-2.0
// net/wire.h: the fibres of handshakes, which are few. Each comes back, whatever its connection was
// doing when it ended, and none touches memory that its connection has given back.
#include "net/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <openssl/async.h>

#include "tlshost.h"

#define FIBRES   256U
#define CROWD    300U // more handshakes than there are fibres
#define PAUSE_MS 100
#define LATE_MS  (2LL * WAIT_MS)

// -Wl,--wrap: time that passes at once.
static atomic_llong ahead_ms;

int64_t __real_deadline_now_ms(void);
int64_t __wrap_deadline_now_ms(void);

int64_t __wrap_deadline_now_ms(void)
{
    return __real_deadline_now_ms() + atomic_load(&ahead_ms);
}

// And a loop that is held up after it has sent something, as long as a client needs to answer.
static atomic_bool dawdles;

ssize_t __real_send(int fd, const void *p, size_t n, int flags);
ssize_t __wrap_send(int fd, const void *p, size_t n, int flags);

ssize_t __wrap_send(int fd, const void *p, size_t n, int flags)
{
    ssize_t sent = __real_send(fd, p, n, flags);

    if (atomic_load(&dawdles) && pthread_equal(pthread_self(), host.thread))
        (void)poll(NULL, 0, PAUSE_MS);
    return sent;
}

static int set_up(void **state)
{
    (void)state;
    host_start(&(struct server_port_options) {
        .connections_max = 1024, .request_max = 65536, .request_ms = LATE_MS });
    return 0;
}

static void wait_for(const atomic_uint *what, unsigned count)
{
    for (int i = 0; i < WAIT_MS && atomic_load(what) < count; i++)
        (void)poll(NULL, 0, 1);
    assert_int_equal(atomic_load(what), count);
}

static atomic_uint present;

static void count_present(void)
{
    atomic_store(&present, server_port_count(host.port));
}

// Connections whose handshakes wait, for the key's owner or for a fibre.
static void crowd_in(SSL_CTX *ctx, int fd[static CROWD])
{
    for (unsigned i = 0; i < CROWD; i++) {
        SSL *ssl = SSL_new(ctx);
        char *hello;
        long n;

        SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
        must(SSL_connect(ssl) == -1);
        n = BIO_get_mem_data(SSL_get_wbio(ssl), &hello);
        fd[i] = host_dial();
        expect_ok("hello", fd_write_all(fd[i], bytes_of(hello, (size_t)n), deadline_in(WAIT_MS)));
        SSL_free(ssl);
    }
    wait_for(&host.keeps, FIBRES);
    for (int i = 0; i < WAIT_MS && atomic_load(&present) < CROWD; i++)
        host_call(count_present);
    assert_int_equal(atomic_load(&present), CROWD);
}

// Time is up for all of them at the beginning of the next turn. A turn reads 128 (net/loop.c): the
// other half of those that are signed is woken by then, and not read.
static void end_answered(void)
{
    host_answer();
    atomic_store(&ahead_ms, LATE_MS);
}

static void end_unanswered(void)
{
    atomic_store(&ahead_ms, LATE_MS);
}

static void answer_half_and_end(void)
{
    for (unsigned i = 0; i < FIBRES; i += 2)
        tls_key_done(host.kept[i].job, bytes_of(host.kept[i].der, host.kept[i].n));
    for (unsigned i = 1; i < FIBRES; i += 2)
        host.kept[i / 2] = host.kept[i];
    atomic_store(&host.keeps, FIBRES / 2);
    atomic_store(&ahead_ms, LATE_MS);
}

static void end_with_the_server(void)
{
    host_answer();
    server_port_free(&host.port); // woken, and not one is read
}

static atomic_uint idle; // fibres of the loop's thread

static int take_a_rest(void *nothing)
{
    (void)nothing;
    return ASYNC_pause_job();
}

static void count_idle(void)
{
    ASYNC_JOB *fibre[FIBRES] = { NULL };
    ASYNC_WAIT_CTX *wait = ASYNC_WAIT_CTX_new();
    unsigned n = 0;
    int result;

    while (n < FIBRES &&
           ASYNC_start_job(&fibre[n], wait, &result, take_a_rest, NULL, 0) == ASYNC_PAUSE)
        n++;
    atomic_store(&idle, n);
    while (n-- > 0)
        must(ASYNC_start_job(&fibre[n], wait, &result, take_a_rest, NULL, 0) == ASYNC_FINISH);
    ASYNC_WAIT_CTX_free(wait);
}

static void test_all_come_back(void **state)
{
    static const struct {
        const char *name;
        void (*end)(void);
    } cases[] = {
        { "signed", end_answered },
        { "not signed", end_unanswered },
        { "half of them signed", answer_half_and_end },
        { "signed, and the server ends", end_with_the_server },
    };
    SSL_CTX *ctx = host_client(TLS1_3_VERSION, NULL);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int fd[CROWD];

        atomic_store(&host.mode, OWNER_KEEPS);
        atomic_store(&host.gone, 0);
        atomic_store(&present, 0);
        crowd_in(ctx, fd);
        host_call(cases[i].end);
        wait_for(&host.gone, CROWD);
        atomic_store(&ahead_ms, 0);
        for (unsigned k = 0; k < CROWD; k++)
            (void)close(fd[k]);
        host_call(count_idle);
        if (atomic_load(&idle) != FIBRES)
            fail_msg("%s: %u fibres are left", cases[i].name, atomic_load(&idle));
        host_call(host_answer);
    }
    SSL_CTX_free(ctx);
}

static SSL *begin_and_wait(SSL_CTX *ctx)
{
    SSL *ssl = SSL_new(ctx);
    int fd = host_dial();

    must(SSL_set_fd(ssl, fd) == 1 && fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    assert_int_equal(SSL_connect(ssl), -1);
    wait_for(&host.keeps, 1);
    must(fcntl(fd, F_SETFL, 0) == 0);
    return ssl;
}

// While a handshake waits it has no buffer: the one of its first read is another connection's. And
// the request may come before the fibre has found out that it is not there yet.
static void test_buffers_of_others(void **state)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        SSL_CTX *ctx = host_client(versions[i], NULL);
        SSL *other = host_tls(ctx, host_dial(), NULL), *late;

        assert_string_equal(host_ask(other, "/"), "nobody ");
        atomic_store(&host.mode, OWNER_KEEPS);
        late = begin_and_wait(ctx);
        assert_int_equal(SSL_write(other, "GET / HTTP/1.1\r\n", 16), 16);
        (void)poll(NULL, 0, PAUSE_MS); // it is read
        atomic_store(&dawdles, true);
        host_call(host_answer);
        assert_int_equal(SSL_connect(late), 1);
        assert_string_equal(host_ask(late, "/"), "nobody ");
        atomic_store(&dawdles, false);
        assert_int_equal(SSL_write(other, "Host: a\r\n\r\n", 11), 11);
        assert_string_equal(host_get(other), "nobody ");
        atomic_store(&host.mode, OWNER_NOW);
        host_hang_up(late);
        host_hang_up(other);
        SSL_CTX_free(ctx);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_all_come_back, set_up, host_tear_down),
        cmocka_unit_test_setup_teardown(test_buffers_of_others, set_up, host_tear_down),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
