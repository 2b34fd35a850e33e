// SPDX-License-Identifier: Apache-2.0
// net/tls_server.h behind httpd/server_port.h, with clients of libssl and `openssl s_client`:
// owners of the key of every kind, resumption, and what no client gets.
#include "net/tls_server.h"

#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <unistd.h>

#include "tlshost.h"

#define FIBRE_BYTES 32768U // as libcrypto makes them
#define FIBRE_USED  16384U // what a handshake may take of one
#define PAINT       0xa5
#define UPDATES     40000 // 1 MB
#define CROWD       300U  // more handshakes than there are fibres

// The stacks of fibres are painted when they are made: how deep was one used?
static struct {
    atomic_uint made;
    atomic_size_t deepest;
    _Atomic(uint8_t *) p[512];
} stacks;

static void *painting_malloc(size_t n, const char *file, int line)
{
    uint8_t *p = malloc(n);

    (void)file;
    (void)line;
    if (n == FIBRE_BYTES && p) {
        memset(p, PAINT, n);
        atomic_store(&stacks.p[atomic_fetch_add(&stacks.made, 1) % ARRAY_LEN(stacks.p)], p);
    }
    return p;
}

static void look_at(const uint8_t *p)
{
    size_t clean = 0;

    while (clean < FIBRE_BYTES && p[clean] == PAINT)
        clean++;
    if (FIBRE_BYTES - clean > atomic_load(&stacks.deepest))
        atomic_store(&stacks.deepest, FIBRE_BYTES - clean);
}

static void *painting_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file;
    (void)line;
    return realloc(p, n);
}

static void painting_free(void *p, const char *file, int line)
{
    (void)file;
    (void)line;
    for (size_t i = 0; p && i < ARRAY_LEN(stacks.p); i++)
        if (atomic_load(&stacks.p[i]) == p) {
            look_at(p);
            atomic_store(&stacks.p[i], NULL);
        }
    free(p);
}

static unsigned asked(void)
{
    return atomic_load(&host.asked[TLS_KEY_VERIFY13]) +
           atomic_load(&host.asked[TLS_KEY_EXCHANGE12]);
}

static int start(int64_t request_ms)
{
    host_start(&(struct server_port_options) {
        .connections_max = 1024, .request_max = 65536, .request_ms = request_ms });
    return 0;
}

static int set_up(void **state)
{
    (void)state;
    return start(4 * WAIT_MS);
}

static int set_up_impatient(void **state)
{
    (void)state;
    return start(300);
}

static void test_owners(void **state)
{
    static const struct {
        const char *name;
        enum owner_mode mode;
        bool is_served;
    } cases[] = {
        { "at once", OWNER_NOW, true },      { "late", OWNER_LATER, true },
        { "fails", OWNER_FAILS, false },     { "refuses", OWNER_REFUSES, false },
        { "garbage", OWNER_GARBAGE, false }, { "at once again", OWNER_NOW, true },
    };
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

    (void)state;
    for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
        SSL_CTX *ctx = host_client(versions[i % 2], NULL);
        unsigned before = asked();
        SSL *ssl;

        atomic_store(&host.mode, cases[i / 2].mode);
        ssl = host_tls(ctx, host_dial(), NULL);
        if ((ssl != NULL) != cases[i / 2].is_served || asked() != before + 1)
            fail_msg("%s", cases[i / 2].name);
        if (ssl) {
            assert_string_equal(host_ask(ssl, "/"), "nobody ");
            assert_string_equal(host_ask(ssl, "/again"), "nobody ");
            host_hang_up(ssl);
        }
        SSL_CTX_free(ctx);
    }
    assert_true(atomic_load(&host.asked[TLS_KEY_VERIFY13]) > 0);
    assert_true(atomic_load(&host.asked[TLS_KEY_EXCHANGE12]) > 0);
}

// The connection goes while the owner still signs; its answer finds nobody.
static void test_gone_meanwhile(void **state)
{
    SSL_CTX *ctx = host_client(TLS1_3_VERSION, NULL);
    SSL *ssl = SSL_new(ctx);
    int fd = host_dial();

    (void)state;
    atomic_store(&host.mode, OWNER_KEEPS);
    must(fcntl(fd, F_SETFL, O_NONBLOCK) == 0);
    must(SSL_set_fd(ssl, fd) == 1);
    assert_int_equal(SSL_connect(ssl), -1);
    for (int i = 0; i < WAIT_MS && atomic_load(&host.keeps) == 0; i++)
        (void)poll(NULL, 0, 1);
    assert_int_equal(atomic_load(&host.keeps), 1);
    SSL_free(ssl);
    (void)close(fd);
    for (int i = 0; i < WAIT_MS && atomic_load(&host.gone) == 0; i++)
        (void)poll(NULL, 0, 1);
    assert_int_equal(atomic_load(&host.gone), 1); // within the time for a request
    SSL_CTX_free(ctx);
}

