// SPDX-License-Identifier: Apache-2.0
// Accepts clients and leads each to the enclave; pairs.c moves the bytes. A client that says
// nothing costs a descriptor and never reaches the enclave. Whom a client claims to be is decided
// by TLS in the enclave; the address that is told to it here is a hint that nobody can verify
// there.
#include "parent/tunnel.h"

#include "base/fd.h"
#include "base/must.h"
#include "base/wr.h"
#include "net/loop.h"
#include "parent/log.h"
#include "parent/metrics.h"
#include "parent/pairs.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#define TUNNEL_ACCEPTS  16    // in one turn, so that those who are connected are served as well
#define TUNNEL_QUIET_MS 300   // without a byte after an answer: nothing is under way
#define TUNNEL_CHECK_MS 50    // how often the end of a drain is looked for
#define TUNNEL_SAY_MS   60000 // the same trouble is logged once a minute

struct tunnel {
    struct tunnel_options options;
    struct addr bound;
    struct loop *loop;
    struct loop_watch *watch;
    struct loop_timer *drain;
    struct pairs *pairs;
    int listen_fd;
    pthread_t thread;
    bool running;
    atomic_int drain_ms; // set once, before the loop is woken
    struct deadline drained;
    int64_t said_ms[2]; // when unreachable and full were logged last
    atomic_size_t open;
};

static void tunnel_accept(void *context, uint32_t events);
static struct err tunnel_dial(void *context, int caller, int *called, struct wr *head);
static void tunnel_ended(void *context, enum pairs_end ended);
static void tunnel_drain(void *context);
static void tunnel_check(void *context);
static void *tunnel_run(void *context);

static struct err tunnel_open(struct tunnel *tunnel)
{
    const struct tunnel_options *options = &tunnel->options;
    struct err err = addr_listen(&tunnel->listen_fd, &options->listen, &tunnel->bound);

    ENSURE(err.code != ERR_EXISTS, ERR_EXISTS,
           "tunnel_listen: the address is in use by another program");
    ENSURE(!err.code, err.code, "tunnel_listen: the address cannot be bound on this machine");
    TRY(loop_new(&tunnel->loop));
    loop_set_wake(tunnel->loop, tunnel_drain, tunnel);
    TRY(pairs_new(&tunnel->pairs, tunnel->loop,
                  &(struct pairs_options) { .dial = tunnel_dial,
                                            .first_ms = options->first_ms,
                                            .idle_ms = options->idle_ms,
                                            .to_called = METRICS_TUNNEL_TO_ENCLAVE,
                                            .to_caller = METRICS_TUNNEL_FROM_ENCLAVE,
                                            .ended = tunnel_ended,
                                            .context = tunnel }));
    TRY(loop_timer(tunnel->loop, &tunnel->drain, (struct deadline) { INT64_MAX }, tunnel_check,
                   tunnel));
    TRY(loop_watch(tunnel->loop, &tunnel->watch, tunnel->listen_fd, EPOLLIN, tunnel_accept,
                   tunnel));
    ENSURE(pthread_create(&tunnel->thread, NULL, tunnel_run, tunnel) == 0, ERR_FULL,
           "tunnel: no thread");
    tunnel->running = true;
    return OK;
}

struct err tunnel_start(struct tunnel **out, const struct tunnel_options *options)
{
    struct tunnel *tunnel = *out = calloc(1, sizeof(*tunnel));
    struct err err;

    ENSURE(tunnel, ERR_FULL, "tunnel: no memory");
    tunnel->options = *options;
    tunnel->listen_fd = -1;
    err = tunnel_open(tunnel);
    if (err.code)
        tunnel_stop(out, 0);
    return err;
}

void tunnel_look(const struct tunnel *tunnel, struct addr *bound, size_t *connections)
{
    *bound = tunnel->bound;
    *connections = atomic_load(&tunnel->open);
}

static void *tunnel_run(void *context)
{
    loop_run(((struct tunnel *)context)->loop);
    return NULL;
}

void tunnel_stop(struct tunnel **tunnel, int drain_ms)
{
    struct tunnel *t = *tunnel;

    if (!t)
        return;
    if (t->running) {
        atomic_store(&t->drain_ms, drain_ms);
        loop_wake(t->loop);
        must(pthread_join(t->thread, NULL) == 0);
    }
    pairs_free(&t->pairs);
    loop_timer_free(&t->drain);
    loop_unwatch(&t->watch);
    loop_free(&t->loop);
    fd_close(&t->listen_fd);
    free(t);
    *tunnel = NULL;
}

static bool tunnel_may_say(int64_t *said_ms)
{
    int64_t now = deadline_now_ms();

    if (*said_ms && now - *said_ms < TUNNEL_SAY_MS)
        return false;
    *said_ms = now;
    return true;
}

// -- clients -------------------------------------------------------------------------------------

