// SPDX-License-Identifier: Apache-2.0
// The HTTP server: a loop thread that owns every connection, and workers that run handlers. A
// connection is either the loop's or, while it stands in the queue, a worker's; the two lists
// under `lock` are the only things that both sides touch. Trusts its handlers, nothing else.
#include "net/server.h"

#include "base/fd.h"
#include "base/must.h"
#include "net/loop.h"
#include "net/server_conn.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define ACCEPT_PAUSE_MS 200
#define WORKERS_MAX     64U
#define HELD_BYTES      (64U << 20) // what all peers have sent and not taken

struct list {
    struct server_conn *first, *last;
    unsigned count;
};

struct server {
    struct server_options options;
    struct server_conn_host host;
    struct loop *loop;
    struct loop_watch *listening;
    struct loop_timer *accept_again;
    int listen_fd;
    struct server_conn **conn; // connections_max places
    unsigned conns;
    pthread_mutex_t lock;
    pthread_cond_t work;
    struct list queued, handled; // under lock
    bool stopping;               // under lock
    pthread_t loop_thread;
    pthread_t worker[WORKERS_MAX];
    unsigned workers; // running
    bool looping;
};

static struct err server_set_up(struct server *server);
static struct err server_spawn(struct server *server);
static void server_accept(void *context, uint32_t events);
static void server_accept_again(void *context);
static void server_finished(void *context);
static bool server_submit(void *context, struct server_conn *conn);
static void server_gone(void *context, struct server_conn *conn);
static bool server_shed(void *context, const struct server_conn *except);

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
    (void)pthread_mutex_init(&server->lock, NULL);
    (void)pthread_cond_init(&server->work, NULL);
    err = server_set_up(server);
    if (!err.code)
        err = server_spawn(server);
    *out = server;
    if (err.code)
        server_stop(out);
    return err;
}

static struct err server_set_up(struct server *server)
{
    const struct server_options *options = &server->options;

    ENSURE(options->workers >= 1 && options->workers <= WORKERS_MAX, ERR_TOO_LARGE,
           "workers: expected 1 to 64");
    server->conn = calloc(options->connections_max, sizeof(struct server_conn *));
    ENSURE(server->conn, ERR_FULL, "server: out of memory");
    TRY(fd_set_nonblock(server->listen_fd));
    TRY(loop_new(&server->loop));
    server->host = (struct server_conn_host) { .loop = server->loop, .options = options };
    server->host.server = server;
    server->host.submit = server_submit;
    server->host.gone = server_gone;
    server->host.shed = server_shed;
    server->host.bytes_left = HELD_BYTES;
    loop_set_wake(server->loop, server_finished, server);
    TRY(loop_watch(server->loop, &server->listening, server->listen_fd, EPOLLIN, server_accept,
                   server));
    return loop_timer(server->loop, &server->accept_again, (struct deadline) { INT64_MAX },
                      server_accept_again, server);
}

static void *server_loop_main(void *context)
{
    struct server *server = context;

    loop_run(server->loop);
    server_finished(server); // what workers finished last is still written when it fits at once
    return NULL;
}

static struct server_conn *server_take(struct list *list)
{
    struct server_conn *conn = list->first;

    if (!conn)
        return NULL;
    list->first = *server_conn_link(conn);
    list->count--;
    *server_conn_link(conn) = NULL;
    return conn;
}

static void server_append(struct list *list, struct server_conn *conn)
{
    *server_conn_link(conn) = NULL;
    if (list->first)
        *server_conn_link(list->last) = conn;
    else
        list->first = conn;
    list->last = conn;
    list->count++;
}

// The next request, or NULL when the server stops.
static struct server_conn *server_wait(struct server *server)
{
    struct server_conn *conn;

    (void)pthread_mutex_lock(&server->lock);
    while (!server->queued.first && !server->stopping)
        (void)pthread_cond_wait(&server->work, &server->lock);
    conn = server->stopping ? NULL : server_take(&server->queued);
    (void)pthread_mutex_unlock(&server->lock);
    return conn;
}

static void *server_worker_main(void *context)
{
    struct server *server = context;
    uint8_t *response = malloc(server->options.response_max);
    struct server_conn *conn;

    must(response);
    while ((conn = server_wait(server))) {
        server_conn_handle(conn, response);
        (void)pthread_mutex_lock(&server->lock);
        server_append(&server->handled, conn);
        (void)pthread_mutex_unlock(&server->lock);
        loop_wake(server->loop);
    }
    free(response);
    return NULL;
}

