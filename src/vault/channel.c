// SPDX-License-Identifier: Apache-2.0
#include "vault/channel.h"

#include "base/fd.h"
#include "vault/pending.h"
#include "vault/routes.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

void channel_replace(struct channel *channel, struct state *state, int fd)
{
    fd_close(&channel->fd);
    channel->fd = fd;
    channel->in_len = 0;
    pending_drop_all(state);
}

static struct err channel_read(struct channel *channel)
{
    ssize_t got =
        read(channel->fd, channel->in + channel->in_len, sizeof(channel->in) - channel->in_len);

    if (got < 0 && (errno == EINTR || errno == EAGAIN))
        return OK;
    ENSURE(got > 0, ERR_CLOSED, "the front closed its channel");
    channel->in_len += (size_t)got;
    return OK;
}

static struct err channel_flush(struct channel *channel, struct wr *out)
{
    struct bytes all = wr_done(out);

    out->len = 0;
    return fd_write_all(channel->fd, all, deadline_in(VAULT_WRITE_MS));
}

struct err channel_serve(struct channel *channel, struct state *state)
{
    struct wr out = WR_OF(channel->out);
    struct bytes left;
    struct msg msg;
    size_t whole = 0;

    TRY(channel_read(channel));
    left = bytes_of(channel->in, channel->in_len);
    TRY(msg_next(left, &whole, &msg));
    while (whole != 0 && !state->fatal) {
        if (out.cap - out.len < VAULT_ANSWER_MAX + WHAT_BYTES_MAX + MSG_HEAD_BYTES)
            TRY(channel_flush(channel, &out));
        routes_serve(state, &msg, &out);
        left = bytes_skip(left, whole);
        TRY(msg_next(left, &whole, &msg));
    }
    if (left.n)
        memmove(channel->in, left.p, left.n);
    channel->in_len = left.n;
    return channel_flush(channel, &out);
}
