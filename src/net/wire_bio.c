// SPDX-License-Identifier: Apache-2.0
// The BIO. Duty: no signal, no wait, and an end to each read whatever the peer sends: libssl does
// not return while messages of TLS come that are no data.
#include "net/wire_bio.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#define RECVS_MAX 2U

static bool wire_bio_is_blocked(ssize_t moved)
{
    return moved < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR);
}

static int wire_bio_write(BIO *bio, const char *data, size_t n, size_t *done)
{
    const struct wire_bio *io = BIO_get_data(bio);
    ssize_t put = send(io->fd, data, n, MSG_NOSIGNAL | MSG_DONTWAIT);

    BIO_clear_retry_flags(bio);
    if (wire_bio_is_blocked(put))
        BIO_set_retry_write(bio);
    *done = put > 0 ? (size_t)put : 0;
    return put > 0;
}

static size_t wire_bio_take_early(struct wire_bio *io, char *out, size_t cap)
{
    size_t left = io->early_n - io->early_at;
    size_t n = left < cap ? left : cap;

    memcpy(out, io->early + io->early_at, n);
    io->early_at += n;
    io->more = true; // the socket was not asked
    if (io->early_at == io->early_n) {
        free(io->early);
        io->early = NULL;
    }
    return n;
}

static int wire_bio_read(BIO *bio, char *out, size_t cap, size_t *n)
{
    struct wire_bio *io = BIO_get_data(bio);
    ssize_t got;

    BIO_clear_retry_flags(bio);
    *n = 0;
    if (io->early) {
        *n = wire_bio_take_early(io, out, cap);
        return 1;
    }
    if (io->until.at_ms != INT64_MAX && deadline_left_ms(io->until) == 0)
        return 0;
    if (io->recvs++ == RECVS_MAX) {
        BIO_set_retry_read(bio);
        return 0;
    }
    got = recv(io->fd, out, cap, MSG_DONTWAIT);
    io->more = got > 0 && (size_t)got == cap;
    if (wire_bio_is_blocked(got))
        BIO_set_retry_read(bio);
    *n = got > 0 ? (size_t)got : 0;
    return got > 0;
}

static long wire_bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH; // nothing is buffered; nothing else is offered
}

struct err wire_bio_new(BIO **out, struct wire_bio *io)
{
    *out = NULL;
    io->method = BIO_meth_new(BIO_TYPE_SOURCE_SINK, "wire");
    ENSURE(io->method, ERR_FULL, "TLS: out of memory");
    ENSURE(BIO_meth_set_write_ex(io->method, wire_bio_write) == 1 &&
               BIO_meth_set_read_ex(io->method, wire_bio_read) == 1 &&
               BIO_meth_set_ctrl(io->method, wire_bio_control) == 1,
           ERR_INTERNAL, "TLS: no BIO");
    *out = BIO_new(io->method);
    ENSURE(*out, ERR_FULL, "TLS: out of memory");
    BIO_set_data(*out, io);
    BIO_set_init(*out, 1);
    return OK;
}

struct err wire_bio_put_back(struct wire_bio *io, struct bytes early)
{
    if (early.n == 0)
        return OK;
    io->early = malloc(early.n);
    ENSURE(io->early, ERR_FULL, "connection: out of memory");
    memcpy(io->early, early.p, early.n);
    io->early_at = 0;
    io->early_n = early.n;
    return OK;
}

void wire_bio_done(struct wire_bio *io)
{
    BIO_meth_free(io->method);
    free(io->early);
    io->method = NULL;
    io->early = NULL;
}