static void tunnel_take(struct tunnel *tunnel, int fd)
{
    int on = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); // fails on Unix sockets
    if (pairs_count(tunnel->pairs) >= tunnel->options.connections) {
        if (tunnel_may_say(&tunnel->said_ms[0]))
            log_event(LOG_WARN, "tunnel", "full", NULL, NULL);
        pairs_evict(tunnel->pairs);
    }
    metrics_add(METRICS_TUNNEL_ACCEPTED, 1);
    atomic_fetch_add(&tunnel->open, 1);
    pairs_add(tunnel->pairs, fd, -1);
}

static void tunnel_accept(void *context, uint32_t events)
{
    struct tunnel *tunnel = context;

    (void)events;
    for (int i = 0; i < TUNNEL_ACCEPTS; i++) {
        int fd = accept4(tunnel->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        // Without descriptors the socket stays readable: a pause keeps the loop from spinning.
        if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
            (void)nanosleep(&(struct timespec) { 0, 10000000 }, NULL);
        if (fd < 0)
            return;
        tunnel_take(tunnel, fd);
    }
}

static struct err tunnel_dial(void *context, int caller, int *called, struct wr *head)
{
    const struct tunnel *tunnel = context;

    if (tunnel->options.adds_source)
        tunnel_write_source(head, caller);
    return addr_begin(called, &tunnel->options.target, deadline_in(tunnel->options.first_ms));
}

static void tunnel_ended(void *context, enum pairs_end ended)
{
    static const enum metrics_counter counters[] = {
        [PAIRS_CLOSED] = METRICS_TUNNEL_CLOSED,
        [PAIRS_UNREACHABLE] = METRICS_TUNNEL_UNREACHABLE,
        [PAIRS_TIMED_OUT] = METRICS_TUNNEL_TIMED_OUT,
        [PAIRS_EVICTED] = METRICS_TUNNEL_EVICTED,
    };
    struct tunnel *tunnel = context;

    metrics_add(counters[ended], 1);
    atomic_fetch_sub(&tunnel->open, 1);
    if (ended == PAIRS_UNREACHABLE && tunnel_may_say(&tunnel->said_ms[1]))
        log_event(LOG_WARN, "tunnel", "unreachable", NULL, NULL);
}

// -- the end -------------------------------------------------------------------------------------

// In the loop: from here on nobody is accepted. Who asks again before the answer to the last
// request is out is waited for until the time is up.
static void tunnel_drain(void *context)
{
    struct tunnel *tunnel = context;

    loop_unwatch(&tunnel->watch);
    fd_close(&tunnel->listen_fd);
    tunnel->drained = deadline_in(atomic_load(&tunnel->drain_ms));
    tunnel_check(tunnel);
}

static void tunnel_check(void *context)
{
    struct tunnel *tunnel = context;

    pairs_close_quiet(tunnel->pairs, TUNNEL_QUIET_MS);
    if (pairs_count(tunnel->pairs) == 0 || deadline_left_ms(tunnel->drained) == 0)
        loop_stop(tunnel->loop);
    else
        loop_timer_set(tunnel->drain, deadline_in(TUNNEL_CHECK_MS));
}

// -- the client's address ------------------------------------------------------------------------

union tunnel_address {
    struct sockaddr any;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
};

// 4 or 16 bytes, and the port in network order. An IPv4 client of a socket that listens for both is
// what it is.
static struct bytes tunnel_ip(const union tunnel_address *at, uint16_t *port)
{
    struct bytes ip = BYTES_OF(at->in6.sin6_addr);

    *port = at->any.sa_family == AF_INET ? at->in.sin_port : at->in6.sin6_port;
    if (at->any.sa_family == AF_INET)
        return BYTES_OF(at->in.sin_addr);
    return IN6_IS_ADDR_V4MAPPED(&at->in6.sin6_addr) ? bytes_skip(ip, 12) : ip;
}

void tunnel_write_source(struct wr *wr, int fd)
{
    union tunnel_address from = { 0 }, to = { 0 };
    socklen_t from_n = sizeof(from), to_n = sizeof(to);
    struct bytes from_ip, to_ip;
    uint16_t port[2];
    bool is_v6;

    if (getpeername(fd, &from.any, &from_n) != 0 || getsockname(fd, &to.any, &to_n) != 0 ||
        from.any.sa_family != to.any.sa_family ||
        (from.any.sa_family != AF_INET && from.any.sa_family != AF_INET6))
        return;
    from_ip = tunnel_ip(&from, &port[0]);
    to_ip = tunnel_ip(&to, &port[1]);
    is_v6 = from_ip.n == sizeof(struct in6_addr);
    if (from_ip.n != to_ip.n)
        return;
    // Version 2, command PROXY; the families and lengths of TCP over IPv6 and IPv4.
    wr_bytes(wr, BYTES_LIT("\r\n\r\n\0\r\nQUIT\n\x21"));
    wr_u8(wr, is_v6 ? 0x21 : 0x11);
    wr_u16(wr, is_v6 ? 36 : 12);
    wr_bytes(wr, from_ip);
    wr_bytes(wr, to_ip);
    wr_bytes(wr, BYTES_OF(port));
}
