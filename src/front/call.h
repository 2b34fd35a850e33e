// SPDX-License-Identifier: Apache-2.0
// One request while it is under way, and its answer: a frame of the control plane, or an HTTP
// answer of the data plane with the same JSON in it. It outlives its connection: an answer that
// nobody waits for any more is dropped. Who may include it: front.
#pragma once

#include "front/core.h"

#define CALL_ID_MAX 64U // bytes of a request's id

struct control_conn;
struct server_conn;

enum call_content { CALL_JSON, CALL_TEXT, CALL_METRICS };

// What the data plane sends.
struct call_answer {
    unsigned status;
    enum call_content content;
    const struct wr *body;
};

struct call {
    struct core *core;
    struct control_conn *conn; // the way out; NULL: the peer has gone, or it is the data plane's
    struct server_conn *data;  // the same the other way round
    struct call *next, *prev;  // calls of the same connection
    struct json id;            // echoed; JSON_NULL: the request had none
    uint8_t id_text[CALL_ID_MAX];
    bool is_data;      // also after its peer has gone
    unsigned status;   // data plane: the HTTP status; 0: what follows from the outcome
    const char *allow; // data plane: the header Allow; NULL: none
    size_t route;      // data plane: the row that it is counted with
    enum err_code outcome;
    // For the method's own use until the answer: bytes it needs then (freed with the call).
    uint8_t *keep;
    size_t keep_len;
    // report.c: what is told of the vault's status.
    void (*tell)(struct jw *jw, struct core *core, const struct msg_status *status);
    bool creating;             // keysets.c: create, not open
    bool administers;          // keysets.c: neither; the result is where the vault stands
    unsigned steps;            // keysets.c: made so far
    enum err_code kms_refused; // keysets.c: why the last one failed; in AWS's words: what is kept
    bool makes_tls;            // tlskeys.c: nothing but a TLS key is reported
    struct msg_tls_key tls;    // tlskeys.c: the key that the vault has opened
    uint8_t certify;           // tlskeys.c: enum msg_tls_certify_kind; 0: what is kept is a chain
};

// A new call of the control plane's connection (NULL in tests), with a checked id (or NULL).
// ERR_FULL.
FALLIBLE call_new(struct call **out, struct core *core, struct control_conn *conn,
                  const struct json *id);
// One of the data plane. ERR_FULL.
FALLIBLE call_new_data(struct call **out, struct core *core, struct server_conn *data);
// Keeps a copy of bytes. ERR_FULL.
FALLIBLE call_keep(struct call *call, struct bytes b);
struct bytes call_kept(const struct call *call);
// Asks the vault; `done` is told the answer, with the call as its context.
FALLIBLE call_ask(struct call *call, uint16_t type, struct bytes body,
                  void (*done)(void *call, struct link_answer *answer));
// Starts a result: the writer stands inside the "result" object. call_end sends it and frees the
// call. Nothing else may be answered in between.
struct jw *call_begin(struct call *call);
void call_end(struct call *call);
// The same for a result that is plain text, on the data plane only.
struct wr *call_begin_text(struct call *call);
void call_end_text(struct call *call, enum call_content content);
// An answer without a body, on the data plane only: call->status and its header fields.
void call_end_empty(struct call *call);
// Answers with an error and frees the call.
void call_fail(struct call *call, struct err err);
void call_fail_text(struct call *call, enum err_code code, struct bytes text);
// The message is `what`, a colon and the name in quotes, made printable and cut.
void call_fail_named(struct call *call, enum err_code code, const char *what, struct bytes name);
