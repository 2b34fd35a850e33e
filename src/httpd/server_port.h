// SPDX-License-Identifier: Apache-2.0
// A listening descriptor and its connections (httpd/server_conn.h), on the loop of whoever owns
// them. Bounded: connections (beyond, net/crowd.h says which one is closed for the new one; while
// all of them work, newcomers wait), and memory (64 MiB for what all peers have sent and not taken,
// beside 4 KiB each). Who may include it: httpd, front.
#pragma once

#include "httpd/server_conn.h"

struct server_port;

struct server_port_options {
    struct loop *loop;
    unsigned connections_max;
    size_t request_max;      // body bytes
    int64_t request_ms;      // for handshake, head and body; 0: 10 s
    int64_t idle_ms;         // 0: 100 s
    struct tls_context *tls; // NULL: plain, or none yet
    bool needs_tls;          // without a context, a connection is closed at once
    bool has_source;         // connections may begin with a PROXY header, version 2
    // Called in the loop's thread with a whole request; server_conn_answer, now or later.
    void (*dispatch)(void *context, struct server_conn *conn);
    // A connection goes: its server_conn_context is not used any more, a request of it that is not
    // answered must not be. May be NULL when dispatch always answers before it returns.
    void (*gone)(void *context, struct server_conn *conn);
    void *context;
};

// Watches `listen_fd`, which stays the caller's, and makes it non-blocking.
FALLIBLE server_port_new(struct server_port **out, int listen_fd,
                         const struct server_port_options *options);
// For connections from now on; must stay until another one is set. Open ones keep their own.
void server_port_set_tls(struct server_port *port, struct tls_context *tls);
// Accepts again: after work that may have been all connections'.
void server_port_resume(struct server_port *port);
unsigned server_port_count(const struct server_port *port);

// Since the port was made.
struct server_port_counts {
    uint64_t accepted; // connections
    uint64_t refused;  // of these: closed at once, without a key or memory
    uint64_t evicted;  // closed for others
    uint64_t handshakes_full, handshakes_resumed, handshakes_failed; // of TLS servers
};

void server_port_counts(const struct server_port *port, struct server_port_counts *out);
// Accepts nothing more, closes idle connections, and the others after their answers.
void server_port_drain(struct server_port *port);
// Closes all connections. Accepts NULL inside.
void server_port_free(struct server_port **port);
