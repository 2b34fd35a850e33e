// SPDX-License-Identifier: Apache-2.0
// Non-blocking connections. Duty: move bytes when that is possible at once, through libssl when
// there is a TLS context, and let a TLS client talk to nobody whose certificate is not for exactly
// the host it meant. It trusts libssl and the roots in the context. Bytes of the peer are passed on
// unread; every TLS failure is the end of the connection, and libssl's error queue never leaks into
// another one.
#include "net/wire.h"

#include "base/fd.h"
#include "crypto/openssl/sha2.h"
#include "net/wire_bio.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define ASIDE_MS    1000 // for looks and farewells, which have no deadline of their own
#define DISCARD_MAX 16   // reads of one call
#define UPDATES_MAX 256U // key updates: each is work, none is needed before 2^24 records

struct wire {
    struct wire_bio io;
    SSL *ssl;        // NULL: plain
    bool broken;     // no close_notify after a failure
    bool signs;      // a server's handshake that may have to wait for its key's owner
    bool waiting;    // it does, or for a fibre
    bool has_waited; // for the owner
    bool has_peer;
    unsigned updates; // of keys, by a server's client
    uint32_t wants;
    void (*wake)(void *context); // when it need not wait any more
    void *wake_context;
    struct wire *next; // in wire_starved
    struct tls_peer peer;
};

// Handshakes that found no fibre, in the order in which they came. Each thread has its fibres.
static _Thread_local struct wire *wire_starved;

static bool wire_is_blocked(ssize_t moved)
{
    return moved < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

static struct err wire_start_tls(struct wire *wire, struct tls_context *tls)
{
    BIO *bio;

    wire->ssl = SSL_new((SSL_CTX *)tls);
    ENSURE(wire->ssl, ERR_FULL, "TLS: out of memory");
    TRY(wire_bio_new(&bio, &wire->io));
    SSL_set_bio(wire->ssl, bio, bio);
    SSL_set_accept_state(wire->ssl);
    return OK;
}

static void wire_wake(struct wire *wire)
{
    wire->waiting = false;
    wire->wants = EPOLLIN;
    if (wire->wake)
        wire->wake(wire->wake_context);
}

static int wire_signed(SSL *ssl, void *context)
{
    (void)ssl;
    wire_wake(context);
    return 1;
}

// Told of each handshake message; after the handshake, of TLS 1.3 and our contexts, these are key
// updates (RFC 8446 4.6.3) and our answers to them.
static void wire_note(const SSL *ssl, int where, int value)
{
    struct wire *wire = SSL_get_app_data(ssl);

    (void)value;
    wire->updates += wire->has_peer && where == SSL_CB_ACCEPT_LOOP;
}

// For contexts of net/tls_server.h.
static struct err wire_start_signing(struct wire *wire)
{
    wire->signs = SSL_get_mode(wire->ssl) & SSL_MODE_ASYNC;
    if (!wire->signs)
        return OK;
    tls_key_enter_thread();
    SSL_set_info_callback(wire->ssl, wire_note);
    ENSURE(SSL_set_app_data(wire->ssl, wire) == 1 &&
               SSL_set_async_callback(wire->ssl, wire_signed) == 1 &&
               SSL_set_async_callback_arg(wire->ssl, wire) == 1,
           ERR_INTERNAL, "TLS: no way to wait");
    return OK;
}

static void wire_starve(struct wire *wire)
{
    struct wire **at = &wire_starved;

    while (*at)
        at = &(*at)->next;
    *at = wire;
}

// A fibre has become free: for the one that waits longest.
static void wire_feed(void)
{
    struct wire *first = wire_starved;

    if (!first)
        return;
    wire_starved = first->next;
    first->next = NULL;
    wire_wake(first);
}

static void wire_leave(struct wire *wire)
{
    for (struct wire **at = &wire_starved; *at; at = &(*at)->next)
        if (*at == wire) {
            *at = wire->next;
            return;
        }
}

void wire_set_wake(struct wire *wire, void (*call)(void *context), void *context)
{
    wire->wake = call;
    wire->wake_context = context;
}

struct err wire_new(struct wire **out, int fd, struct tls_context *tls)
{
    struct wire *wire = calloc(1, sizeof(*wire));
    struct err err;

    *out = wire;
    if (!wire) {
        fd_close(&fd);
        return FAIL(ERR_FULL, "connection: out of memory");
    }
    *wire = (struct wire) { .io = { .fd = fd, .until.at_ms = INT64_MAX }, .wants = EPOLLIN };
    err = fd_set_nonblock(fd);
    if (!err.code && tls)
        err = wire_secure(wire, tls, BYTES_NONE);
    if (err.code)
        wire_free(out);
    return err;
}

struct err wire_secure(struct wire *wire, struct tls_context *tls, struct bytes early)
{
    TRY(wire_bio_put_back(&wire->io, early));
    TRY(wire_start_tls(wire, tls));
    return wire_start_signing(wire);
}

// RFC 6066 3: a server is named in the handshake by its name, never by an address.
static bool wire_is_address(const char *host)
{
    struct in_addr ipv4;

    return host[0] == '[' || inet_pton(AF_INET, host, &ipv4) == 1;
}

// libssl takes an empty host for "any" and a leading dot for "any below": both are refused here.
static struct err wire_expect(struct wire *wire, const char *host, uint64_t now_s)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(wire->ssl);

    ENSURE(host[0] != 0 && host[0] != '.', ERR_MALFORMED, "TLS: host name is missing");
    ENSURE(X509_VERIFY_PARAM_set1_host(param, host, strlen(host)) == 1 &&
               (wire_is_address(host) || SSL_set_tlsext_host_name(wire->ssl, host) == 1),
           ERR_MALFORMED, "TLS: host name not accepted");
    if (now_s != 0)
        X509_VERIFY_PARAM_set_time(param, (time_t)now_s);
    SSL_set_connect_state(wire->ssl);
    return OK;
}

