// SPDX-License-Identifier: Apache-2.0
// Moves bytes between two sockets. What is read goes out at once; what the other side does not take
// is kept, and its source is not read until it went out: a slow reader slows the writer and never
// fills memory. An end of stream travels on as a half-close. A pair that moves nothing holds no
// buffer, so that thousands of idle ones cost little. Who sends a lot gets a pipe, through which
// the kernel moves the bytes (splice(2)): doc/performance.md says what that saves.
#include "parent/pairs.h"

#include "base/fd.h"
#include "base/must.h"
#include "net/addr.h"
#include "net/crowd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAIR_BYTES   32768U // read at once, and the most that is kept for a side
#define PAIR_BULK    16384  // whoever sent as much at once is about to send a lot
#define PAIR_PIPE    65536U // at once through a pipe, which holds no more
#define PAIR_TICK_MS 1000
#define PAIR_TURNS   2U // answers after which a pair is no newcomer

enum { CALLER, CALLED };

enum pair_state { PAIR_WAITS, PAIR_DIALS, PAIR_OPEN };

struct pair_way {    // from one side to the other
    uint8_t *rest;   // what the other side did not take; NULL: nothing
    size_t from, to; // where in it
    int pipe[2];     // open while a lot is moved
    size_t piped;    // bytes in it
    bool is_bulk;    // the last read was large
    bool ended;      // the source sent its end
    bool passed_on;  // the half-close is done
};

struct pair_side {
    struct pair *pair;
    struct loop_watch *watch;
    int fd;
};

struct pair {
    TAILQ_ENTRY(pair) entry;
    struct pairs *pairs;
    struct pair_side side[2];
    struct pair_way way[2]; // from the side of the same number
    enum pair_state state;
    enum crowd_kind kind; // CROWD_NEWCOMER or CROWD_KNOWN
    int64_t since_ms;     // of the last event
    unsigned turns;       // how often the called side answered
    bool asked;           // the last byte was the caller's
    size_t head_n;        // of the head that was not sent yet
    uint8_t head[PAIRS_HEAD_MAX];
};

TAILQ_HEAD(pair_list, pair);

struct pairs {
    struct pairs_options options;
    struct loop *loop;
    struct loop_timer *tick;
    struct pair_list list[CROWD_KINDS]; // by time of the last event, oldest first
    size_t count, newcomers;
    uint8_t bytes[PAIR_BYTES];
};

static void pair_event(void *context, uint32_t events);
static void pairs_tick(void *context);

struct err pairs_new(struct pairs **out, struct loop *loop, const struct pairs_options *options)
{
    struct pairs *pairs = *out = calloc(1, sizeof(*pairs));
    struct err err;

    ENSURE(pairs, ERR_FULL, "no memory");
    pairs->options = *options;
    pairs->loop = loop;
    for (int kind = 0; kind < CROWD_KINDS; kind++)
        TAILQ_INIT(&pairs->list[kind]);
    err = loop_timer(loop, &pairs->tick, (struct deadline) { INT64_MAX }, pairs_tick, pairs);
    if (err.code)
        pairs_free(out);
    return err;
}

size_t pairs_count(const struct pairs *pairs)
{
    return pairs->count;
}

static void pair_link(struct pair *pair, enum crowd_kind kind)
{
    pair->kind = kind;
    pair->pairs->newcomers += kind == CROWD_NEWCOMER;
    TAILQ_INSERT_TAIL(&pair->pairs->list[kind], pair, entry);
}

static void pair_unlink(struct pair *pair)
{
    pair->pairs->newcomers -= pair->kind == CROWD_NEWCOMER;
    TAILQ_REMOVE(&pair->pairs->list[pair->kind], pair, entry);
}

static void pair_close_pipe(struct pair_way *way)
{
    fd_close(&way->pipe[0]);
    fd_close(&way->pipe[1]);
}

