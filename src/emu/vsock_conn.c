// SPDX-License-Identifier: Apache-2.0
// A stream's two directions. Towards the guest nothing is buffered here: the socket is read when
// the guest has given credit and room. From the guest at most VSOCK_CONN_ROOM bytes wait; one that
// sends more than it was allowed is cut off.
#include "emu/vsock_conn.h"

#include "base/fd.h"
#include "base/must.h"
#include "crypto/openssl/libcrypto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define CONNECT_MS 5000  // for the guest's answer to a request
#define LINGER_MS  10000 // for the guest to end what both have shut
#define NEVER      ((struct deadline) { INT64_MAX })

static void conn_event(void *context, uint32_t events);

struct err vsock_conn_open(struct vsock_conn *conn, int fd, bool accepted)
{
    struct err e;

    conn->fd = fd;
    conn->open = conn->owes_response = accepted;
    conn->owes_request = !accepted;
    conn->until = accepted ? NEVER : deadline_in(CONNECT_MS);
    e = loop_watch(conn->loop, &conn->watch, fd, EPOLLIN, conn_event, conn);
    if (e.code)
        vsock_conn_close(conn);
    return e;
}

void vsock_conn_close(struct vsock_conn *conn)
{
    loop_unwatch(&conn->watch);
    fd_close(&conn->fd);
    free(conn->buffer);
    conn->buffer = NULL;
    conn->n = 0;
}

// The guest is told that this stream is no more; nothing else happens to it.
static void conn_reset(struct vsock_conn *conn)
{
    vsock_conn_close(conn);
    conn->owes_reset = true;
}

static void conn_rewatch(struct vsock_conn *conn)
{
    bool reads = !conn->readable && !(conn->shut & VSOCK_NO_SEND);

    if (conn->watch)
        loop_rewatch(conn->watch, (reads ? EPOLLIN : 0U) | (conn->n > 0 ? EPOLLOUT : 0U));
}

// -- from the guest to the socket ----------------------------------------------------------------

static void conn_took(struct vsock_conn *conn, size_t n)
{
    conn->taken += (uint32_t)n;
    conn->owes_credit |= conn->taken - conn->taken_told >= VSOCK_CONN_ROOM / 4;
}

// Bytes to the socket; what it does not take now is left. A socket without a reader takes all.
static size_t conn_write(struct vsock_conn *conn, struct bytes b)
{
    ssize_t done = conn->fd < 0 ? -1 : send(conn->fd, b.p, b.n, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (done < 0 && conn->fd >= 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR))
        return 0;
    if (done < 0) {
        conn->shut = VSOCK_NOTHING;
        done = (ssize_t)b.n;
    }
    conn_took(conn, (size_t)done);
    return (size_t)done;
}

static void conn_flush(struct vsock_conn *conn)
{
    while (conn->n > 0) {
        size_t whole = VSOCK_CONN_ROOM - conn->start;
        size_t n = conn->n < whole ? conn->n : whole;
        size_t done = conn_write(conn, bytes_of(conn->buffer + conn->start, n));

        conn->start = (conn->start + done) % VSOCK_CONN_ROOM;
        conn->n -= done;
        if (done < n)
            return;
    }
    free(conn->buffer);
    conn->buffer = NULL;
}

static void conn_keep(struct vsock_conn *conn, struct bytes b)
{
    if (!conn->buffer)
        conn->buffer = malloc(VSOCK_CONN_ROOM);
    if (!conn->buffer) {
        conn_reset(conn);
        return;
    }
    must(b.n <= VSOCK_CONN_ROOM - conn->n);
    for (size_t i = 0; i < b.n; i++)
        conn->buffer[(conn->start + conn->n + i) % VSOCK_CONN_ROOM] = b.p[i];
    conn->n += b.n;
}

// The faults that depend on how much went over the stream. True when this packet is lost.
static bool conn_fault(struct vsock_conn *conn, size_t n)
{
    const struct fault_link *fault = &conn->fault;

    conn->moved += n;
    conn->packets++;
    if (fault->half_close > 0 && conn->moved >= fault->half_close)
        conn->shut |= VSOCK_NO_SEND;
    if (fault->cut > 0 && conn->moved >= fault->cut)
        conn_reset(conn);
    return fault->drop > 0 && conn->packets % fault->drop == 0;
}

static void conn_take_data(struct vsock_conn *conn, struct bytes body)
{
    if (!conn->open || conn->guest_shut & VSOCK_NO_SEND ||
        body.n > VSOCK_CONN_ROOM - (conn->got - conn->taken)) {
        conn_reset(conn);
        return;
    }
    conn->got += (uint32_t)body.n;
    if (conn_fault(conn, body.n)) {
        conn_took(conn, body.n);
        return;
    }
    if (conn->n == 0)
        body = bytes_skip(body, conn_write(conn, body));
    if (body.n > 0)
        conn_keep(conn, body);
}

// What follows once everything was written that the guest had sent.
static void conn_settle(struct vsock_conn *conn)
{
    if (conn->n == 0 && conn->guest_shut & VSOCK_NO_SEND && conn->fd >= 0)
        (void)shutdown(conn->fd, SHUT_WR);
    if (conn->n == 0 && conn->guest_shut == VSOCK_NOTHING)
        conn_reset(conn);
    conn_rewatch(conn);
}