struct err wire_new_client(struct wire **out, int fd, const struct wire_peer *peer)
{
    struct err err = wire_new(out, fd, peer->context);

    if (!err.code)
        err = wire_expect(*out, peer->host, peer->now_s);
    if (err.code)
        wire_free(out);
    return err;
}

static enum wire_result wire_judge_plain(struct wire *wire, ssize_t moved, uint32_t direction)
{
    wire->wants = moved > 0 ? EPOLLIN : direction;
    if (moved > 0)
        return WIRE_DONE;
    if (moved == 0)
        return WIRE_END;
    return wire_is_blocked(moved) ? WIRE_BLOCKED : WIRE_CLOSED;
}

static enum wire_result wire_judge_tls(struct wire *wire, int result)
{
    int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(wire->ssl, result);

    // A fibre that waits is told of before whatever else stands in the queue of errors: it must
    // come to its end before its connection is freed.
    if (SSL_waiting_for_async(wire->ssl))
        error = SSL_ERROR_WANT_ASYNC;
    ERR_clear_error();
    wire->wants = EPOLLIN;
    if (error == SSL_ERROR_NONE)
        return WIRE_DONE;
    if (error == SSL_ERROR_ZERO_RETURN)
        return WIRE_END;
    if (error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE) {
        wire->wants = error == SSL_ERROR_WANT_WRITE ? EPOLLOUT : EPOLLIN;
        return WIRE_BLOCKED;
    }
    if (error == SSL_ERROR_WANT_ASYNC || error == SSL_ERROR_WANT_ASYNC_JOB) {
        wire->waiting = true;
        wire->has_waited = wire->has_waited || error == SSL_ERROR_WANT_ASYNC;
        wire->wants = 0;
        if (error == SSL_ERROR_WANT_ASYNC_JOB)
            wire_starve(wire);
        return WIRE_BLOCKED;
    }
    wire->broken = true;
    return error == SSL_ERROR_SYSCALL ? WIRE_CLOSED : WIRE_BROKEN;
}

enum wire_result wire_handshake(struct wire *wire)
{
    wire->io.recvs = 0;
    ERR_clear_error();
    return wire_judge_tls(wire, SSL_do_handshake(wire->ssl));
}

struct err wire_verdict(const struct wire *wire)
{
    long verdict = SSL_get_verify_result(wire->ssl);

    ENSURE(verdict != X509_V_ERR_CERT_HAS_EXPIRED && verdict != X509_V_ERR_CERT_NOT_YET_VALID,
           ERR_EXPIRED, "TLS: a certificate of the server is not valid at this time");
    ENSURE(verdict != X509_V_ERR_HOSTNAME_MISMATCH, ERR_UNTRUSTED,
           "TLS: the server's certificate is for another host");
    ENSURE(verdict == X509_V_OK, ERR_UNTRUSTED,
           "TLS: the server's certificate does not lead to a trusted root");
    return OK;
}

struct err wire_peer_spki(const struct wire *wire, uint8_t out[static 32])
{
    bool is_proved = wire->ssl && SSL_is_init_finished(wire->ssl);
    const X509 *leaf = is_proved ? SSL_get0_peer_certificate(wire->ssl) : NULL;
    uint8_t *der = NULL;
    int n = leaf ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(leaf), &der) : 0;

    if (n > 0)
        sha2_256(out, bytes_of(der, (size_t)n));
    OPENSSL_free(der);
    ERR_clear_error();
    ENSURE(n > 0, ERR_NOT_FOUND, "TLS: the peer has shown no certificate");
    return OK;
}

// After the signature libssl need not be able to wait any more. So a client's certificate is read
// on this thread's own stack, unless it came before our flight: then on the fibre's 32 KiB, of
// which it takes 8.
static void wire_look(struct wire *wire)
{
    bool is_over = SSL_is_init_finished(wire->ssl) || wire->broken;

    if (is_over || wire->has_waited)
        (void)SSL_clear_mode(wire->ssl, SSL_MODE_ASYNC);
    wire_feed();
    wire->signs = !is_over;
    if (is_over && !wire->broken)
        wire->has_peer = tls_server_identify(&wire->peer, wire->ssl);
}