static void pair_end(struct pair *pair, enum pairs_end ended)
{
    struct pairs *pairs = pair->pairs;

    pair_unlink(pair);
    pairs->count--;
    for (int i = 0; i < 2; i++) {
        loop_unwatch(&pair->side[i].watch);
        fd_close(&pair->side[i].fd);
        pair_close_pipe(&pair->way[i]);
        free(pair->way[i].rest);
    }
    free(pair);
    pairs->options.ended(pairs->options.context, ended);
}

void pairs_free(struct pairs **pairs)
{
    struct pairs *p = *pairs;

    if (!p)
        return;
    for (int kind = 0; kind < CROWD_KINDS; kind++)
        while (!TAILQ_EMPTY(&p->list[kind]))
            pair_end(TAILQ_FIRST(&p->list[kind]), PAIRS_EVICTED);
    loop_timer_free(&p->tick);
    free(p);
    *pairs = NULL;
}

static void pairs_set_tick(struct pairs *pairs)
{
    const struct pairs_options *options = &pairs->options;
    int ms = options->first_ms < options->idle_ms ? options->first_ms : options->idle_ms;

    ms = ms / 4 + 1; // how much longer than its limit a pair may live
    loop_timer_set(pairs->tick, deadline_in(ms < PAIR_TICK_MS ? ms : PAIR_TICK_MS));
}

void pairs_add(struct pairs *pairs, int caller, int called)
{
    struct pair *pair = calloc(1, sizeof(*pair));
    int fd[2] = { caller, called };
    struct err err = OK;

    if (!pair) {
        fd_close(&fd[CALLER]);
        fd_close(&fd[CALLED]);
        pairs->options.ended(pairs->options.context, PAIRS_CLOSED);
        return;
    }
    pair->pairs = pairs;
    pair->state = called < 0 ? PAIR_WAITS : PAIR_OPEN;
    pair->since_ms = deadline_now_ms();
    pair_link(pair, CROWD_NEWCOMER);
    if (pairs->count++ == 0)
        pairs_set_tick(pairs);
    for (int i = 0; i < 2; i++) {
        struct pair_side *side = &pair->side[i];

        *side = (struct pair_side) { .pair = pair, .fd = fd[i] };
        pair->way[i].pipe[0] = pair->way[i].pipe[1] = -1;
        if (fd[i] >= 0 && !err.code)
            err = loop_watch(pairs->loop, &side->watch, fd[i], EPOLLIN, pair_event, side);
    }
    if (err.code)
        pair_end(pair, PAIRS_CLOSED);
}

void pairs_evict(struct pairs *pairs)
{
    struct crowd crowd = { .count = pairs->count, .newcomers = pairs->newcomers };
    struct pair *victim;

    for (int kind = 0; kind < CROWD_KINDS; kind++)
        crowd.oldest[kind] = TAILQ_FIRST(&pairs->list[kind]);
    victim = crowd_victim(&crowd);
    if (victim)
        pair_end(victim, PAIRS_EVICTED);
}

// Something is kept that must go out before more is read.
static bool pair_is_full(const struct pair_way *way)
{
    return way->rest || way->piped > 0;
}

static bool pair_is_quiet(const struct pair *pair, int64_t before_ms)
{
    if (pair->state != PAIR_OPEN)
        return pair->state == PAIR_WAITS;
    return !pair->asked && pair->since_ms <= before_ms && !pair_is_full(&pair->way[CALLER]) &&
           !pair_is_full(&pair->way[CALLED]);
}

void pairs_close_quiet(struct pairs *pairs, int quiet_ms)
{
    int64_t before_ms = deadline_now_ms() - quiet_ms;

    for (int kind = 0; kind < CROWD_KINDS; kind++) {
        struct pair *next = TAILQ_FIRST(&pairs->list[kind]);

        while (next) {
            struct pair *pair = next;

            next = TAILQ_NEXT(pair, entry);
            if (pair_is_quiet(pair, before_ms))
                pair_end(pair, PAIRS_CLOSED);
        }
    }
}

