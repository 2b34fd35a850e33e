// SPDX-License-Identifier: Apache-2.0
// One connection of an HTTP/1.1 server, on the loop of whoever owns it: reads a request, hands it
// to a dispatcher, writes its answer, and again. The dispatcher answers in the loop's thread, at
// once or later; a slow or hostile peer holds a connection and nothing else. Everything is bounded:
// the head (16 KiB, 64 fields), the body, the time for head and body (10 s), for taking an answer
// (30 s) and idle (100 s, announced as 75), and what all peers of a host together have sent and not
// taken. Who may include it: httpd, front.
#pragma once

#include "httpd/server_gate.h"
#include "httpd/server_input.h"
#include "net/crowd.h"
#include "net/loop.h"
#include "net/tls_server.h"

struct server_conn;

// The date as answers write it.
struct server_answer_clock {
    int64_t now_s;
    char text[32];
};

// Nothing set means 204 without a body.
struct server_response {
    unsigned status;
    const char *content_type; // static; NULL: application/json
    struct wr body;           // over a buffer of the dispatcher's; one that overflowed: status 500
    struct http_field field[8]; // further fields; static values or bytes inside `scratch`
    size_t fields;
    uint8_t scratch[512];
    // Not 0: the answer, head included, ends after so many bytes, and the connection with it. For
    // servers that show clients a broken connection (emu/fault.h).
    size_t cut;
};

// What all connections of a server share. The first part is its owner's to fill in.
struct server_conn_host {
    struct loop *loop;
    struct tls_context *tls;  // of connections from now on; NULL: plain
    bool has_source;          // TLS connections may begin with a PROXY header (net/proxy2.h)
    struct server_gate *gate; // with has_source: for their handshakes
    size_t request_max;       // body bytes
    int64_t request_ms;       // for handshake, head and body
    int64_t idle_ms;          // longer than clients are told, so that it is they who close
    void *server;
    // A whole request is there: the dispatcher answers it once, now or later.
    void (*dispatch)(void *server, struct server_conn *conn);
    // The connection is about to be freed: forget it. Never between dispatch and answer, but for
    // server_conn_free.
    void (*gone)(void *server, struct server_conn *conn);
    // Closes another connection that holds memory; false when there is none.
    bool (*shed)(void *server, const struct server_conn *needy);
    size_t bytes_left; // what all connections together may still hold

    // The connections' own; starts with zeroes.
    uint64_t handshakes_full, handshakes_resumed, handshakes_failed; // of TLS servers
    struct server_input_pool pool;
    bool draining;
    struct server_answer_clock clock;
};

// Takes over `fd` (also on failure).
FALLIBLE server_conn_new(struct server_conn **out, struct server_conn_host *host, int fd);
// Closes and frees; calls host->gone. A request that is dispatched is never answered then.
void server_conn_free(struct server_conn **conn);
// The request that is dispatched.
const struct server_request *server_conn_request(const struct server_conn *conn);
// Answers it: exactly once, in the loop's thread. The response is copied. Unless it is called
// inside `dispatch`, the connection may be gone afterwards.
void server_conn_answer(struct server_conn *conn, struct server_response *response);
// Answers with an error: JSON {"error":{"code","message"}} where the client takes it, else text.
void server_conn_answer_error(struct server_conn *conn, unsigned status, struct err err);
// Whom TLS has shown to be the peer; NULL without TLS. Valid as long as the connection.
const struct tls_peer *server_conn_peer(const struct server_conn *conn);
// What a tunnel says where the connection comes from ("192.0.2.1:443"; fewer than 64 bytes), not
// verified; may be empty.
struct bytes server_conn_source(const struct server_conn *conn);
// For the dispatcher; NULL at first.
void server_conn_set_context(struct server_conn *conn, void *context);
void *server_conn_context(const struct server_conn *conn);
// The dispatcher knows who this is: it stays when connections of others have to make room.
void server_conn_set_trusted(struct server_conn *conn);
// What it waits for, since when, and how much of bytes_left closing it gives back.
enum crowd_kind server_conn_kind(const struct server_conn *conn, int64_t *since_ms, size_t *held);
// Closes it when it is idle; otherwise its answer says `Connection: close` (host->draining).
void server_conn_drain(struct server_conn *conn);
