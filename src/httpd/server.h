// SPDX-License-Identifier: Apache-2.0
// An HTTP/1.1 server for cloisterd and the emulator: one loop thread reads and writes all
// connections, a fixed set of workers runs the handlers, which may wait. A slow or hostile peer
// holds a connection, never a worker. Bounded: connections (beyond, net/crowd.h says which one is
// closed for the new one), queued requests (503 beyond), sizes, memory (64 MiB for what all peers
// have sent and not taken, beside 4 KiB each), and times (head and body within 10 s, idle
// connections 75 s).
#pragma once

#include "net/addr.h"
#include "net/http.h"
#include "net/tls.h"

#define SERVER_TARGET_MAX 1024

struct server;

struct server_request {
    const struct http_head *head; // views are valid during the handler
    struct bytes body;
    void *context; // of the server
};

// The handler fills this in; nothing set means 204 without a body.
struct server_response {
    unsigned status;
    const char *content_type;   // static; NULL: application/json
    struct wr body;             // over a buffer that the server owns, options.response_max bytes
    struct http_field field[8]; // further fields; static values or bytes inside `scratch`
    size_t fields;
    uint8_t scratch[512];
    // Not 0: the answer, head included, ends after so many bytes, and the connection with it. For
    // servers that show clients a broken connection (emu/fault.h).
    size_t cut;
};

struct server_options {
    struct tls_context *tls; // NULL: plain
    unsigned workers;        // threads
    unsigned connections_max, queue_max;
    size_t request_max, response_max; // body bytes
    void (*handle)(const struct server_request *request, struct server_response *response);
    void *context;
};

// Takes over the listening descriptor and starts its threads.
FALLIBLE server_start(struct server **out, int listen_fd, const struct server_options *options);
// Stops accepting, lets running handlers finish, ends the threads and frees.
void server_stop(struct server **server);
