// SPDX-License-Identifier: Apache-2.0
// One connection of httpd/server.h: reads a request, waits for a worker, writes the answer. Who may
// include it: httpd/server.c.
#pragma once

#include "httpd/server.h"
#include "net/crew.h"
#include "net/crowd.h"
#include "net/loop.h"

struct server_conn;

// What all connections of a server share.
struct server_conn_host {
    struct loop *loop;
    const struct server_options *options;
    void *server;
    struct crew *crew; // runs server_conn_handle
    // The connection is about to be freed: forget it.
    void (*gone)(void *server, struct server_conn *conn);
    // Closes another connection that holds memory; false when there is none.
    bool (*shed)(void *server, const struct server_conn *needy);
    size_t bytes_left; // what all connections together may still hold
};

// Takes over `fd` (also on failure).
FALLIBLE server_conn_new(struct server_conn **out, struct server_conn_host *host, int fd);
// What it waits for, since when, and how much of bytes_left closing it gives back.
enum crowd_kind server_conn_kind(const struct server_conn *conn, int64_t *since_ms, size_t *held);
// In a worker: runs the handler with a response buffer of options->response_max bytes and builds
// the answer. Touches nothing that the loop uses meanwhile.
void server_conn_handle(void *conn, uint8_t *response);
// In the loop, after server_conn_handle: writes the answer and goes on. May free the connection.
void server_conn_resume(void *conn);
// Closes and frees; calls host->gone.
void server_conn_free(struct server_conn **conn);