// A fibre goes on with the arguments that it began with, and the buffer of that read may be another
// connection's by then. So there is none: the fibre's part ends with the handshake.
static enum wire_result wire_accept(struct wire *wire)
{
    enum wire_result result = wire_handshake(wire);

    if (!wire->waiting)
        wire_look(wire);
    return result;
}

enum wire_result wire_read(struct wire *wire, uint8_t *out, size_t cap, size_t *n)
{
    enum wire_result result;
    ssize_t got;

    *n = 0;
    if (!wire->ssl) {
        got = recv(wire->io.fd, out, cap, MSG_DONTWAIT);
        wire->io.more = got > 0 && (size_t)got == cap;
        *n = got > 0 ? (size_t)got : 0;
        return wire_judge_plain(wire, got, EPOLLIN);
    }
    if (wire->waiting)
        return WIRE_BLOCKED;
    if (wire->signs && (result = wire_accept(wire)) != WIRE_DONE)
        return result;
    wire->io.recvs = 0;
    ERR_clear_error();
    result = wire_judge_tls(wire, SSL_read_ex(wire->ssl, out, cap, n));
    *n = result == WIRE_DONE ? *n : 0;
    if (wire->updates > UPDATES_MAX) {
        wire->broken = true;
        return WIRE_BROKEN;
    }
    return result;
}

bool wire_discard(struct wire *wire)
{
    enum wire_result result = WIRE_DONE;
    uint8_t sink[4096];
    size_t n;

    for (int i = 0; i < DISCARD_MAX && result == WIRE_DONE; i++)
        result = wire_read(wire, sink, sizeof(sink), &n);
    return result == WIRE_BLOCKED || result == WIRE_DONE;
}

bool wire_has_more(const struct wire *wire)
{
    return wire->io.more || (wire->ssl && SSL_has_pending(wire->ssl));
}

const struct tls_peer *wire_peer(const struct wire *wire)
{
    return wire->has_peer ? &wire->peer : NULL;
}

enum wire_result wire_write(struct wire *wire, struct bytes b, size_t *n)
{
    enum wire_result result;
    ssize_t put;

    *n = 0;
    if (!wire->ssl) {
        put = send(wire->io.fd, b.p, b.n, MSG_DONTWAIT | MSG_NOSIGNAL);
        *n = put > 0 ? (size_t)put : 0;
        return wire_judge_plain(wire, put, EPOLLOUT);
    }
    ERR_clear_error();
    result = wire_judge_tls(wire, SSL_write_ex(wire->ssl, b.p, b.n, n));
    *n = result == WIRE_DONE ? *n : 0;
    return result;
}

void wire_set_until(struct wire *wire, struct deadline until)
{
    wire->io.until = until;
}

uint32_t wire_wants(const struct wire *wire)
{
    return wire->wants;
}

int wire_fd(const struct wire *wire)
{
    return wire->io.fd;
}

// Under TLS the socket may become readable for session tickets, which are nothing unasked: look
// through libssl.
bool wire_is_stale(struct wire *wire)
{
    struct pollfd ready = { .fd = wire->io.fd, .events = POLLIN };
    uint8_t byte;
    size_t n;

    if (wire->broken || (wire->ssl && SSL_pending(wire->ssl) > 0))
        return true;
    if (poll(&ready, 1, 0) == 0)
        return false;
    if (!wire->ssl)
        return true;
    wire->io.until = deadline_in(ASIDE_MS);
    wire->io.recvs = 0;
    ERR_clear_error();
    return wire_judge_tls(wire, SSL_peek_ex(wire->ssl, &byte, sizeof(byte), &n)) != WIRE_BLOCKED ||
           wire->wants != EPOLLIN;
}

static void wire_say_goodbye(struct wire *wire)
{
    wire->io.until = deadline_in(ASIDE_MS);
    if (wire->ssl && !wire->broken && SSL_is_init_finished(wire->ssl))
        (void)SSL_shutdown(wire->ssl);
    ERR_clear_error();
}

void wire_finish(struct wire *wire)
{
    wire_say_goodbye(wire);
    (void)shutdown(wire->io.fd, SHUT_WR);
}

// A fibre has to come to its end, or it is lost: it goes on, without a signature when there is
// none. Also after the wire was woken, when nobody has read since, its fibre is still there, or the
// one that it was woken for, which is another one's then.
static void wire_abandon(struct wire *wire)
{
    wire->wake = NULL;
    if (!wire->signs)
        return;
    wire_leave(wire);
    if (SSL_waiting_for_async(wire->ssl))
        (void)SSL_do_handshake(wire->ssl);
    wire->broken = true;
    wire_feed();
}

void wire_free(struct wire **wire)
{
    if (!*wire)
        return;
    wire_abandon(*wire);
    wire_say_goodbye(*wire);
    SSL_free((*wire)->ssl);
    wire_bio_done(&(*wire)->io);
    fd_close(&(*wire)->io.fd);
    free(*wire);
    *wire = NULL;
}
