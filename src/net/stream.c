// SPDX-License-Identifier: Apache-2.0
// Connections for code that waits. Duty: every wait ends at the caller's deadline, a broken peer is
// an error and never a signal, and a TLS client talks to nobody whose certificate is not for
// exactly the host it meant. It trusts libssl and the roots in the context; bytes are passed on
// unread.
#include "net/stream.h"

#include "base/fd.h"
#include "base/must.h"
#include "base/wr.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define ASIDE_MS 1000 // for looks and farewells, which have no deadline of their own

struct stream {
    int fd;
    SSL *ssl;              // NULL: plain
    BIO_METHOD *method;    // of the BIO under ssl
    bool broken;           // no close_notify after a failure
    struct deadline until; // of the call of libssl that runs
};

// Our own BIO under libssl, because its socket BIO writes with write(2), which raises SIGPIPE, and
// because a peer that never pauses can keep libssl reading for ever: past the deadline there is
// nothing to read.
static int stream_bio_write(BIO *bio, const char *data, size_t n, size_t *done)
{
    const struct stream *s = BIO_get_data(bio);
    ssize_t put = send(s->fd, data, n, MSG_NOSIGNAL | MSG_DONTWAIT);

    BIO_clear_retry_flags(bio);
    if (put < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        BIO_set_retry_write(bio);
    *done = put > 0 ? (size_t)put : 0;
    return put > 0;
}

static int stream_bio_read(BIO *bio, char *out, size_t cap, size_t *n)
{
    const struct stream *s = BIO_get_data(bio);
    ssize_t got;

    BIO_clear_retry_flags(bio);
    *n = 0;
    if (deadline_left_ms(s->until) == 0)
        return 0;
    got = recv(s->fd, out, cap, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        BIO_set_retry_read(bio);
    *n = got > 0 ? (size_t)got : 0;
    return got > 0;
}

static long stream_bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH; // nothing is buffered; nothing else is offered
}

static struct err stream_start_tls(struct stream *s, struct tls_context *context)
{
    BIO *bio;

    s->ssl = SSL_new((SSL_CTX *)context);
    s->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "stream");
    ENSURE(s->ssl && s->method, ERR_INTERNAL, "TLS: out of memory");
    ENSURE(BIO_meth_set_write_ex(s->method, stream_bio_write) == 1 &&
               BIO_meth_set_read_ex(s->method, stream_bio_read) == 1 &&
               BIO_meth_set_ctrl(s->method, stream_bio_control) == 1,
           ERR_INTERNAL, "TLS: no BIO");
    bio = BIO_new(s->method);
    ENSURE(bio, ERR_INTERNAL, "TLS: out of memory");
    BIO_set_data(bio, s);
    BIO_set_init(bio, 1);
    SSL_set_bio(s->ssl, bio, bio);
    return OK;
}

static struct err stream_make(struct stream **out, int fd)
{
    struct stream *s = calloc(1, sizeof(*s));

    *out = s;
    if (!s) {
        fd_close(&fd);
        return FAIL(ERR_FULL, "connection: out of memory");
    }
    s->fd = fd;
    return fd_set_nonblock(fd);
}

// *s belongs to the caller only when nothing failed.
static struct err stream_give(struct stream **s, struct err err)
{
    if (err.code)
        stream_free(s);
    return err;
}

struct err stream_new(struct stream **out, int fd)
{
    return stream_give(out, stream_make(out, fd));
}

// After a call of libssl that did not succeed: waits for what it wants, or names the failure.
// Nothing that the peer sent gets into the error.
static struct err stream_tls_wait(struct stream *s, int result, struct deadline until)
{
    int error = SSL_get_error(s->ssl, result);

    ERR_clear_error();
    if (error == SSL_ERROR_WANT_READ)
        return fd_wait(s->fd, POLLIN, until);
    if (error == SSL_ERROR_WANT_WRITE)
        return fd_wait(s->fd, POLLOUT, until);
    s->broken = true;
    ENSURE(error != SSL_ERROR_SYSCALL || deadline_left_ms(until) > 0, ERR_TIMEOUT,
           "no answer in time");
    ENSURE(error != SSL_ERROR_SYSCALL && error != SSL_ERROR_ZERO_RETURN, ERR_CLOSED,
           "TLS: connection was closed");
    return FAIL(ERR_MALFORMED, "TLS: the peer broke the protocol");
}

// Says why a handshake failed, when it was the certificate.
static struct err stream_judge(const struct stream *s, struct err err)
{
    long verdict = SSL_get_verify_result(s->ssl);

    if (verdict == X509_V_OK)
        return err;
    ENSURE(verdict != X509_V_ERR_CERT_HAS_EXPIRED && verdict != X509_V_ERR_CERT_NOT_YET_VALID,
           ERR_EXPIRED, "TLS: a certificate of the server is not valid at this time");
    ENSURE(verdict != X509_V_ERR_HOSTNAME_MISMATCH, ERR_UNTRUSTED,
           "TLS: the server's certificate is for another host");
    return FAIL(ERR_UNTRUSTED, "TLS: the server's certificate does not lead to a trusted root");
}

static struct err stream_handshake(struct stream *s, struct deadline until)
{
    s->until = until;
    for (;;) {
        int result;
        struct err err;

        ERR_clear_error();
        result = SSL_do_handshake(s->ssl);
        if (result == 1)
            return OK;
        err = stream_tls_wait(s, result, until);
        if (err.code)
            return stream_judge(s, err);
    }
}