void vsock_conn_take(struct vsock_conn *conn, const struct vsock_packet *packet, struct bytes body)
{
    if (conn->owes_reset || conn->finished)
        return;
    conn->peer_room = packet->room;
    conn->peer_taken = packet->taken;
    if (packet->op == VSOCK_RST) {
        vsock_conn_close(conn);
        conn->finished = true;
    } else if (packet->op == VSOCK_RW) {
        conn_take_data(conn, body);
    } else if (packet->op == VSOCK_SHUTDOWN) {
        conn->guest_shut |= packet->flags & VSOCK_NOTHING;
    } else if (packet->op == VSOCK_RESPONSE && !conn->open && !conn->owes_request) {
        conn->open = true;
        conn->until = NEVER;
    } else if (packet->op == VSOCK_CREDIT_REQUEST) {
        conn->owes_credit = true;
    } else if (packet->op != VSOCK_CREDIT_UPDATE) {
        conn_reset(conn);
    }
    conn_settle(conn);
}

static void conn_event(void *context, uint32_t events)
{
    struct vsock_conn *conn = context;

    if (events & (EPOLLIN | EPOLLHUP | EPOLLERR))
        conn->readable = true;
    conn->hung_up |= (events & (EPOLLHUP | EPOLLERR)) != 0;
    if (events & EPOLLOUT)
        conn_flush(conn);
    conn_settle(conn);
    conn->stirred(conn->context);
}

// -- from the socket to the guest ----------------------------------------------------------------

static size_t conn_credit(const struct vsock_conn *conn)
{
    uint32_t ahead = conn->sent - conn->peer_taken;

    return ahead < conn->peer_room ? conn->peer_room - ahead : 0;
}

// The socket has no more: the guest is told so, and that nothing is read any more when the other
// side is gone altogether.
static void conn_ended(struct vsock_conn *conn, bool broken)
{
    conn->shut |= VSOCK_NO_SEND | (conn->hung_up || broken ? VSOCK_NO_RECEIVE : 0U);
}

static bool conn_give_data(struct vsock_conn *conn, struct vsock_packet *packet, uint8_t *body,
                           size_t cap)
{
    bool wanted = conn->readable && conn->fd >= 0 && !(conn->shut & VSOCK_NO_SEND) &&
                  !(conn->guest_shut & VSOCK_NO_RECEIVE);
    size_t n = conn_credit(conn) < cap ? conn_credit(conn) : cap;

    while (wanted && n > 0) {
        ssize_t got = recv(conn->fd, body, n, MSG_DONTWAIT);

        if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
            conn->readable = false;
            return false;
        }
        if (got <= 0) {
            conn_ended(conn, got < 0);
            return false;
        }
        if (conn_fault(conn, (size_t)got))
            continue;
        packet->op = VSOCK_RW;
        packet->n = (uint32_t)got;
        conn->sent += packet->n;
        return true;
    }
    return false;
}

// One packet, in the order of what matters most to the guest. Ordered to, it lets data go first.
static bool conn_give(struct vsock_conn *conn, struct vsock_packet *packet, uint8_t *body,
                      size_t cap)
{
    packet->op = 0;
    if (conn->owes_reset) {
        packet->op = VSOCK_RST;
        conn->finished = true;
    } else if (conn->owes_request || conn->owes_response) {
        packet->op = conn->owes_request ? VSOCK_REQUEST : VSOCK_RESPONSE;
        conn->owes_request = conn->owes_response = false;
    } else if (conn->owes_credit && !conn->fault.reorder) {
        packet->op = VSOCK_CREDIT_UPDATE;
    } else if (conn->open && !conn_give_data(conn, packet, body, cap)) {
        if (conn->owes_credit) {
            packet->op = VSOCK_CREDIT_UPDATE;
        } else if (conn->shut != conn->shut_told && !conn->owes_reset) {
            packet->op = VSOCK_SHUTDOWN;
            packet->flags = conn->shut_told = conn->shut;
            conn->until = conn->shut == VSOCK_NOTHING ? deadline_in(LINGER_MS) : conn->until;
        }
    }
    return packet->op != 0;
}

static struct deadline conn_hold(unsigned most_ms)
{
    uint16_t random;

    libcrypto_random((uint8_t *)&random, sizeof(random));
    return deadline_in(random % (most_ms + 1));
}

bool vsock_conn_give(struct vsock_conn *conn, struct vsock_packet *packet, uint8_t *body,
                     size_t cap)
{
    bool gives;

    *packet = (struct vsock_packet) { .from_cid = conn->cid,
                                      .from_port = conn->port,
                                      .to_port = conn->guest_port,
                                      .type = VSOCK_STREAM,
                                      .room = VSOCK_CONN_ROOM };
    if (conn->finished || deadline_left_ms(conn->held_to) > 0)
        return false;
    gives = conn_give(conn, packet, body, cap);
    conn_rewatch(conn);
    if (!gives)
        return false;
    packet->taken = conn->taken_told = conn->taken; // every packet carries the credit
    conn->owes_credit = false;
    if (conn->fault.delay_ms > 0)
        conn->held_to = conn_hold(conn->fault.delay_ms);
    return true;
}

struct deadline vsock_conn_tick(struct vsock_conn *conn)
{
    if (!conn->owes_reset && !conn->finished && deadline_left_ms(conn->until) == 0)
        conn_reset(conn);
    return deadline_left_ms(conn->held_to) > 0 ? deadline_min(conn->held_to, conn->until)
                                               : conn->until;
}
