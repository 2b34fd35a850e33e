// SPDX-License-Identifier: Apache-2.0
// An HTTPS server (httpd/server_port.h) in a thread of its own, whose key has an owner that answers
// at once, late, wrongly or never; and clients of it. Include it after cmocka.h.
#pragma once

#include "base/fd.h"
#include "base/wr.h"
#include "httpd/server_port.h"
#include "net/addr.h"

#include <fcntl.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "expect.h"
#include "tlspki.h"

#define WAIT_MS  30000 // for what must happen, however busy the machine is
#define JOBS_MAX 2048U

enum owner_mode { OWNER_NOW, OWNER_LATER, OWNER_FAILS, OWNER_REFUSES, OWNER_GARBAGE, OWNER_KEEPS };

static struct host {
    struct tlspki server;
    struct tls_context *context;
    struct server_port *port;
    struct loop *loop;
    struct loop_timer *timer;
    uint32_t tcp_port;
    pthread_t thread;
    bool is_paused;
    uint8_t known[32]; // the fingerprint that is
    atomic_bool knows;
    atomic_uint later_s; // than TLSPKI_NOW_S it is
    atomic_int mode;
    atomic_uint asked[3]; // by kind
    atomic_uint requests, gone;
    struct job {
        struct tls_key_job *job;
        uint8_t der[TLS_KEY_DER_MAX];
        size_t n;
    } kept[JOBS_MAX];
    atomic_uint keeps;
    atomic_bool releases; // what is kept is answered
    struct server_conn *held;
    _Atomic(struct tls_context *) next; // takes the place of the context
    _Atomic(void (*)(void)) call;       // in the loop's thread
} host;

// RFC 8446 4.4.3 and RFC 8422 5.4, once more.
static inline size_t host_sign(uint8_t out[static TLS_KEY_DER_MAX], enum tls_key_kind kind,
                               struct bytes input)
{
    static const char head[] = "TLS 1.3, server CertificateVerify";
    uint8_t content[512];
    struct wr wr = WR_OF(content);
    size_t n = TLS_KEY_DER_MAX;
    EVP_MD_CTX *md = EVP_MD_CTX_new();

    for (int i = 0; i < 64 && kind == TLS_KEY_VERIFY13; i++)
        wr_u8(&wr, ' ');
    if (kind == TLS_KEY_VERIFY13)
        wr_bytes(&wr, BYTES_OF(head));
    wr_bytes(&wr, input);
    must(EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, host.server.key) == 1);
    must(EVP_DigestSign(md, out, &n, content, wr.len) == 1);
    EVP_MD_CTX_free(md);
    return n;
}

static inline struct err host_asked(void *context, struct tls_key_job *job, enum tls_key_kind kind,
                                    struct bytes input)
{
    struct job *kept = &host.kept[atomic_load(&host.keeps) % JOBS_MAX];
    int mode = atomic_load(&host.mode);

    must(context == &host && (kind == TLS_KEY_VERIFY13 || kind == TLS_KEY_EXCHANGE12));
    atomic_fetch_add(&host.asked[kind], 1);
    if (mode == OWNER_REFUSES)
        return FAIL(ERR_BUSY, "too much at once");
    *kept = (struct job) { .job = job };
    if (mode == OWNER_GARBAGE)
        kept->n = sizeof(kept->der);
    else if (mode != OWNER_FAILS)
        kept->n = host_sign(kept->der, kind, input);
    if (mode == OWNER_NOW)
        tls_key_done(job, bytes_of(kept->der, kept->n));
    else
        atomic_fetch_add(&host.keeps, 1);
    return OK;
}

static inline void host_answer(void)
{
    for (unsigned i = 0; i < atomic_load(&host.keeps); i++)
        tls_key_done(host.kept[i].job, bytes_of(host.kept[i].der, host.kept[i].n));
    atomic_store(&host.keeps, 0);
}

