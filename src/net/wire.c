// SPDX-License-Identifier: Apache-2.0
// Non-blocking connections. Duty: move bytes when that is possible at once, through libssl when
// there is a TLS context. Bytes of the peer are passed on unread; every TLS failure is the end of
// the connection, and libssl's error queue never leaks into the next connection.
#include "net/wire.h"

#include "base/fd.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

struct wire {
    int fd;
    SSL *ssl; // NULL: plain
    uint32_t wants;
};

static struct err wire_start_tls(struct wire *wire, struct tls_context *tls)
{
    wire->ssl = SSL_new((SSL_CTX *)tls);
    ENSURE(wire->ssl && SSL_set_fd(wire->ssl, wire->fd) == 1, ERR_FULL, "tls: out of memory");
    (void)SSL_set_mode(wire->ssl,
                       SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_set_accept_state(wire->ssl);
    return OK;
}

struct err wire_new(struct wire **out, int fd, struct tls_context *tls)
{
    struct wire *wire = calloc(1, sizeof(*wire));
    struct err err;

    *out = NULL;
    if (!wire) {
        fd_close(&fd);
        return FAIL(ERR_FULL, "connection: out of memory");
    }
    wire->fd = fd;
    wire->wants = EPOLLIN;
    err = fd_set_nonblock(fd);
    if (!err.code && tls)
        err = wire_start_tls(wire, tls);
    if (err.code)
        wire_free(&wire);
    *out = wire;
    return err;
}

static enum wire_result wire_judge_plain(struct wire *wire, ssize_t moved, uint32_t direction)
{
    if (moved > 0)
        return WIRE_DONE;
    if (moved == 0 || (errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR))
        return WIRE_CLOSED;
    wire->wants = direction;
    return WIRE_BLOCKED;
}

static enum wire_result wire_judge_tls(struct wire *wire, int result)
{
    int error = result == 1 ? SSL_ERROR_NONE : SSL_get_error(wire->ssl, result);

    ERR_clear_error();
    if (error == SSL_ERROR_NONE)
        return WIRE_DONE;
    if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
        return WIRE_CLOSED;
    wire->wants = error == SSL_ERROR_WANT_READ ? EPOLLIN : EPOLLOUT;
    return WIRE_BLOCKED;
}

enum wire_result wire_read(struct wire *wire, uint8_t *out, size_t cap, size_t *n)
{
    ssize_t got;

    *n = 0;
    if (wire->ssl)
        return wire_judge_tls(wire, SSL_read_ex(wire->ssl, out, cap, n));
    got = recv(wire->fd, out, cap, MSG_DONTWAIT);
    *n = got > 0 ? (size_t)got : 0;
    return wire_judge_plain(wire, got, EPOLLIN);
}

enum wire_result wire_write(struct wire *wire, struct bytes b, size_t *n)
{
    ssize_t put;

    *n = 0;
    if (wire->ssl)
        return wire_judge_tls(wire, SSL_write_ex(wire->ssl, b.p, b.n, n));
    put = send(wire->fd, b.p, b.n, MSG_DONTWAIT | MSG_NOSIGNAL);
    *n = put > 0 ? (size_t)put : 0;
    return wire_judge_plain(wire, put, EPOLLOUT);
}

uint32_t wire_wants(const struct wire *wire)
{
    return wire->wants;
}

int wire_fd(const struct wire *wire)
{
    return wire->fd;
}

void wire_finish(struct wire *wire)
{
    if (wire->ssl && SSL_is_init_finished(wire->ssl))
        (void)SSL_shutdown(wire->ssl);
    ERR_clear_error();
    (void)shutdown(wire->fd, SHUT_WR);
}

void wire_free(struct wire **wire)
{
    if (!*wire)
        return;
    SSL_free((*wire)->ssl);
    fd_close(&(*wire)->fd);
    free(*wire);
    *wire = NULL;
}
