// SPDX-License-Identifier: Apache-2.0
// The HTTP server: a loop thread that owns every connection, and workers that run handlers. A
// connection is either the loop's or, while it stands in the queue, a worker's (net/crew.h). Trusts
// its handlers, nothing else.
#include "httpd/server.h"

#include "base/fd.h"
#include "httpd/server_conn.h"
#include "net/loop.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define ACCEPT_PAUSE_MS 200
#define HELD_BYTES      (64U << 20) // what all peers have sent and not taken

struct server {
    struct server_options options;
    struct server_conn_host host;
    struct loop *loop;
    struct loop_watch *listening;
    struct loop_timer *accept_again;
    int listen_fd;
    struct server_conn **conn; // connections_max places
    unsigned conns;
    struct crew *crew;
    pthread_t loop_thread;
    bool looping;
};

static struct err server_set_up(struct server *server);
static void *server_loop_main(void *context);
static void server_accept(void *context, uint32_t events);
static void server_accept_again(void *context);
static void server_finished(void *context);
static void server_gone(void *context, struct server_conn *conn);
static bool server_shed(void *context, const struct server_conn *needy);

struct err server_start(struct server **out, int listen_fd, const struct server_options *options)
{
    struct server *server = calloc(1, sizeof(*server));
    struct err err;

    *out = NULL;
    if (!server) {
        fd_close(&listen_fd);
        return FAIL(ERR_FULL, "server: out of memory");
    }
    server->options = *options;
    server->listen_fd = listen_fd;
    err = server_set_up(server);
    if (!err.code)
        err = crew_thread(&server->loop_thread, server_loop_main, server);
    server->looping = !err.code;
    *out = server;
    if (err.code)
        server_stop(out);
    return err;
}

static struct err server_set_up(struct server *server)
{
    const struct server_options *options = &server->options;
    struct crew_options crew = { .workers = options->workers, .queue_max = options->queue_max };

    server->conn = calloc(options->connections_max, sizeof(struct server_conn *));
    ENSURE(server->conn, ERR_FULL, "server: out of memory");
    TRY(fd_set_nonblock(server->listen_fd));
    TRY(loop_new(&server->loop));
    server->host = (struct server_conn_host) { .loop = server->loop, .options = options };
    server->host.server = server;
    server->host.gone = server_gone;
    server->host.shed = server_shed;
    server->host.bytes_left = HELD_BYTES;
    loop_set_wake(server->loop, server_finished, server);
    crew.loop = server->loop;
    crew.scratch = options->response_max;
    crew.run = server_conn_handle;
    crew.done = server_conn_resume;
    TRY(crew_new(&server->crew, &crew));
    server->host.crew = server->crew;
    TRY(loop_watch(server->loop, &server->listening, server->listen_fd, EPOLLIN, server_accept,
                   server));
    return loop_timer(server->loop, &server->accept_again, (struct deadline) { INT64_MAX },
                      server_accept_again, server);
}

static void *server_loop_main(void *context)
{
    struct server *server = context;

    loop_run(server->loop);
    return NULL;
}

static void server_finished(void *context)
{
    struct server *server = context;

    crew_collect(server->crew);
    if (server->listening) // it may have paused because all were at work
        loop_rewatch(server->listening, EPOLLIN);
}

static void server_gone(void *context, struct server_conn *conn)
{
    struct server *server = context;

    for (unsigned i = 0; i < server->conns; i++) {
        if (server->conn[i] != conn)
            continue;
        server->conn[i] = server->conn[--server->conns];
        if (server->listening)
            loop_rewatch(server->listening, EPOLLIN);
        return;
    }
}

// Closes the connection that net/crowd.h names, of all or, for one of them that needs memory, of
// the others that hold some.
static bool server_shed(void *context, const struct server_conn *needy)
{
    struct server *server = context;
    struct crowd crowd = { 0 };
    struct server_conn *victim;

    for (unsigned i = server->conns; i-- > 0;) {
        struct server_conn *conn = server->conn[i];
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
    return true;
}

static void server_accept_again(void *context)
{
    loop_rewatch(((struct server *)context)->listening, EPOLLIN);
}

// One connection a call: level-triggered epoll comes back for the next one.
static void server_accept(void *context, uint32_t events)
{
    struct server *server = context;
    int fd;

    (void)events;
    if (server->conns == server->options.connections_max && !server_shed(server, NULL)) {
        loop_rewatch(server->listening, 0); // all at work: until one is done
        return;
    }
    fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0 && !server_conn_new(&server->conn[server->conns], &server->host, fd).code)
        server->conns++;
    if (fd < 0 && errno != EINTR && errno != ECONNABORTED && errno != EAGAIN) {
        // Out of descriptors, most likely: the waiting peer would wake the loop again and again.
        loop_rewatch(server->listening, 0);
        loop_timer_set(server->accept_again, deadline_in(ACCEPT_PAUSE_MS));
    }
}

void server_stop(struct server **out)
{
    struct server *server = *out;

    *out = NULL;
    if (!server)
        return;
    if (server->looping) {
        loop_stop(server->loop);
        (void)pthread_join(server->loop_thread, NULL);
    }
    loop_unwatch(&server->listening);
    crew_free(&server->crew); // what is finished last is still written when it fits at once
    while (server->conns > 0) {
        struct server_conn *conn = server->conn[server->conns - 1];

        server_conn_free(&conn);
    }
    loop_free(&server->loop);
    fd_close(&server->listen_fd);
    free(server->conn);
    free(server);
}