static void test_owner_never_answers(void **state)
{
    SSL_CTX *ctx = host_client(TLS1_3_VERSION, NULL);

    (void)state;
    atomic_store(&host.mode, OWNER_KEEPS);
    assert_null(host_tls(ctx, host_dial(), NULL));
    assert_int_equal(atomic_load(&host.keeps), 1);
    assert_int_equal(atomic_load(&host.gone), 1);
    SSL_CTX_free(ctx);
}

// A client that has made its first message, to be sent when there is a connection.
static SSL *prepared(SSL_CTX *ctx)
{
    SSL *ssl = SSL_new(ctx);

    SSL_set_bio(ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    must(SSL_connect(ssl) == -1);
    return ssl;
}

// Sends the rest of the hello, or, when `fd` is -1, a part of it over a new connection.
static int begin_part(SSL *ssl, int fd, long part)
{
    char *hello;
    long n = BIO_get_mem_data(SSL_get_wbio(ssl), &hello);
    bool is_rest = fd >= 0;

    fd = is_rest ? fd : host_dial();
    part = part < n ? part : n;
    expect_ok("hello", fd_write_all(fd,
                                    is_rest ? bytes_of(hello + part, (size_t)(n - part))
                                            : bytes_of(hello, (size_t)part),
                                    deadline_in(WAIT_MS)));
    if (is_rest || part == n)
        must(SSL_set_fd(ssl, fd) == 1);
    return fd;
}

static void begin(SSL *ssl)
{
    (void)begin_part(ssl, -1, LONG_MAX);
}

// More handshakes than fibres: those that find none wait for their turn, also one whose hello is
// not complete then.
static void test_many_at_once(void **state)
{
    SSL_CTX *ctx = host_client(TLS1_3_VERSION, NULL);
    static SSL *ssl[CROWD];
    SSL *slow = prepared(ctx);
    int fd;

    (void)state;
    atomic_store(&host.mode, OWNER_KEEPS);
    for (unsigned i = 0; i < CROWD; i++)
        ssl[i] = prepared(ctx);
    for (unsigned i = 0; i < CROWD; i++)
        begin(ssl[i]);
    for (int i = 0; i < WAIT_MS && atomic_load(&host.keeps) < 256; i++)
        (void)poll(NULL, 0, 1);
    fd = begin_part(slow, -1, 100);
    (void)poll(NULL, 0, 100);
    assert_int_equal(atomic_load(&host.keeps), 256);
    host_hang_up(ssl[CROWD - 1]); // waits for a fibre
    host_hang_up(ssl[0]);         // has one
    atomic_store(&host.mode, OWNER_LATER);
    for (unsigned i = 1; i < CROWD - 1; i++)
        if (SSL_connect(ssl[i]) != 1 || !host_put(ssl[i], "/"))
            fail_msg("number %u", i);
    for (unsigned i = 1; i < CROWD - 1; i++) {
        assert_string_equal(host_get(ssl[i]), "nobody ");
        host_hang_up(ssl[i]);
    }
    (void)begin_part(slow, fd, 100);
    assert_int_equal(SSL_connect(slow), 1);
    assert_string_equal(host_ask(slow, "/"), "nobody ");
    host_hang_up(slow);
    SSL_CTX_free(ctx);
}

static void test_resumption(void **state)
{
    static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(versions); i++) {
        SSL_CTX *ctx = host_client(versions[i], NULL);
        SSL *ssl = host_tls(ctx, host_dial(), NULL);
        SSL_SESSION *session;
        unsigned before = asked();

        assert_string_equal(host_ask(ssl, "/"), "nobody ");
        session = SSL_get1_session(ssl);
        assert_int_equal(SSL_SESSION_get_max_early_data(session), 0);
        assert_true(SSL_SESSION_get_ticket_lifetime_hint(session) <= 6 * 3600);
        host_hang_up(ssl);
        ssl = host_tls(ctx, host_dial(), session);
        assert_string_equal(host_ask(ssl, "/"), "nobody ");
        assert_int_equal(SSL_session_reused(ssl), 1);
        assert_int_equal(asked(), before); // no signature was needed
        host_hang_up(ssl);
        SSL_SESSION_free(session);
        SSL_CTX_free(ctx);
    }
}