// The threads inherit a mask without any signal: signals are the main program's, and libssl writes
// with write(), which raises SIGPIPE.
static struct err server_spawn(struct server *server)
{
    sigset_t all, before;
    int failed;

    (void)sigfillset(&all);
    must(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    failed = pthread_create(&server->loop_thread, NULL, server_loop_main, server);
    server->looping = !failed;
    while (!failed && server->workers < server->options.workers) {
        failed = pthread_create(&server->worker[server->workers], NULL, server_worker_main, server);
        server->workers += !failed;
    }
    must(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    ENSURE(!failed, ERR_FULL, "server: no more threads");
    return OK;
}

static bool server_submit(void *context, struct server_conn *conn)
{
    struct server *server = context;
    bool room;

    (void)pthread_mutex_lock(&server->lock);
    room = server->queued.count < server->options.queue_max;
    if (room)
        server_append(&server->queued, conn);
    (void)pthread_mutex_unlock(&server->lock);
    if (room)
        (void)pthread_cond_signal(&server->work);
    return room;
}

// In the loop: answers that workers have finished.
static void server_finished(void *context)
{
    struct server *server = context;
    struct server_conn *conn;

    do {
        (void)pthread_mutex_lock(&server->lock);
        conn = server_take(&server->handled);
        (void)pthread_mutex_unlock(&server->lock);
        if (conn)
            server_conn_resume(conn);
    } while (conn);
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

// Closes the connection that net/crowd.h names, of all or of those that hold memory.
static bool server_close_one(struct server *server, const struct server_conn *except, bool holders)
{
    struct crowd crowd = { 0 };
    struct server_conn *victim;

    for (unsigned i = 0; i < server->conns; i++) {
        struct server_conn *conn = server->conn[i];
        int64_t since_ms;
        enum crowd_kind kind = server_conn_kind(conn, &since_ms);

        if (conn != except && (!holders || server_conn_holds(conn)))
            crowd_look(&crowd, conn, kind, since_ms);
    }
    victim = crowd_victim(&crowd);
    if (!victim)
        return false;
    server_conn_free(&victim);
    return true;
}

static bool server_shed(void *context, const struct server_conn *except)
{
    return server_close_one(context, except, true);
}

static void server_accept_again(void *context)
{
    struct server *server = context;

    loop_rewatch(server->listening, EPOLLIN);
}

static bool server_accept_passes(int error)
{
    return error == EINTR || error == ECONNABORTED || error == EAGAIN;
}

// One connection a call: level-triggered epoll comes back for the next one.
static void server_accept(void *context, uint32_t events)
{
    struct server *server = context;
    int fd;

    (void)events;
    if (server->conns == server->options.connections_max &&
        !server_close_one(server, NULL, false)) {
        loop_rewatch(server->listening, 0); // all at work: until one is done
        return;
    }
    fd = accept4(server->listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd >= 0 && !server_conn_new(&server->conn[server->conns], &server->host, fd).code)
        server->conns++;
    if (fd < 0 && !server_accept_passes(errno)) {
        // Out of descriptors, most likely: the waiting peer would wake the loop again and again.
        loop_rewatch(server->listening, 0);
        loop_timer_set(server->accept_again, deadline_in(ACCEPT_PAUSE_MS));
    }
}

static void server_end_workers(struct server *server)
{
    (void)pthread_mutex_lock(&server->lock);
    server->stopping = true;
    (void)pthread_mutex_unlock(&server->lock);
    (void)pthread_cond_broadcast(&server->work);
    for (unsigned i = 0; i < server->workers; i++)
        (void)pthread_join(server->worker[i], NULL);
}

void server_stop(struct server **out)
{
    struct server *server = *out;

    *out = NULL;
    if (!server)
        return;
    server_end_workers(server);
    if (server->looping) {
        loop_stop(server->loop);
        (void)pthread_join(server->loop_thread, NULL);
    }
    loop_unwatch(&server->listening);
    while (server->conns > 0) {
        struct server_conn *conn = server->conn[server->conns - 1];

        server_conn_free(&conn);
    }
    loop_free(&server->loop);
    fd_close(&server->listen_fd);
    (void)pthread_cond_destroy(&server->work);
    (void)pthread_mutex_destroy(&server->lock);
    free(server->conn);
    free(server);
}
