// SPDX-License-Identifier: Apache-2.0
// Moves bytes between two sockets. Each direction has one buffer: it is read into while there is
// room and written out while it holds something, so that a slow reader slows the writer and never
// fills memory. An end of stream travels on as a half-close once the buffer is empty.
#include "parent/relay_pair.h"

#include "base/fd.h"
#include "net/crowd.h"
#include "parent/metrics.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAIR_BUFFER  16384U
#define PAIR_IDLE_MS 300000

struct relay_pair_way { // from side i to side 1 - i
    uint8_t buf[PAIR_BUFFER];
    size_t from, to; // what is in the buffer
    bool ended;      // the source sent its end
    bool passed_on;  // the half-close is done
};

struct relay_pair_side {
    struct relay_pair *pair;
    struct loop_watch *watch;
    int fd;
};

struct relay_pair {
    struct relay_pair *next, **link;
    struct relay_pair_side side[2];
    struct relay_pair_way way[2];
    struct loop_timer *idle;
    int64_t since_ms; // of the last event
    bool answered;    // the outer side sent something
    void (*closed)(void *context);
    void *context;
};

static void relay_pair_event(void *context, uint32_t events);
static void relay_pair_idle(void *context);
static void relay_pair_watch(struct relay_pair *pair);

static bool relay_pair_set_up(struct relay_pair *pair, struct loop *loop)
{
    struct deadline idle = deadline_in(PAIR_IDLE_MS);

    for (int i = 0; i < 2; i++) {
        struct relay_pair_side *side = &pair->side[i];

        if (loop_watch(loop, &side->watch, side->fd, EPOLLIN, relay_pair_event, side).code)
            return false;
    }
    return !loop_timer(loop, &pair->idle, idle, relay_pair_idle, pair).code;
}

void relay_pair_open(struct loop *loop, struct relay_pair **list,
                     const struct relay_pair_ends *ends)
{
    struct relay_pair *pair = calloc(1, sizeof(*pair));

    if (!pair) {
        (void)close(ends->fd[0]);
        (void)close(ends->fd[1]);
        ends->closed(ends->context);
        return;
    }
    for (int i = 0; i < 2; i++)
        pair->side[i] = (struct relay_pair_side) { .pair = pair, .fd = ends->fd[i] };
    pair->since_ms = deadline_now_ms();
    pair->closed = ends->closed;
    pair->context = ends->context;
    pair->link = list;
    pair->next = *list;
    if (*list)
        (*list)->link = &pair->next;
    *list = pair;
    if (!relay_pair_set_up(pair, loop))
        relay_pair_close(pair);
}

void relay_pair_close(struct relay_pair *pair)
{
    loop_timer_free(&pair->idle);
    for (int i = 0; i < 2; i++) {
        loop_unwatch(&pair->side[i].watch);
        fd_close(&pair->side[i].fd);
    }
    *pair->link = pair->next;
    if (pair->next)
        pair->next->link = pair->link;
    pair->closed(pair->context);
    free(pair);
}

bool relay_pair_close_one(struct relay_pair *list)
{
    struct crowd crowd = { 0 };
    struct relay_pair *victim;

    for (; list; list = list->next)
        crowd_look(&crowd, list, list->answered ? CROWD_KNOWN : CROWD_NEWCOMER, list->since_ms);
    victim = crowd_victim(&crowd);
    if (victim)
        relay_pair_close(victim);
    return victim != NULL;
}

static void relay_pair_idle(void *context)
{
    relay_pair_close(context);
}

static bool relay_pair_again(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

// Reads what fits; false when the connection broke.
static bool relay_pair_read(struct relay_pair *pair, int me)
{
    struct relay_pair_way *way = &pair->way[me];
    ssize_t got;

    if (way->from == way->to)
        way->from = way->to = 0;
    if (way->ended || way->to == PAIR_BUFFER)
        return true;
    got = recv(pair->side[me].fd, way->buf + way->to, PAIR_BUFFER - way->to, 0);
    if (got < 0)
        return relay_pair_again();
    way->ended = got == 0;
    way->to += (size_t)got;
    metrics_add(me == 0 ? METRICS_RELAY_FROM_ENCLAVE : METRICS_RELAY_TO_ENCLAVE, (uint64_t)got);
    return true;
}

// Writes what is there, and passes the end on after it; false when the connection broke.
static bool relay_pair_write(struct relay_pair_way *way, int fd)
{
    ssize_t done;

    if (way->from < way->to) {
        done = send(fd, way->buf + way->from, way->to - way->from, MSG_NOSIGNAL);
        if (done < 0)
            return relay_pair_again();
        way->from += (size_t)done;
    }
    if (way->from == way->to && way->ended && !way->passed_on) {
        way->passed_on = true;
        return shutdown(fd, SHUT_WR) == 0;
    }
    return true;
}

static void relay_pair_event(void *context, uint32_t events)
{
    struct relay_pair_side *side = context;
    struct relay_pair *pair = side->pair;
    int me = side == &pair->side[0] ? 0 : 1;
    struct relay_pair_way *in = &pair->way[me];
    struct relay_pair_way *out = &pair->way[1 - me];
    bool alive = true;

    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        alive = relay_pair_read(pair, me) && relay_pair_write(in, pair->side[1 - me].fd);
    if (alive && (events & EPOLLOUT))
        alive = relay_pair_write(out, side->fd);
    if (!alive || (events & EPOLLERR) || (in->passed_on && out->passed_on)) {
        relay_pair_close(pair);
        return;
    }
    pair->since_ms = deadline_now_ms();
    pair->answered = pair->answered || (me == 1 && (events & EPOLLIN));
    loop_timer_set(pair->idle, deadline_in(PAIR_IDLE_MS));
    relay_pair_watch(pair);
}

// A side is read while its buffer has room and written while the other's holds something. Without
// either it is not watched: a hang-up that nobody can act on would otherwise be reported for ever.
static void relay_pair_watch(struct relay_pair *pair)
{
    for (int i = 0; i < 2; i++) {
        const struct relay_pair_way *in = &pair->way[i];
        const struct relay_pair_way *out = &pair->way[1 - i];
        bool room = in->to < PAIR_BUFFER || in->from == in->to;
        uint32_t events = !in->ended && room ? EPOLLIN : 0U;

        loop_rewatch(pair->side[i].watch, events | (out->from < out->to ? EPOLLOUT : 0U));
    }
}