static void pairs_tick(void *context)
{
    struct pairs *pairs = context;
    int64_t now = deadline_now_ms();

    for (int kind = 0; kind < CROWD_KINDS; kind++) {
        struct pair *next = TAILQ_FIRST(&pairs->list[kind]);

        while (next) {
            struct pair *pair = next;
            bool is_open = pair->state == PAIR_OPEN;

            next = TAILQ_NEXT(pair, entry);
            if (now - pair->since_ms >=
                (is_open ? pairs->options.idle_ms : pairs->options.first_ms))
                pair_end(pair, pair->state == PAIR_DIALS ? PAIRS_UNREACHABLE : PAIRS_TIMED_OUT);
        }
    }
    if (pairs->count > 0)
        pairs_set_tick(pairs);
}

static void pair_touch(struct pair *pair)
{
    pair->since_ms = deadline_now_ms();
    pair_unlink(pair);
    pair_link(pair, pair->turns < PAIR_TURNS ? CROWD_NEWCOMER : CROWD_KNOWN);
}

static bool pair_again(void)
{
    return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

// -- until both sides are connected --------------------------------------------------------------

// The caller has said something, or has gone again without a word.
static void pair_dial(struct pair *pair)
{
    struct pairs *pairs = pair->pairs;
    struct pair_side *caller = &pair->side[CALLER], *called = &pair->side[CALLED];
    struct wr head = WR_OF(pair->head);
    uint8_t byte;
    ssize_t got = recv(caller->fd, &byte, 1, MSG_PEEK);
    struct err err;

    if (got < 0 && pair_again())
        return;
    if (got <= 0) {
        pair_end(pair, PAIRS_CLOSED);
        return;
    }
    err = pairs->options.dial(pairs->options.context, caller->fd, &called->fd, &head);
    if (!err.code)
        err = loop_watch(pairs->loop, &called->watch, called->fd, EPOLLOUT, pair_event, called);
    if (err.code) {
        pair_end(pair, PAIRS_UNREACHABLE);
        return;
    }
    loop_rewatch(caller->watch, 0);
    pair->head_n = wr_done(&head).n;
    pair->state = PAIR_DIALS;
    pair_touch(pair);
}

static bool pair_connected(struct pair *pair)
{
    if (addr_begun(pair->side[CALLED].fd).code)
        return false;
    pair->state = PAIR_OPEN;
    pair->asked = true;
    return true;
}

// -- both sides are there ------------------------------------------------------------------------

// Keeps what was not sent.
static bool pair_keep(struct pair_way *way, struct bytes rest)
{
    way->from = 0;
    way->to = rest.n;
    way->rest = malloc(rest.n);
    if (way->rest)
        memcpy(way->rest, rest.p, rest.n);
    return way->rest != NULL;
}

// Passes the end on once everything before it is out; false when the connection broke.
static bool pair_pass_end(struct pair_way *way, int fd)
{
    if (!way->ended || pair_is_full(way) || way->passed_on)
        return true;
    way->passed_on = true;
    return shutdown(fd, SHUT_WR) == 0;
}

static void pair_count(struct pair *pair, int me, ssize_t got)
{
    const struct pairs_options *options = &pair->pairs->options;

    pair->way[me].is_bulk = got >= PAIR_BULK;
    metrics_add(me == CALLER ? options->to_called : options->to_caller, (uint64_t)got);
    pair->turns += me == CALLED && pair->asked && pair->turns < PAIR_TURNS;
    pair->asked = me == CALLER;
}

static bool pair_has_pipe(struct pair_way *way)
{
    return way->pipe[0] >= 0 || pipe2(way->pipe, O_NONBLOCK | O_CLOEXEC) == 0;
}

// Writes what is in the pipe; false when the connection broke.
static bool pair_empty_pipe(struct pair_way *way, int fd)
{
    ssize_t done = splice(way->pipe[0], NULL, fd, NULL, way->piped, SPLICE_F_NONBLOCK);

    if (done < 0)
        return pair_again();
    way->piped -= (size_t)done;
    if (way->piped > 0)
        return true;
    if (!way->is_bulk)
        pair_close_pipe(way);
    return pair_pass_end(way, fd);
}

// As pair_read, through the pipe.
static bool pair_splice(struct pair *pair, int me)
{
    struct pair_way *way = &pair->way[me];
    int to = pair->side[1 - me].fd;
    ssize_t got = splice(pair->side[me].fd, NULL, way->pipe[1], NULL, PAIR_PIPE, SPLICE_F_NONBLOCK);

    if (got < 0)
        return pair_again();
    way->ended = got == 0;
    if (way->ended)
        return pair_pass_end(way, to);
    pair_count(pair, me, got);
    way->piped = (size_t)got;
    return pair_empty_pipe(way, to);
}

// Reads from side `me` and writes to the other one; false when a connection broke.
static bool pair_read(struct pair *pair, int me)
{
    struct pairs *pairs = pair->pairs;
    struct pair_way *way = &pair->way[me];
    int to = pair->side[1 - me].fd;
    size_t head = me == CALLER ? pair->head_n : 0;
    ssize_t got, done;

    if (way->ended || pair_is_full(way))
        return true;
    if (way->is_bulk && pair_has_pipe(way))
        return pair_splice(pair, me);
    got = recv(pair->side[me].fd, pairs->bytes + head, sizeof(pairs->bytes) - head, 0);
    if (got < 0)
        return pair_again();
    way->ended = got == 0;
    if (way->ended)
        return head == 0 && pair_pass_end(way, to);
    if (head)
        memcpy(pairs->bytes, pair->head, head);
    pair->head_n = 0;
    pair_count(pair, me, got);
    done = send(to, pairs->bytes, head + (size_t)got, MSG_NOSIGNAL);
    if (done < 0 && !pair_again())
        return false;
    done = done < 0 ? 0 : done;
    return (size_t)done == head + (size_t)got ||
           pair_keep(way, bytes_of(pairs->bytes + done, head + (size_t)got - (size_t)done));
}

// Writes what was kept; false when the connection broke.
static bool pair_write(struct pair_way *way, int fd)
{
    ssize_t done;

    if (way->piped > 0)
        return pair_empty_pipe(way, fd);
    if (!way->rest)
        return true;
    done = send(fd, way->rest + way->from, way->to - way->from, MSG_NOSIGNAL);
    if (done < 0)
        return pair_again();
    way->from += (size_t)done;
    if (way->from < way->to)
        return true;
    free(way->rest);
    way->rest = NULL;
    return pair_pass_end(way, fd);
}

// A side is read while nothing of it is kept, and written while something is kept for it. Without
// either it is not watched: a hang-up that nobody can act on would otherwise be reported for ever.
static void pair_watch(struct pair *pair)
{
    for (int i = 0; i < 2; i++) {
        const struct pair_way *in = &pair->way[i];
        const struct pair_way *out = &pair->way[1 - i];

        loop_rewatch(pair->side[i].watch, (!in->ended && !pair_is_full(in) ? EPOLLIN : 0U) |
                                              (pair_is_full(out) ? EPOLLOUT : 0U));
    }
}

static void pair_move(struct pair *pair, int me, uint32_t events)
{
    struct pair_way *in = &pair->way[me];
    struct pair_way *out = &pair->way[1 - me];
    bool alive = true;

    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        alive = pair_read(pair, me);
    if (alive && (events & EPOLLOUT))
        alive = pair_write(out, pair->side[me].fd);
    if (!alive || (events & EPOLLERR) || (in->passed_on && out->passed_on)) {
        pair_end(pair, PAIRS_CLOSED);
        return;
    }
    pair_touch(pair);
    pair_watch(pair);
}

static void pair_event(void *context, uint32_t events)
{
    struct pair_side *side = context;
    struct pair *pair = side->pair;

    if (pair->state == PAIR_WAITS)
        pair_dial(pair);
    else if (pair->state == PAIR_OPEN)
        pair_move(pair, side == &pair->side[CALLER] ? CALLER : CALLED, events);
    else if (pair_connected(pair))
        pair_move(pair, CALLER, EPOLLIN); // its first bytes are there
    else
        pair_end(pair, PAIRS_UNREACHABLE);
}