static void test_counts(void **state)
{
    SSL_CTX *ctx = host_client(TLS1_3_VERSION, NULL);
    SSL *ssl = host_tls(ctx, host_dial(), NULL);
    struct server_port_counts counts;
    SSL_SESSION *session;

    (void)state;
    assert_string_equal(host_ask(ssl, "/"), "nobody ");
    session = SSL_get1_session(ssl);
    host_hang_up(ssl);
    ssl = host_tls(ctx, host_dial(), session);
    assert_string_equal(host_ask(ssl, "/"), "nobody ");
    host_hang_up(ssl);
    atomic_store(&host.mode, OWNER_FAILS);
    assert_null(host_tls(ctx, host_dial(), NULL));
    for (int i = 0; i < WAIT_MS && atomic_load(&host.gone) < 3; i++)
        (void)poll(NULL, 0, 1);
    host_pause();
    server_port_counts(host.port, &counts);
    assert_int_equal(counts.accepted, 3);
    assert_int_equal(counts.refused + counts.evicted, 0);
    assert_int_equal(counts.handshakes_full, 1);
    assert_int_equal(counts.handshakes_resumed, 1);
    assert_int_equal(counts.handshakes_failed, 1);
    assert_int_equal(server_port_count(host.port), 0);
    SSL_SESSION_free(session);
    SSL_CTX_free(ctx);
}

struct flood {
    int fd;
    uint8_t *bytes;
    size_t n;
    pthread_t thread;
    struct err err;
};

static void update(SSL *ssl, int times)
{
    for (int i = 0; i < times; i++)
        must(SSL_key_update(ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 && SSL_do_handshake(ssl) == 1);
}

static void *pour(void *context)
{
    struct flood *flood = context;

    flood->err = fd_write_all(flood->fd, bytes_of(flood->bytes, flood->n), deadline_in(WAIT_MS));
    return NULL;
}

// Key updates (RFC 8446 4.6.3) cost their sender nothing when it has made them beforehand, and
// carry no request: libssl must not read them for as long as they come, and they end some time.
static void test_key_updates(void **state)
{
    SSL_CTX *ctx = host_client(TLS1_3_VERSION, NULL);
    SSL *ssl = host_tls(ctx, host_dial(), NULL), *other = host_tls(ctx, host_dial(), NULL);
    struct flood flood = { .fd = SSL_get_fd(ssl) };
    BIO *bio = BIO_new(BIO_s_mem());
    char *bytes;

    (void)state;
    update(ssl, 64);
    assert_string_equal(host_ask(ssl, "/"), "nobody ");
    assert_string_equal(host_ask(other, "/"), "nobody ");
    SSL_set0_wbio(ssl, bio);
    update(ssl, UPDATES);
    must(host_put(ssl, "/"));
    flood.n = (size_t)BIO_get_mem_data(bio, &bytes);
    flood.bytes = (uint8_t *)bytes;
    must(pthread_create(&flood.thread, NULL, pour, &flood) == 0);
    (void)poll(NULL, 0, 20);
    assert_string_equal(host_ask(other, "/"), "nobody ");
    assert_int_equal(atomic_load(&host.requests), 3);
    must(pthread_join(flood.thread, NULL) == 0);
    assert_string_equal(host_get(ssl), "");
    assert_int_equal(atomic_load(&host.requests), 3);
    host_hang_up(other);
    host_hang_up(ssl);
    SSL_CTX_free(ctx);
}

// -Wl,--wrap: time that passes at once, for those who ask in another file.
static atomic_llong ahead_ms;

int64_t __real_deadline_now_ms(void);
int64_t __wrap_deadline_now_ms(void);

int64_t __wrap_deadline_now_ms(void)
{
    return __real_deadline_now_ms() + atomic_load(&ahead_ms);
}

static void refresh_in_five_hours(void)
{
    atomic_store(&ahead_ms, 5LL * 3600 * 1000);
    tls_server_refresh(host.context);
    atomic_store(&ahead_ms, 0);
}

static void refresh_in_six_hours(void)
{
    atomic_store(&ahead_ms, 6LL * 3600 * 1000 + 1000);
    tls_server_refresh(host.context);
    atomic_store(&ahead_ms, 0);
}

// Keys of tickets live for six hours.
static void test_ticket_keys(void **state)
{
    static const struct {
        void (*refresh)(void);
        int is_resumed;
    } cases[] = { { refresh_in_five_hours, 1 }, { refresh_in_six_hours, 0 } };
    SSL_CTX *ctx = host_client(TLS1_3_VERSION, NULL);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        SSL *ssl = host_tls(ctx, host_dial(), NULL);
        SSL_SESSION *session;

        assert_string_equal(host_ask(ssl, "/"), "nobody ");
        session = SSL_get1_session(ssl);
        host_hang_up(ssl);
        host_call(cases[i].refresh);
        ssl = host_tls(ctx, host_dial(), session);
        assert_string_equal(host_ask(ssl, "/"), "nobody ");
        assert_int_equal(SSL_session_reused(ssl), cases[i].is_resumed);
        host_hang_up(ssl);
        SSL_SESSION_free(session);
    }
    SSL_CTX_free(ctx);
}

