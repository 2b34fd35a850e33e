// SPDX-License-Identifier: Apache-2.0
// Connections of the control plane. The peer is the parent instance: an attacker. It can open 256
// connections (for a further one, another is closed: net/crowd.h), hold a bounded share of memory,
// and must finish a frame in 10 s and read its answers; more it cannot take. Requests without an id
// run one after the other, those with one up to 64 at once. Never logs a byte of them, and wipes
// them once they are handled.
#include "front/control.h"

#include "base/fd.h"
#include "base/must.h"
#include "front/buf.h"
#include "front/methods.h"
#include "net/crowd.h"
#include "proto/frame.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define CONNS_MAX       256U
#define CALLS_MAX       64U
#define CALLS_ALL_MAX   128U // beyond, each connection has one: a long queue delays everybody
#define BUDGET_BYTES    (64U << 20)  // what all connections may hold together
#define OUT_BYTES_MAX   (4U << 20)   // answers that a peer has not read: beyond, it is cut off
#define OUT_PAUSE       (256U << 10) // beyond, no further request of it is taken
#define READ_BYTES      4096U
#define HALF_FRAME_MS   10000
#define IDLE_MS         300000
#define READER_MS       30000
#define DRAIN_MS        1000
#define ACCEPT_AGAIN_MS 200

// What a connection waits for; each kind has its deadline.
enum wait { WAIT_NEW, WAIT_IDLE, WAIT_FRAME, WAIT_CALLS, WAIT_READER, WAIT_END };

struct control_conn {
    struct control *control;
    struct control_conn *next;
    struct loop_watch *watch;
    struct loop_timer *timer;
    int fd;
    enum wait wait;
    struct buf in, out;
    struct call *calls;
    unsigned under_way;
    bool in_order; // a request without id is under way
    bool pumping;  // control_pump stands on the stack
    bool ending;   // no more requests; once the answers are written, no more of anything
    bool draining; // all is written; what the peer still sends is dropped
    bool dead;     // freed at the end of the turn
    bool wrote;    // since the reader's deadline was set
    bool served;   // a request was taken
    int64_t since_ms;
};

struct control {
    struct core *core;
    struct loop_watch *listening;
    struct loop_timer *again;
    int listen_fd;
    struct control_conn *conns;
    unsigned count;
    bool pausing; // no descriptors were left
    struct buf_budget budget;
};

static void control_accept(void *context, uint32_t events);
static void control_accept_again(void *context);
static bool control_shed(struct control *control, const struct control_conn *needy);
static struct err control_add(struct control *control, int fd);
static void control_event(void *context, uint32_t events);
static void control_late(void *context);
static void control_pump(struct control_conn *conn);
static void control_end(struct control_conn *conn);
static void control_settle(struct control_conn *conn);
static void control_remove(struct control_conn *conn);

struct err control_new(struct control **out, struct core *core, int listen_fd)
{
    struct control *control = calloc(1, sizeof(*control));

    *out = control;
    ENSURE(control, ERR_FULL, "control: out of memory");
    control->core = core;
    control->listen_fd = listen_fd;
    control->budget.left = BUDGET_BYTES;
    TRY(fd_set_nonblock(listen_fd));
    TRY(loop_timer(core->loop, &control->again, (struct deadline) { INT64_MAX },
                   control_accept_again, control));
    return loop_watch(core->loop, &control->listening, listen_fd, EPOLLIN, control_accept, control);
}

void control_free(struct control **out)
{
    struct control *control = *out;

    *out = NULL;
    if (!control)
        return;
    loop_unwatch(&control->listening);
    loop_timer_free(&control->again);
    for (struct control_conn *conn = control->conns; conn; conn = conn->next)
        control_end(conn);
    control_turn(control);
    free(control);
}

static void control_accept(void *context, uint32_t events)
{
    struct control *control = context;
    int fd;

    (void)events;
    if (control->count >= CONNS_MAX) {
        // Its place is free at the end of the turn, and the socket still readable.
        if (!control_shed(control, NULL))
            loop_rewatch(control->listening, 0);
        return;
    }
    fd = accept4(control->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0 && errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
        // Out of descriptors: without a pause the waiting peer would keep the loop busy.
        control->pausing = true;
        loop_rewatch(control->listening, 0);
        loop_timer_set(control->again, deadline_in(ACCEPT_AGAIN_MS));
    }
    if (fd >= 0 && control_add(control, fd).code)
        fd_close(&fd);
}

static void control_accept_again(void *context)
{
    struct control *control = context;

    control->pausing = false;
    loop_rewatch(control->listening, EPOLLIN);
}

