// SPDX-License-Identifier: Apache-2.0
// Byte queues of the control plane. Duty: hold what a peer sent or has yet to take, in memory that
// is bounded for each peer and for all together. Never leaves consumed request bytes behind.
#include "front/buf.h"

#include "base/ct.h"
#include "base/must.h"

#include <stdlib.h>
#include <string.h>

void buf_init(struct buf *buf, struct buf_budget *budget, size_t most)
{
    *buf = (struct buf) { .budget = budget, .most = most };
}

// A queue's first block is its own: without it, whoever fills the budget would silence all.
static size_t buf_charge(size_t cap)
{
    return cap > BUF_OWN_BYTES ? cap : 0;
}

void buf_done(struct buf *buf)
{
    if (!buf->p)
        return;
    ct_wipe(buf->p, buf->to);
    free(buf->p);
    buf->budget->left += buf_charge(buf->cap);
    buf->p = NULL;
    buf->from = buf->to = buf->cap = 0;
}

struct bytes buf_bytes(const struct buf *buf)
{
    return buf->p ? bytes_of(buf->p + buf->from, buf->to - buf->from) : BYTES_NONE;
}

static void buf_compact(struct buf *buf)
{
    if (buf->from == 0)
        return;
    memmove(buf->p, buf->p + buf->from, buf->to - buf->from);
    buf->to -= buf->from;
    buf->from = 0;
}

// Moves to a block of `cap` bytes by hand: realloc would leave the old bytes unwiped.
static bool buf_grow(struct buf *buf, size_t cap)
{
    size_t n = buf->to - buf->from;
    uint8_t *p;

    if (buf_charge(cap) > buf->budget->left || !(p = malloc(cap)))
        return false;
    buf->budget->left -= buf_charge(cap);
    if (n)
        memcpy(p, buf->p + buf->from, n);
    buf_done(buf);
    buf->p = p;
    buf->to = n;
    buf->cap = cap;
    return true;
}

uint8_t *buf_room(struct buf *buf, size_t n, size_t *room)
{
    size_t held = buf->to - buf->from;
    size_t cap = buf->cap ? buf->cap : BUF_OWN_BYTES;

    *room = 0;
    if (n > buf->most || held > buf->most - n)
        return NULL;
    while (cap < held + n)
        cap *= 2;
    if (cap > buf->cap && !buf_grow(buf, cap))
        return NULL;
    if (buf->cap - buf->to < n)
        buf_compact(buf);
    *room = buf->cap - buf->to;
    if (*room > buf->most - held)
        *room = buf->most - held;
    return buf->p + buf->to;
}

void buf_added(struct buf *buf, size_t n)
{
    must(n <= buf->cap - buf->to);
    buf->to += n;
}

bool buf_append(struct buf *buf, struct bytes b)
{
    size_t room;
    uint8_t *to = buf_room(buf, b.n, &room);

    if (!to)
        return false;
    if (b.n)
        memcpy(to, b.p, b.n);
    buf_added(buf, b.n);
    return true;
}

void buf_consume(struct buf *buf, size_t n)
{
    must(n <= buf->to - buf->from);
    ct_wipe(buf->p + buf->from, n);
    buf->from += n;
    if (buf->from == buf->to)
        buf_done(buf);
}
