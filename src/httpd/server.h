// SPDX-License-Identifier: Apache-2.0
// An HTTP/1.1 server for cloisterd and the emulator: one loop thread reads and writes all
// connections (httpd/server_port.h), a fixed set of workers runs the handlers, which may wait. A
// slow or hostile peer holds a connection, never a worker. Bounded: connections, sizes, memory and
// times (httpd/server_conn.h), and queued requests (503 beyond).
#pragma once

#include "httpd/server_conn.h"
#include "net/addr.h"

struct server;

struct server_options {
    struct tls_context *tls; // NULL: plain
    unsigned workers;        // threads
    unsigned connections_max, queue_max;
    size_t request_max, response_max; // body bytes
    // In a worker; response->body has response_max bytes.
    void (*handle)(const struct server_request *request, struct server_response *response);
    // Is this request served before those that wait? For health checks, say. NULL: none is.
    bool (*goes_first)(const struct http_head *head);
    void *context;
};

// Takes over the listening descriptor and starts its threads.
FALLIBLE server_start(struct server **out, int listen_fd, const struct server_options *options);
// Stops accepting, lets running handlers finish, ends the threads and frees.
void server_stop(struct server **server);