// Closes the connection that net/crowd.h names, of all or, for one of them that needs memory, of
// the others that hold part of the budget. False when there is none. One that ended in this turn
// already counts: its place gets free.
static bool control_shed(struct control *control, const struct control_conn *needy)
{
    struct crowd crowd = { 0 };
    struct control_conn *victim;

    for (struct control_conn *conn = control->conns; conn; conn = conn->next) {
        enum crowd_kind kind = conn->served ? CROWD_KNOWN : CROWD_NEWCOMER;

        if (conn->dead && !needy)
            return true;
        if (!conn->dead && !conn->pumping && conn != needy &&
            (!needy || conn->in.cap > BUF_OWN_BYTES || conn->out.cap > BUF_OWN_BYTES))
            crowd_look(&crowd, conn, conn->under_way ? CROWD_WORKING : kind, conn->since_ms);
    }
    victim = crowd_victim(&crowd);
    if (!victim)
        return false;
    control_end(victim);
    buf_done(&victim->in);
    buf_done(&victim->out);
    return true;
}

// On failure the descriptor stays the caller's.
static struct err control_add(struct control *control, int fd)
{
    struct loop *loop = control->core->loop;
    struct control_conn *conn = calloc(1, sizeof(*conn));
    struct err err;

    ENSURE(conn, ERR_FULL, "control: out of memory");
    conn->control = control;
    conn->fd = fd;
    conn->since_ms = deadline_now_ms();
    buf_init(&conn->in, &control->budget, FRAME_HEAD_BYTES + FRAME_BYTES_MAX);
    buf_init(&conn->out, &control->budget, OUT_BYTES_MAX);
    err = loop_watch(loop, &conn->watch, fd, EPOLLIN, control_event, conn);
    if (!err.code)
        err = loop_timer(loop, &conn->timer, deadline_in(HALF_FRAME_MS), control_late, conn);
    if (err.code) {
        loop_unwatch(&conn->watch);
        free(conn);
        return err;
    }
    conn->next = control->conns;
    control->conns = conn;
    control->count++;
    return OK;
}

// Marks it: the structure itself may still stand on the stack.
static void control_end(struct control_conn *conn)
{
    if (conn->dead)
        return;
    conn->dead = true;
    loop_unwatch(&conn->watch);
    loop_timer_free(&conn->timer);
    fd_close(&conn->fd);
    for (struct call *call = conn->calls; call; call = call->next)
        call->conn = NULL;
    conn->calls = NULL;
}

static void control_late(void *context)
{
    struct control_conn *conn = context;

    if (conn->wait == WAIT_READER && conn->wrote) {
        conn->wrote = false;
        loop_timer_set(conn->timer, deadline_in(READER_MS));
        return;
    }
    control_end(conn);
}

static void control_drop_input(struct control_conn *conn)
{
    uint8_t sink[READ_BYTES];
    ssize_t got = recv(conn->fd, sink, sizeof(sink), MSG_DONTWAIT);

    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR))
        control_end(conn);
}

static void control_event(void *context, uint32_t events)
{
    struct control_conn *conn = context;
    size_t room = 0;
    uint8_t *to;
    ssize_t got;

    if (!(events & ~(uint32_t)EPOLLOUT))
        return; // writing is the end of the turn's work
    if (conn->ending) {
        control_drop_input(conn);
        return;
    }
    while (!(to = buf_room(&conn->in, 1, &room)) && control_shed(conn->control, conn))
        ;
    got = to ? recv(conn->fd, to, room, MSG_DONTWAIT) : 0;
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        control_end(conn);
        return;
    }
    buf_added(&conn->in, (size_t)got);
    control_pump(conn);
}

static bool control_may_take(const struct control_conn *conn)
{
    unsigned most = conn->control->core->calls < CALLS_ALL_MAX ? CALLS_MAX : 1;

    return !conn->dead && !conn->ending && !conn->in_order && conn->under_way < most &&
           buf_bytes(&conn->out).n < OUT_PAUSE;
}

// A request that is no request: an answer without id, then the end.
static void control_refuse(struct control_conn *conn, struct err err)
{
    struct call *call;

    conn->ending = true;
    if (call_new(&call, conn->control->core, conn, NULL).code)
        control_end(conn);
    else
        call_fail(call, err);
}

static void control_start(struct control_conn *conn, struct bytes body)
{
    const struct json *request;
    struct call *call;
    struct err err = methods_parse(&request, body);

    if (err.code) {
        control_refuse(conn, err);
        return;
    }
    if (call_new(&call, conn->control->core, conn, methods_id(request)).code) {
        control_end(conn);
        return;
    }
    call->next = conn->calls;
    if (conn->calls)
        conn->calls->prev = call;
    conn->calls = call;
    conn->under_way++;
    conn->served = true;
    conn->in_order = call->id.type == JSON_NULL;
    methods_run(call, request);
}