// Twenty times in a second: what is late, and what a test has asked for.
static inline void host_tick(void *context)
{
    struct tls_context *next = atomic_load(&host.next);
    void (*call)(void) = atomic_load(&host.call);

    (void)context;
    if (next) {
        server_port_set_tls(host.port, next);
        tls_context_free(&host.context);
        host.context = next;
        atomic_store(&host.next, NULL);
    }
    if (call)
        call();
    atomic_store(&host.call, NULL);
    if (atomic_load(&host.mode) != OWNER_KEEPS || atomic_load(&host.releases))
        host_answer();
    loop_timer_set(host.timer, deadline_in(20));
}

static inline void host_write_hex(struct wr *wr, const uint8_t bytes[static 32])
{
    for (size_t i = 0; i < 32; i++) {
        wr_u8(wr, (uint8_t) "0123456789abcdef"[bytes[i] >> 4]);
        wr_u8(wr, (uint8_t) "0123456789abcdef"[bytes[i] & 15]);
    }
}

// Says who asks: "LEAF AUTHORITY SOURCE", or "nobody SOURCE".
static inline void host_dispatch(void *context, struct server_conn *conn)
{
    const struct tls_peer *peer = server_conn_peer(conn);
    struct server_response response = { .status = 200, .content_type = "text/plain" };
    uint8_t body[512];

    must(context == &host);
    atomic_fetch_add(&host.requests, 1);
    if (bytes_equal_str(server_conn_request(conn)->head->target, "/hold")) {
        host.held = conn;
        return;
    }
    response.body = WR_OF(body);
    if (peer && peer->has_certificate) {
        host_write_hex(&response.body, peer->leaf);
        wr_str(&response.body, " ");
        host_write_hex(&response.body, peer->authority);
    } else {
        wr_str(&response.body, peer ? "nobody" : "plain");
    }
    wr_str(&response.body, " ");
    wr_bytes(&response.body, server_conn_source(conn));
    server_conn_answer(conn, &response);
}

static inline void host_gone(void *context, struct server_conn *conn)
{
    must(context == &host);
    host.held = host.held == conn ? NULL : host.held;
    atomic_fetch_add(&host.gone, 1);
}

static inline bool host_knows(void *context, const uint8_t leaf[static 32])
{
    must(context == &host);
    return atomic_load(&host.knows) && memcmp(leaf, host.known, 32) == 0;
}

static inline uint64_t host_clock(void *context)
{
    must(context == &host);
    return TLSPKI_NOW_S + atomic_load(&host.later_s);
}

static inline void *host_main(void *context)
{
    loop_run(host.loop);
    return context;
}

// Another context with the same key.
static inline struct tls_context *host_context(void)
{
    BIO *bio = BIO_new(BIO_s_mem());
    struct tls_server_options options = { .chain_pem = tlspki_pem(bio, &host.server),
                                          .now_s = TLSPKI_NOW_S,
                                          .known = host_knows,
                                          .clock = host_clock,
                                          .context = &host };
    struct tls_context *context;

    options.key = (struct tls_key) { .sign = host_asked, .context = &host };
    tlspki_point(options.key.point, &host.server);
    expect_ok("context", tls_server_remote_new(&context, &options));
    BIO_free(bio);
    return context;
}

static inline void host_start(const struct server_port_options *wanted)
{
    struct server_port_options options = *wanted;
    struct addr at = { .kind = ADDR_TCP, .host = "127.0.0.1" }, bound;
    int fd;

    host = (struct host) { .knows = true };
    host.server =
        tlspki_make(&(struct tlspki_form) { .name = "server", .san = "DNS:signer.example" }, NULL);
    host.context = host_context();
    expect_ok("listen", addr_listen(&fd, &at, &bound));
    host.tcp_port = bound.port;
    expect_ok("loop", loop_new(&host.loop));
    expect_ok("timer", loop_timer(host.loop, &host.timer, deadline_in(20), host_tick, NULL));
    options.loop = host.loop;
    options.tls = host.context;
    options.needs_tls = true;
    options.dispatch = host_dispatch;
    options.gone = host_gone;
    options.context = &host;
    expect_ok("port", server_port_new(&host.port, fd, &options));
    must(pthread_create(&host.thread, NULL, host_main, NULL) == 0);
}

