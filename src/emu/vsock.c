// SPDX-License-Identifier: Apache-2.0
// The device: packets of the guest to the connections they belong to, and of the connections to the
// guest, one after the other so that none starves. Whatever belongs to nothing is answered with a
// reset, up to a limit: a guest that sends faster than it reads gets no more of them.
#include "emu/vsock.h"

#include "base/fd.h"
#include "base/must.h"
#include "crypto/openssl/libcrypto.h"
#include "emu/journal.h"
#include "emu/vhost.h"
#include "emu/vsock_conn.h"
#include "net/addr.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define CONNECTIONS_MAX 256
#define LISTENERS_MAX   8
#define RESETS_MAX      64
#define FLOOD_KINDS     6
#define FIRST_PORT      0x40000000U // of streams that begin here; below are the parent's services

enum { QUEUE_TO_GUEST, QUEUE_FROM_GUEST, QUEUES };

struct listener {
    struct vsock *vsock;
    int fd;
    struct loop_watch *watch;
    uint32_t port;
};

struct vsock {
    struct vsock_options options;
    struct loop *loop;
    struct loop_timer *timer;
    struct vhost *vhost;
    struct listener listener[LISTENERS_MAX];
    struct vsock_conn *conns;
    unsigned count;
    uint32_t next_port;
    bool is_on, has_room, reorders;
    struct vring_chain room; // taken from the guest and not filled yet
    struct vsock_packet reset[RESETS_MAX];
    size_t resets;
    unsigned flood;
    uint8_t packet[VSOCK_HEAD_BYTES + VSOCK_BODY_MAX];
};

static void vsock_pump(struct vsock *v);

static void vsock_stirred(void *context)
{
    vsock_pump(context);
}

// -- connections ---------------------------------------------------------------------------------

static void conn_free(struct vsock *v, struct vsock_conn **at)
{
    struct vsock_conn *conn = *at;

    *at = conn->next;
    vsock_conn_close(conn);
    free(conn);
    v->count--;
}

static struct vsock_conn *conn_find(struct vsock *v, const struct vsock_packet *packet)
{
    for (struct vsock_conn *conn = v->conns; conn; conn = conn->next) {
        if (!conn->finished && conn->guest_port == packet->from_port &&
            conn->port == packet->to_port && conn->cid == packet->to_cid)
            return conn;
    }
    return NULL;
}

// Takes over `fd`, also on failure.
static FALLIBLE conn_new(struct vsock *v, int fd, const struct vsock_conn *like, bool egress)
{
    AUTO(fd_close) int owned = fd;
    struct vsock_conn *conn;
    struct err e;

    ENSURE(v->count < CONNECTIONS_MAX, ERR_FULL, "vsock: 256 connections are open");
    conn = malloc(sizeof(*conn));
    ENSURE(conn, ERR_FULL, "no memory");
    *conn = *like;
    conn->loop = v->loop;
    conn->stirred = vsock_stirred;
    conn->context = v;
    v->options.fault(&conn->fault, egress, v->options.context);
    owned = -1;
    e = vsock_conn_open(conn, fd, egress);
    if (e.code) {
        free(conn);
        return e;
    }
    v->flood += conn->fault.flood;
    v->reorders |= conn->fault.reorder;
    conn->next = v->conns;
    v->conns = conn;
    v->count++;
    return OK;
}

static FALLIBLE conn_accept(struct vsock *v, const struct vsock_packet *packet)
{
    struct vsock_conn like = { .cid = packet->to_cid,
                               .guest_port = packet->from_port,
                               .port = packet->to_port,
                               .peer_room = packet->room,
                               .peer_taken = packet->taken };
    int fd = -1;

    TRY(v->options.dial(&fd, packet->to_port, v->options.context));
    return conn_new(v, fd, &like, true);
}

static void listener_event(void *context, uint32_t events)
{
    struct listener *listener = context;
    struct vsock *v = listener->vsock;
    int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct vsock_conn like = { .cid = VSOCK_CID_PARENT,
                               .guest_port = listener->port,
                               .port = FIRST_PORT + v->next_port % FIRST_PORT };
    struct err e;

    (void)events;
    if (fd < 0)
        return;
    v->next_port++;
    if (!v->is_on) { // nobody is there, as when an enclave is not running
        fd_close(&fd);
        return;
    }
    e = conn_new(v, fd, &like, false);
    if (e.code)
        journal("vsock: port %u of the guest: %s", listener->port, err_text(e));
    vsock_pump(v);
}

// -- from the guest ------------------------------------------------------------------------------