// Starts what stands in the buffer, as far as the limits allow.
static void control_pump(struct control_conn *conn)
{
    size_t whole = 1;
    struct bytes body;

    if (conn->pumping)
        return;
    conn->pumping = true;
    while (whole > 0 && control_may_take(conn)) {
        struct err err = frame_next(buf_bytes(&conn->in), &whole, &body);

        if (err.code)
            control_refuse(conn, err);
        else if (whole > 0)
            control_start(conn, body);
        if (err.code || whole == 0)
            break;
        buf_consume(&conn->in, whole);
        conn->wait = WAIT_NEW; // a frame was taken: deadlines begin anew
    }
    conn->pumping = false;
}

void control_send(struct control_conn *conn, struct bytes frame)
{
    while (!conn->dead && !buf_append(&conn->out, frame))
        if (conn->out.most - buf_bytes(&conn->out).n < frame.n ||
            !control_shed(conn->control, conn))
            control_end(conn);
}

void control_call_done(struct control_conn *conn, struct call *call)
{
    bool listed = call->prev || conn->calls == call;

    if (call->next)
        call->next->prev = call->prev;
    if (call->prev)
        call->prev->next = call->next;
    else if (listed)
        conn->calls = call->next;
    if (!listed)
        return; // a refusal of control_refuse
    conn->under_way--;
    if (call->id.type == JSON_NULL)
        conn->in_order = false;
    control_pump(conn);
}

static void control_write(struct control_conn *conn)
{
    struct bytes rest = buf_bytes(&conn->out);

    while (!conn->dead && rest.n > 0) {
        ssize_t done = send(conn->fd, rest.p, rest.n, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0) {
            if (errno != EAGAIN)
                control_end(conn);
            return;
        }
        conn->wrote = true;
        conn->since_ms = deadline_now_ms();
        buf_consume(&conn->out, (size_t)done);
        rest = buf_bytes(&conn->out);
    }
}

// The kernel resets a connection that is closed with bytes unread, and the last answer with it: so
// the end is said first, and what still comes is dropped for a moment.
static void control_finish(struct control_conn *conn)
{
    conn->draining = true;
    if (shutdown(conn->fd, SHUT_WR) != 0)
        control_end(conn);
}

static enum wait control_waits_for(const struct control_conn *conn)
{
    if (conn->draining)
        return WAIT_END;
    if (buf_bytes(&conn->out).n > 0)
        return WAIT_READER;
    if (conn->under_way > 0)
        return WAIT_CALLS;
    return buf_bytes(&conn->in).n > 0 ? WAIT_FRAME : WAIT_IDLE;
}

// WAIT_CALLS has no deadline here: the vault and KMS have their own.
static struct deadline control_deadline(enum wait wait)
{
    static const int64_t wait_ms[] = { IDLE_MS, IDLE_MS, HALF_FRAME_MS, 0, READER_MS, DRAIN_MS };

    if (wait == WAIT_CALLS)
        return (struct deadline) { INT64_MAX };
    return deadline_in(wait_ms[wait]);
}

// What to watch and how long to wait, after all that the turn did.
static void control_settle(struct control_conn *conn)
{
    uint32_t events = buf_bytes(&conn->out).n > 0 ? EPOLLOUT : 0;
    enum wait wait = control_waits_for(conn);

    if (conn->ending || control_may_take(conn))
        events |= EPOLLIN;
    loop_rewatch(conn->watch, events);
    if (wait == conn->wait)
        return;
    if (conn->wait != WAIT_IDLE) // the first byte of a frame is no merit yet
        conn->since_ms = deadline_now_ms();
    conn->wait = wait;
    conn->wrote = false;
    loop_timer_set(conn->timer, control_deadline(wait));
}

void control_turn(struct control *control)
{
    bool has_idle = control->count < CONNS_MAX;

    for (struct control_conn **at = &control->conns; *at;) {
        struct control_conn *conn = *at;

        if (!conn->dead)
            control_write(conn);
        if (!conn->dead && control_may_take(conn))
            control_pump(conn); // it may have waited for the peer to read
        if (!conn->dead && conn->ending && !conn->draining && buf_bytes(&conn->out).n == 0 &&
            conn->under_way == 0)
            control_finish(conn);
        if (!conn->dead)
            control_settle(conn);
        if (conn->dead) {
            *at = conn->next;
            control_remove(conn);
            has_idle = true;
        } else {
            has_idle = has_idle || conn->under_way == 0;
            at = &conn->next;
        }
    }
    if (control->listening && has_idle && !control->pausing)
        loop_rewatch(control->listening, EPOLLIN);
}

static void control_remove(struct control_conn *conn)
{
    struct control *control = conn->control;

    buf_done(&conn->in);
    buf_done(&conn->out);
    free(conn);
    control->count--;
}