// New connections get another context with the same key.
static inline void host_renew(void)
{
    atomic_store(&host.next, host_context());
    while (atomic_load(&host.next))
        (void)poll(NULL, 0, 1);
}

static inline void host_call(void (*call)(void))
{
    atomic_store(&host.call, call);
    while (atomic_load(&host.call))
        (void)poll(NULL, 0, 1);
}

// The loop does not run any more: what it has may be looked at.
static inline void host_pause(void)
{
    if (host.is_paused)
        return;
    loop_stop(host.loop);
    must(pthread_join(host.thread, NULL) == 0);
    host.is_paused = true;
}

static inline void host_stop(void)
{
    host_pause();
    server_port_free(&host.port);
    assert_null(host.port);
    host_answer();
    loop_timer_free(&host.timer);
    loop_free(&host.loop);
    tls_context_free(&host.context);
    tlspki_done(&host.server);
}

// For groups of tests that need no other host.
static inline int host_set_up(void **state)
{
    (void)state;
    host_start(&(struct server_port_options) { .connections_max = 64, .request_max = 65536 });
    return 0;
}

static inline int host_tear_down(void **state)
{
    (void)state;
    host_stop();
    return 0;
}

// -- clients -----------------------------------------------------------------------------------

static inline int host_dial(void)
{
    struct addr to = { .kind = ADDR_TCP, .host = "127.0.0.1", .port = host.tcp_port };
    struct timeval patience = { .tv_sec = WAIT_MS / 1000 };
    int fd;

    expect_ok("dial", addr_dial(&fd, &to, deadline_in(WAIT_MS)));
    must(fcntl(fd, F_SETFL, 0) == 0);
    must(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)) == 0);
    return fd;
}

static inline SSL_CTX *host_client(int version, const struct tlspki *identity)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    must(SSL_CTX_set_min_proto_version(ctx, version) == 1);
    must(SSL_CTX_set_max_proto_version(ctx, version) == 1);
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT);
    if (identity) {
        must(SSL_CTX_use_certificate(ctx, identity->certificate) == 1);
        must(SSL_CTX_use_PrivateKey(ctx, identity->key) == 1);
    }
    return ctx;
}

// Over a connection; NULL: the handshake failed.
static inline SSL *host_tls(SSL_CTX *ctx, int fd, SSL_SESSION *session)
{
    SSL *ssl = SSL_new(ctx);

    must(SSL_set_fd(ssl, fd) == 1 && SSL_set_tlsext_host_name(ssl, "signer.example") == 1);
    if (session)
        must(SSL_set_session(ssl, session) == 1);
    if (SSL_connect(ssl) == 1)
        return ssl;
    SSL_free(ssl);
    (void)close(fd);
    return NULL;
}

static inline void host_hang_up(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);

    (void)SSL_shutdown(ssl);
    SSL_free(ssl);
    (void)close(fd);
}

static inline bool host_put(SSL *ssl, const char *target)
{
    char request[256];
    int n = snprintf(request, sizeof(request), "GET %s HTTP/1.1\r\nHost: signer.example\r\n\r\n",
                     target);

    return SSL_write(ssl, request, n) == n;
}

// The body of the answer to a request; "" when there is none.
static inline const char *host_get(SSL *ssl)
{
    static char answer[4096];
    int at = 0;

    answer[0] = 0;
    while (at < (int)sizeof(answer) - 1 && !strstr(answer, "\r\n\r\n")) {
        int n = SSL_read(ssl, answer + at, (int)sizeof(answer) - 1 - at);

        if (n <= 0)
            return "";
        at += n;
        answer[at] = 0;
    }
    return strstr(answer, "\r\n\r\n") + 4;
}

static inline const char *host_ask(SSL *ssl, const char *target)
{
    return host_put(ssl, target) ? host_get(ssl) : "";
}