static void vsock_refuse(struct vsock *v, const struct vsock_packet *packet)
{
    if (packet->op == VSOCK_RST || v->resets == RESETS_MAX)
        return;
    v->reset[v->resets++] = (struct vsock_packet) {
        .from_cid = packet->to_cid,
        .from_port = packet->to_port,
        .to_port = packet->from_port,
        .type = packet->type,
        .op = VSOCK_RST,
    };
}

static void vsock_take(struct vsock *v, const struct vsock_packet *packet, struct bytes body)
{
    struct vsock_conn *conn = conn_find(v, packet);
    struct err e;

    if (packet->from_cid != v->options.guest_cid ||
        (packet->to_cid != VSOCK_CID_PARENT && packet->to_cid != VSOCK_CID_HOST))
        return;
    if (packet->type != VSOCK_STREAM) {
        vsock_refuse(v, packet);
    } else if (conn) {
        vsock_conn_take(conn, packet, body);
    } else if (packet->op == VSOCK_REQUEST) {
        e = conn_accept(v, packet);
        if (!e.code)
            return;
        journal("link port %u of the parent: %s", packet->to_port, err_text(e));
        vsock_refuse(v, packet);
    } else {
        vsock_refuse(v, packet);
    }
}

static void vsock_take_chain(struct vsock *v, struct vring *ring, const struct vring_chain *chain)
{
    struct wr wr = WR_OF(v->packet);
    struct vsock_packet packet;
    struct rd rd;

    vring_read(ring, chain, &wr, sizeof(v->packet));
    rd = rd_of(wr_done(&wr));
    // A packet whose length and buffers disagree belongs to no stream.
    if (!ring->broken && !vsock_packet_read(&packet, &rd).code && packet.n <= rd.left.n)
        vsock_take(v, &packet, bytes_take(rd.left, packet.n));
    vring_push(ring, chain, 0);
}

static void vsock_kicked(void *context, unsigned queue)
{
    struct vsock *v = context;
    struct vring *ring = vhost_queue(v->vhost, QUEUE_FROM_GUEST);
    struct vring_chain chain;
    unsigned taken = 0;

    while (queue == QUEUE_FROM_GUEST && ring && taken < ring->entries && vring_pop(ring, &chain)) {
        vsock_take_chain(v, ring, &chain);
        taken++;
    }
    if (taken > 0)
        vhost_notify(v->vhost, QUEUE_FROM_GUEST);
    if (taken > 0 && taken == ring->entries) // a guest that never pauses must not keep this thread
        vhost_again(v->vhost, QUEUE_FROM_GUEST);
    vsock_pump(v);
}

// -- to the guest --------------------------------------------------------------------------------

// What a hostile parent might send to a guest: packets of no stream, of unknown kinds, and requests
// for the control port that nobody continues.
static void flood_packet(struct vsock *v, struct vsock_packet *packet)
{
    static const uint16_t ops[FLOOD_KINDS] = { VSOCK_RST,           VSOCK_RW, VSOCK_SHUTDOWN,
                                               VSOCK_CREDIT_UPDATE, 99,       VSOCK_REQUEST };
    uint16_t random[4];

    libcrypto_random((uint8_t *)random, sizeof(random));
    *packet = (struct vsock_packet) { .from_cid = VSOCK_CID_PARENT,
                                      .from_port = random[0],
                                      .to_port = v->flood % 2 ? v->listener[0].port : random[1],
                                      .type = v->flood % 7 ? VSOCK_STREAM : random[2],
                                      .op = ops[v->flood % FLOOD_KINDS],
                                      .flags = random[3],
                                      .room = v->flood };
    v->flood--;
}

// The first connection, which goes to the end of the list.
static struct vsock_conn *conn_rotate(struct vsock *v)
{
    struct vsock_conn *conn = v->conns, **last = &v->conns;

    if (!conn->next)
        return conn;
    v->conns = conn->next;
    conn->next = NULL;
    while (*last)
        last = &(*last)->next;
    *last = conn;
    return conn;
}

static bool vsock_next(struct vsock *v, struct vsock_packet *packet, uint8_t *body, size_t cap)
{
    uint8_t skip = 0;

    if (v->resets > 0) {
        *packet = v->reset[--v->resets];
        return true;
    }
    if (v->flood > 0) {
        flood_packet(v, packet);
        return true;
    }
    if (v->reorders)
        libcrypto_random(&skip, sizeof(skip));
    while (v->count > 1 && skip-- > 0)
        (void)conn_rotate(v);
    for (unsigned i = 0; i < v->count; i++) {
        if (vsock_conn_give(conn_rotate(v), packet, body, cap))
            return true;
    }
    return false;
}

static bool vsock_room(struct vsock *v, struct vring *ring)
{
    // Room that cannot hold a head is given back unused.
    while (!v->has_room && vring_pop(ring, &v->room)) {
        v->has_room = v->room.writable > VSOCK_HEAD_BYTES;
        if (!v->has_room)
            vring_push(ring, &v->room, 0);
    }
    return v->has_room;
}