// A ticket says nothing to another context, even of the same key.
static void test_other_tickets(void **state)
{
    SSL_CTX *ctx = host_client(TLS1_3_VERSION, NULL);
    SSL *ssl = host_tls(ctx, host_dial(), NULL);
    SSL_SESSION *session;

    (void)state;
    assert_string_equal(host_ask(ssl, "/"), "nobody ");
    session = SSL_get1_session(ssl);
    host_renew();
    assert_string_equal(host_ask(ssl, "/"), "nobody "); // goes on
    host_hang_up(ssl);
    ssl = host_tls(ctx, host_dial(), session);
    assert_string_equal(host_ask(ssl, "/"), "nobody ");
    assert_int_equal(SSL_session_reused(ssl), 0);
    host_hang_up(ssl);
    SSL_SESSION_free(session);
    SSL_CTX_free(ctx);
}

static void test_contexts_refused(void **state)
{
    struct tlspki other =
        tlspki_make(&(struct tlspki_form) { .name = "other", .san = "DNS:signer.example" }, NULL);
    BIO *bio = BIO_new(BIO_s_mem());
    struct tls_server_options options = { .chain_pem = tlspki_pem(bio, &other),
                                          .now_s = TLSPKI_NOW_S };
    struct tls_context *context;
    struct tls_server_leaf leaf;
    uint8_t fingerprint[32];
    struct bytes none = BYTES_LIT("no certificate");

    (void)state;
    options.key.sign = host_asked;
    tlspki_point(options.key.point, &host.server);
    expect_err("another key", tls_server_remote_new(&context, &options), ERR_MISMATCH, "key");
    options.key.point[0] ^= 1;
    expect_err("its mirror", tls_server_remote_new(&context, &options), ERR_MISMATCH, "key");
    options.now_s += 30LL * TLSPKI_DAY_S;
    expect_err("over", tls_server_remote_new(&context, &options), ERR_EXPIRED, "expired");
    assert_null(context);
    tls_server_leaf(&leaf, host.context);
    tlspki_fingerprint(fingerprint, &host.server);
    assert_memory_equal(leaf.sha256, fingerprint, 32);
    assert_int_equal(leaf.names, 1);
    assert_true(tls_server_is_name(host.context, BYTES_LIT("Signer.example")));
    assert_false(tls_server_is_name(host.context, BYTES_LIT("signer.example.org")));
    expect_err("authority", tls_server_set_authorities(host.context, &none, 1), ERR_MALFORMED,
               "authority");
    BIO_free(bio);
    tlspki_done(&other);
}

// The last one: in all these handshakes, no fibre came near the end of its stack.
static void test_depth(void **state)
{
    size_t deepest = atomic_load(&stacks.deepest);

    (void)state;
    print_message("fibres used %zu of %u bytes of stack\n", deepest, FIBRE_BYTES);
    assert_true(deepest > 0 && deepest <= FIBRE_USED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_owners, set_up, host_tear_down),
        cmocka_unit_test_setup_teardown(test_gone_meanwhile, set_up_impatient, host_tear_down),
        cmocka_unit_test_setup_teardown(test_owner_never_answers, set_up_impatient, host_tear_down),
        cmocka_unit_test_setup_teardown(test_many_at_once, set_up, host_tear_down),
        cmocka_unit_test_setup_teardown(test_resumption, set_up, host_tear_down),
        cmocka_unit_test_setup_teardown(test_ticket_keys, set_up, host_tear_down),
        cmocka_unit_test_setup_teardown(test_counts, set_up, host_tear_down),
        cmocka_unit_test_setup_teardown(test_other_tickets, set_up, host_tear_down),
        cmocka_unit_test_setup_teardown(test_key_updates, set_up, host_tear_down),
        cmocka_unit_test_setup_teardown(test_contexts_refused, set_up, host_tear_down),
        cmocka_unit_test(test_depth),
    };

    must(CRYPTO_set_mem_functions(painting_malloc, painting_realloc, painting_free) == 1);
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
