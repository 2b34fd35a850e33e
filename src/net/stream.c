// SPDX-License-Identifier: Apache-2.0
// Waiting on connections. Duty: every wait ends at the caller's deadline, and a broken peer is an
// error and never a signal. Nothing that the peer sent gets into an error.
#include "net/stream.h"

#include "base/fd.h"
#include "base/must.h"

#include <poll.h>
#include <sys/epoll.h>

// After a result other than WIRE_DONE: waits for what is missing, or names the failure.
static struct err stream_wait(struct wire *wire, enum wire_result result, struct deadline until)
{
    if (result == WIRE_BLOCKED)
        return fd_wait(wire_fd(wire), wire_wants(wire) == EPOLLIN ? POLLIN : POLLOUT, until);
    ENSURE(result != WIRE_BROKEN, ERR_MALFORMED, "TLS: the peer broke the protocol");
    ENSURE(result == WIRE_END || deadline_left_ms(until) > 0, ERR_TIMEOUT, "no answer in time");
    return FAIL(ERR_CLOSED, "connection was closed");
}

static struct err stream_handshake(struct wire *wire, struct deadline until)
{
    enum wire_result result;

    wire_set_until(wire, until);
    while ((result = wire_handshake(wire)) != WIRE_DONE) {
        struct err err = stream_wait(wire, result, until);

        if (err.code)
            TRY(wire_verdict(wire));
        TRY(err);
    }
    return OK;
}

struct err stream_connect(struct wire **out, int fd, const struct wire_peer *peer,
                          struct deadline until)
{
    struct err err = wire_new_client(out, fd, peer);

    if (!err.code)
        err = stream_handshake(*out, until);
    if (err.code)
        wire_free(out);
    return err;
}

struct err stream_read(struct wire *wire, uint8_t *out, size_t cap, size_t *n,
                       struct deadline until)
{
    enum wire_result result;

    must(cap > 0);
    wire_set_until(wire, until);
    while ((result = wire_read(wire, out, cap, n)) != WIRE_DONE && result != WIRE_END)
        TRY(stream_wait(wire, result, until));
    return OK;
}

struct err stream_write(struct wire *wire, struct bytes b, struct deadline until)
{
    wire_set_until(wire, until);
    while (b.n > 0) {
        size_t n;
        enum wire_result result = wire_write(wire, b, &n);

        if (result != WIRE_DONE)
            TRY(stream_wait(wire, result, until));
        b = bytes_skip(b, n);
    }
    return OK;
}