static bool vsock_give(struct vsock *v, struct vring *ring)
{
    struct wr wr = wr_of(v->packet, VSOCK_HEAD_BYTES);
    struct vsock_packet packet;
    uint64_t cap;

    if (!vsock_room(v, ring))
        return false;
    cap = v->room.writable - VSOCK_HEAD_BYTES;
    if (!vsock_next(v, &packet, v->packet + VSOCK_HEAD_BYTES,
                    cap < VSOCK_BODY_MAX ? (size_t)cap : VSOCK_BODY_MAX))
        return false;
    packet.to_cid = v->options.guest_cid;
    vsock_packet_write(&wr, &packet);
    vring_push(ring, &v->room,
               vring_write(ring, &v->room, bytes_of(v->packet, VSOCK_HEAD_BYTES + packet.n)));
    v->has_room = false;
    return true;
}

static void vsock_sweep(struct vsock *v)
{
    struct deadline next = { INT64_MAX };

    for (struct vsock_conn **at = &v->conns; *at;) {
        next = deadline_min(next, vsock_conn_tick(*at));
        if ((*at)->finished)
            conn_free(v, at);
        else
            at = &(*at)->next;
    }
    loop_timer_set(v->timer, next);
}

static void vsock_pump(struct vsock *v)
{
    struct vring *ring = v->is_on ? vhost_queue(v->vhost, QUEUE_TO_GUEST) : NULL;
    unsigned given = 0;

    while (ring && given < ring->entries && vsock_give(v, ring))
        given++;
    if (given > 0)
        vhost_notify(v->vhost, QUEUE_TO_GUEST);
    if (given > 0 && given == ring->entries)
        vhost_again(v->vhost, QUEUE_TO_GUEST);
    vsock_sweep(v);
}

// -- on and off ----------------------------------------------------------------------------------

static bool vsock_on(void *context)
{
    struct vsock *v = context;

    v->is_on = true;
    return true;
}

static void vsock_off(void *context)
{
    struct vsock *v = context;

    while (v->conns)
        conn_free(v, &v->conns);
    v->is_on = v->has_room = v->reorders = false;
    v->resets = v->flood = 0;
}

static FALLIBLE vsock_listen(struct vsock *v)
{
    for (size_t i = 0; v->options.listener[i].path; i++) {
        struct addr addr = { .kind = ADDR_UNIX }, bound;
        struct listener *listener = &v->listener[i];

        must(i < LISTENERS_MAX);
        ENSURE(bytes_to_str(bytes_str(v->options.listener[i].path), addr.host, VHOST_PATH_MAX),
               ERR_TOO_LARGE, "directory: its path is too long for Unix sockets");
        listener->port = v->options.listener[i].port;
        TRY(addr_listen(&listener->fd, &addr, &bound));
        TRY(loop_watch(v->loop, &listener->watch, listener->fd, EPOLLIN, listener_event, listener));
    }
    return OK;
}

static FALLIBLE vsock_open(struct vsock *v)
{
    uint64_t config = htole64(v->options.guest_cid);

    TRY(loop_timer(v->loop, &v->timer, (struct deadline) { INT64_MAX }, vsock_stirred, v));
    TRY(vsock_listen(v));
    return vhost_new(&v->vhost, v->loop, v->options.path,
                     &(struct vhost_device) {
                         .name = "vsock",
                         .queues = QUEUES,
                         .config = &config,
                         .config_n = sizeof(config),
                         .on = vsock_on,
                         .off = vsock_off,
                         .kicked = vsock_kicked,
                         .context = v,
                     });
}

struct err vsock_new(struct vsock **out, struct loop *loop, const struct vsock_options *options)
{
    struct vsock *v = *out = calloc(1, sizeof(*v));
    struct err e;

    ENSURE(v, ERR_FULL, "no memory");
    v->options = *options;
    v->loop = loop;
    for (size_t i = 0; i < LISTENERS_MAX; i++)
        v->listener[i] = (struct listener) { .vsock = v, .fd = -1 };
    e = vsock_open(v);
    if (e.code)
        vsock_free(out);
    return e;
}

void vsock_free(struct vsock **out)
{
    struct vsock *v = *out;

    if (!v)
        return;
    vhost_free(&v->vhost);
    vsock_off(v);
    for (size_t i = 0; i < LISTENERS_MAX; i++) {
        loop_unwatch(&v->listener[i].watch);
        fd_close(&v->listener[i].fd);
    }
    loop_timer_free(&v->timer);
    free(v);
    *out = NULL;
}
