// SPDX-License-Identifier: Apache-2.0
// The HTTP server with workers: a loop thread that owns every connection, and a crew that runs
// handlers. Between dispatch and answer a request is its call's, which is either in the queue, one
// worker's, or on its way back to the loop (net/crew.h). Trusts its handlers, nothing else.
#include "httpd/server.h"

#include "base/fd.h"
#include "httpd/server_port.h"
#include "net/crew.h"

#include <stdlib.h>
#include <string.h>

struct server {
    struct server_options options;
    struct loop *loop;
    struct server_port *port;
    struct crew *crew;
    pthread_t loop_thread;
    int listen_fd;
    bool looping;
};

// One request with its worker.
struct call {
    struct crew_job job;
    struct server *server;
    struct server_conn *conn;
    struct server_request request;
    struct server_response response;
    uint8_t *body; // of the response
    bool ran;
};

static struct err server_set_up(struct server *server);
static void *server_loop_main(void *context);
static void server_dispatch(void *context, struct server_conn *conn);
static void server_run(void *owner, uint8_t *space);
static void server_done(void *owner);
static void server_finished(void *context);

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
    struct server_port_options port = { .tls = options->tls, .dispatch = server_dispatch };

    TRY(loop_new(&server->loop));
    loop_set_wake(server->loop, server_finished, server);
    crew.loop = port.loop = server->loop;
    crew.scratch = options->response_max;
    crew.run = server_run;
    crew.done = server_done;
    TRY(crew_new(&server->crew, &crew));
    port.connections_max = options->connections_max;
    port.request_max = options->request_max;
    port.context = server;
    return server_port_new(&server->port, server->listen_fd, &port);
}

static void *server_loop_main(void *context)
{
    struct server *server = context;

    loop_run(server->loop);
    return NULL;
}

static bool server_submit(struct server *server, struct call *call)
{
    if (server->options.goes_first && server->options.goes_first(call->request.head))
        return crew_submit_first(server->crew, &call->job);
    return crew_submit(server->crew, &call->job);
}

static void server_dispatch(void *context, struct server_conn *conn)
{
    struct server *server = context;
    struct call *call = calloc(1, sizeof(*call));

    if (call) {
        call->job.owner = call;
        call->server = server;
        call->conn = conn;
        call->request = *server_conn_request(conn);
        call->request.context = server->options.context;
    }
    if (call && server_submit(server, call))
        return;
    free(call);
    server_conn_answer_error(conn, 503, FAIL(ERR_BUSY, "too many requests at once; try again"));
}

// In a worker, whose space is another call's afterwards: the body is kept apart.
static void server_run(void *owner, uint8_t *space)
{
    struct call *call = owner;
    struct wr *body = &call->response.body;

    *body = wr_of(space, call->server->options.response_max);
    call->server->options.handle(&call->request, &call->response);
    call->body = malloc(body->len + 1);
    if (!call->body)
        wr_refuse(body);
    else if (body->len > 0)
        memcpy(call->body, body->p, body->len);
    body->p = call->body;
    call->ran = true;
}

static void server_done(void *owner)
{
    struct call *call = owner;

    if (call->ran)
        server_conn_answer(call->conn, &call->response);
    else
        server_conn_free(&call->conn);
    free(call->body);
    free(call);
}

static void server_finished(void *context)
{
    struct server *server = context;

    crew_collect(server->crew);
    server_port_resume(server->port);
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
    if (server->port)
        server_port_drain(server->port);
    crew_free(&server->crew); // what is finished last is still written when it fits at once
    server_port_free(&server->port);
    loop_free(&server->loop);
    fd_close(&server->listen_fd);
    free(server);
}
