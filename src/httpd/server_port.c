// SPDX-License-Identifier: Apache-2.0
// Accepting, and who has to go. Duty: places and memory are bounded whatever comes, and a loop is
// never kept busy by connections that it cannot take. It looks at times and kinds, never at bytes.
#include "httpd/server_port.h"

#include "base/fd.h"

#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MS      10000
#define IDLE_MS         100000
#define ACCEPT_PAUSE_MS 200
#define REFRESH_MS      60000       // for keys of tickets, and memory
#define HELD_BYTES      (64U << 20) // what all peers have sent and not taken

struct server_port {
    struct server_port_options options;
    struct server_conn_host host;
    struct loop_watch *listening; // NULL: accepts nothing more
    struct loop_timer *accept_again, *refresh;
    int listen_fd;
    struct server_conn **conn; // connections_max places
    unsigned conns;
    struct server_port_counts counts; // without the host's
};

static void server_port_accept(void *context, uint32_t events);
static void server_port_accept_again(void *context);
static void server_port_refresh(void *context);
static void server_port_dispatch(void *context, struct server_conn *conn);
static void server_port_gone(void *context, struct server_conn *conn);
static bool server_port_shed(void *context, const struct server_conn *needy);

static struct err server_port_set_up(struct server_port *port)
{
    struct loop *loop = port->options.loop;
    int on = 1;

    // Connections inherit it; other sockets than TCP's do not know it.
    (void)setsockopt(port->listen_fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    port->conn = calloc(port->options.connections_max, sizeof(struct server_conn *));
    ENSURE(port->conn, ERR_FULL, "server: out of memory");
    TRY(fd_set_nonblock(port->listen_fd));
    if (port->options.has_source)
        TRY(server_gate_new(&port->host.gate, loop));
    TRY(loop_watch(loop, &port->listening, port->listen_fd, EPOLLIN, server_port_accept, port));
    TRY(loop_timer(loop, &port->accept_again, (struct deadline) { INT64_MAX },
                   server_port_accept_again, port));
    return loop_timer(loop, &port->refresh, deadline_in(REFRESH_MS), server_port_refresh, port);
}

struct err server_port_new(struct server_port **out, int listen_fd,
                           const struct server_port_options *options)
{
    struct server_port *port = calloc(1, sizeof(*port));
    struct err err;

    *out = port;
    ENSURE(port, ERR_FULL, "server: out of memory");
    port->options = *options;
    port->listen_fd = listen_fd;
    port->host = (struct server_conn_host) { .loop = options->loop,
                                             .tls = options->tls,
                                             .has_source = options->has_source,
                                             .request_max = options->request_max,
                                             .server = port,
                                             .dispatch = server_port_dispatch,
                                             .gone = server_port_gone,
                                             .shed = server_port_shed,
                                             .bytes_left = HELD_BYTES };
    port->host.request_ms = options->request_ms ? options->request_ms : REQUEST_MS;
    port->host.idle_ms = options->idle_ms ? options->idle_ms : IDLE_MS;
    err = server_port_set_up(port);
    if (err.code)
        server_port_free(out);
    return err;
}

static void server_port_dispatch(void *context, struct server_conn *conn)
{
    struct server_port *port = context;

    port->options.dispatch(port->options.context, conn);
}

static void server_port_gone(void *context, struct server_conn *conn)
{
    struct server_port *port = context;

    for (unsigned i = 0; i < port->conns; i++) {
        if (port->conn[i] != conn)
            continue;
        if (port->options.gone)
            port->options.gone(port->options.context, conn);
        port->conn[i] = port->conn[--port->conns];
        server_port_resume(port);
        return;
    }
}

// Closes the connection that net/crowd.h names, of all or, for one of them that needs memory, of
// the others that hold some.
static bool server_port_shed(void *context, const struct server_conn *needy)
{
    struct server_port *port = context;
    struct crowd crowd = { 0 };
    struct server_conn *victim;

    for (unsigned i = port->conns; i-- > 0;) {
        struct server_conn *conn = port->conn[i];
        int64_t since_ms;
        size_t held;
        enum crowd_kind kind = server_conn_kind(conn, &since_ms, &held);

        if (!needy || (conn != needy && held > 0))
            crowd_look(&crowd, conn, kind, since_ms);
    }
    victim = crowd_victim(&crowd);
    if (!victim)
        return false;
    server_conn_free(&victim);
    port->counts.evicted++;
    return true;
}

void server_port_resume(struct server_port *port)
{
    if (port->listening) // it may have paused because all were at work
        loop_rewatch(port->listening, EPOLLIN);
}

static void server_port_accept_again(void *context)
{
    server_port_resume(context);
}

static void server_port_take(struct server_port *port, int fd)
{
    bool is_refused = port->options.needs_tls && !port->host.tls; // no key yet

    if (is_refused)
        (void)close(fd);
    else
        is_refused = server_conn_new(&port->conn[port->conns], &port->host, fd).code;
    port->counts.accepted++;
    port->counts.refused += is_refused;
    port->conns += !is_refused;
}

// One connection a call: level-triggered epoll comes back for the next one.
static void server_port_accept(void *context, uint32_t events)
{
    struct server_port *port = context;
    int fd;

    (void)events;
    if (port->conns == port->options.connections_max && !server_port_shed(port, NULL)) {
        loop_rewatch(port->listening, 0); // all at work: until one is done
        return;
    }
    fd = accept4(port->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0)
        server_port_take(port, fd);
    if (fd < 0 && errno != EINTR && errno != ECONNABORTED && errno != EAGAIN) {
        // Out of descriptors, most likely: the waiting peer would wake the loop again and again.
        loop_rewatch(port->listening, 0);
        loop_timer_set(port->accept_again, deadline_in(ACCEPT_PAUSE_MS));
    }
}

static void server_port_refresh(void *context)
{
    struct server_port *port = context;

    if (port->host.tls)
        tls_server_refresh(port->host.tls);
    (void)malloc_trim(0); // what many connections at once have left
    loop_timer_set(port->refresh, deadline_in(REFRESH_MS));
}

void server_port_set_tls(struct server_port *port, struct tls_context *tls)
{
    port->host.tls = tls;
}

unsigned server_port_count(const struct server_port *port)
{
    return port->conns;
}

void server_port_counts(const struct server_port *port, struct server_port_counts *out)
{
    *out = port->counts;
    out->handshakes_full = port->host.handshakes_full;
    out->handshakes_resumed = port->host.handshakes_resumed;
    out->handshakes_failed = port->host.handshakes_failed;
}

void server_port_drain(struct server_port *port)
{
    loop_unwatch(&port->listening);
    port->host.draining = true;
    for (unsigned i = port->conns; i-- > 0;)
        server_conn_drain(port->conn[i]);
}

void server_port_free(struct server_port **out)
{
    struct server_port *port = *out;

    *out = NULL;
    if (!port)
        return;
    loop_unwatch(&port->listening);
    loop_timer_free(&port->accept_again);
    loop_timer_free(&port->refresh);
    while (port->conns > 0) {
        struct server_conn *conn = port->conn[port->conns - 1];

        server_conn_free(&conn);
    }
    server_gate_free(&port->host.gate);
    server_input_pool_done(&port->host.pool);
    free(port->conn);
    free(port);
}