// libssl takes an empty host for "any" and a leading dot for "any below": both are refused here.
static struct err stream_expect(struct stream *s, const char *host, uint64_t now_s)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(s->ssl);

    ENSURE(host[0] != 0 && host[0] != '.', ERR_MALFORMED, "TLS: host name is missing");
    ENSURE(X509_VERIFY_PARAM_set1_host(param, host, strlen(host)) == 1 &&
               SSL_set_tlsext_host_name(s->ssl, host) == 1,
           ERR_MALFORMED, "TLS: host name not accepted");
    if (now_s != 0)
        X509_VERIFY_PARAM_set_time(param, (time_t)now_s);
    SSL_set_connect_state(s->ssl);
    return OK;
}

static struct err stream_connect(struct stream *s, const struct stream_peer *peer,
                                 struct deadline until)
{
    TRY(stream_start_tls(s, peer->context));
    TRY(stream_expect(s, peer->host, peer->now_s));
    return stream_handshake(s, until);
}

struct err stream_new_tls(struct stream **out, int fd, const struct stream_peer *peer,
                          struct deadline until)
{
    struct err err = stream_make(out, fd);

    if (!err.code)
        err = stream_connect(*out, peer, until);
    return stream_give(out, err);
}

struct err stream_accept_tls(struct stream **out, int fd, struct tls_context *context,
                             struct deadline until)
{
    struct err err = stream_make(out, fd);

    if (!err.code)
        err = stream_start_tls(*out, context);
    if (!err.code) {
        SSL_set_accept_state((*out)->ssl);
        err = stream_handshake(*out, until);
    }
    return stream_give(out, err);
}

// After a call on the socket that returned -1.
static struct err stream_plain_wait(const struct stream *s, short events, struct deadline until)
{
    if (errno == EINTR)
        return OK;
    ENSURE(errno == EAGAIN || errno == EWOULDBLOCK, ERR_CLOSED, "connection was closed");
    return fd_wait(s->fd, events, until);
}

static struct err stream_read_plain(struct stream *s, struct wr *out, struct deadline until)
{
    for (;;) {
        ssize_t got = recv(s->fd, out->p, out->cap, MSG_DONTWAIT);

        if (got >= 0) {
            out->len = (size_t)got;
            return OK;
        }
        TRY(stream_plain_wait(s, POLLIN, until));
    }
}

static struct err stream_read_tls(struct stream *s, struct wr *out, struct deadline until)
{
    s->until = until;
    for (;;) {
        int result;

        ERR_clear_error();
        result = SSL_read_ex(s->ssl, out->p, out->cap, &out->len);
        if (result == 1)
            return OK;
        out->len = 0;
        if (SSL_get_error(s->ssl, result) == SSL_ERROR_ZERO_RETURN)
            return OK;
        TRY(stream_tls_wait(s, result, until));
    }
}

struct err stream_read(struct stream *s, uint8_t *out, size_t cap, size_t *n, struct deadline until)
{
    struct wr room = wr_of(out, cap);

    *n = 0;
    must(cap > 0);
    TRY(s->ssl ? stream_read_tls(s, &room, until) : stream_read_plain(s, &room, until));
    *n = room.len;
    return OK;
}

static struct err stream_write_some(struct stream *s, struct bytes b, size_t *n,
                                    struct deadline until)
{
    ssize_t put;
    int result;

    *n = 0;
    if (!s->ssl) {
        put = send(s->fd, b.p, b.n, MSG_NOSIGNAL | MSG_DONTWAIT);
        *n = put > 0 ? (size_t)put : 0;
        return put < 0 ? stream_plain_wait(s, POLLOUT, until) : OK;
    }
    s->until = until;
    ERR_clear_error();
    result = SSL_write_ex(s->ssl, b.p, b.n, n);
    if (result == 1)
        return OK;
    *n = 0;
    return stream_tls_wait(s, result, until);
}

struct err stream_write(struct stream *s, struct bytes b, struct deadline until)
{
    while (b.n > 0) {
        size_t n;

        TRY(stream_write_some(s, b, &n, until));
        b = bytes_skip(b, n);
    }
    return OK;
}

// Under TLS the socket may become readable for session tickets, which are nothing unasked: look
// through libssl.
bool stream_is_stale(struct stream *s)
{
    struct pollfd ready = { .fd = s->fd, .events = POLLIN };
    uint8_t byte;
    size_t n;
    int result;

    if (s->broken || (s->ssl && SSL_pending(s->ssl) > 0))
        return true;
    if (poll(&ready, 1, 0) == 0)
        return false;
    if (!s->ssl)
        return true;
    s->until = deadline_in(ASIDE_MS);
    ERR_clear_error();
    result = SSL_peek_ex(s->ssl, &byte, sizeof(byte), &n);
    return result == 1 || SSL_get_error(s->ssl, result) != SSL_ERROR_WANT_READ;
}

void stream_free(struct stream **stream)
{
    struct stream *s = *stream;

    *stream = NULL;
    if (!s)
        return;
    s->until = deadline_in(ASIDE_MS);
    if (s->ssl && !s->broken && SSL_is_init_finished(s->ssl))
        (void)SSL_shutdown(s->ssl);
    SSL_free(s->ssl);
    BIO_meth_free(s->method);
    ERR_clear_error();
    fd_close(&s->fd);
    free(s);
}
