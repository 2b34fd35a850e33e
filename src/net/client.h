// SPDX-License-Identifier: Apache-2.0
// An HTTP client that waits (with deadlines) and keeps its connection alive. One per thread.
#pragma once

#include "net/addr.h"
#include "net/http.h"
#include "net/stream.h"

struct client {
    // How to get a connected socket; `dial_context` is its own. NULL: addr_dial to `addr`.
    struct err (*dial)(void *dial_context, int *fd, struct deadline until);
    void *dial_context;
    struct tls_context *tls; // NULL: plain
    char host[256];          // Host header and certificate name
    uint64_t now_s;          // for certificate validity; 0: the system's clock
    struct wire *wire;       // kept alive between calls
    struct addr addr;        // used when `dial` is NULL
};

struct client_request {
    const char *method, *target;
    const struct http_field *field; // besides Host and Content-Length
    size_t fields;
    struct bytes body;
};

struct client_response {
    struct http_head head; // views into the caller's buffer
    struct bytes body;
};

// A client that dials `addr` (may be NULL when the caller sets `dial` afterwards). tls may be NULL;
// belongs to the caller. `host` of more than 255 bytes makes every call fail.
void client_init(struct client *client, const struct addr *addr, const char *host,
                 struct tls_context *tls);
void client_done(struct client *client);
// Splits http://HOST[:PORT][/path] or https://... into an address, host and path (at most 255).
FALLIBLE client_parse_url(const char *url, struct addr *addr, bool *https, char host[static 256],
                          char path[static 256]);
// One request and its answer into buf[cap]. A kept connection that turns out to be closed before
// any byte of the answer is replaced once, and the request sent again: only requests that may run
// twice belong here. ERR_TOO_LARGE when the answer does not fit. After an error the connection is
// dropped; the next call makes a new one.
FALLIBLE client_call(struct client *client, const struct client_request *request, uint8_t *buf,
                     size_t cap, struct client_response *out, struct deadline until);
