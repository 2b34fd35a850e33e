// SPDX-License-Identifier: Apache-2.0
// One request of the control plane while it is under way, and its answer. It outlives its
// connection: an answer that nobody waits for any more is dropped. Who may include it: front.
#pragma once

#include "front/core.h"

#define CALL_ID_MAX 64U // bytes of a request's id

struct control_conn;

struct call {
    struct core *core;
    struct control_conn *conn; // NULL: the peer has gone
    struct call *next, *prev;  // calls of the same connection
    struct json id;            // echoed; JSON_NULL: the request had none
    uint8_t id_text[CALL_ID_MAX];
    // For the method's own use until the answer: bytes it needs then (freed with the call).
    uint8_t *keep;
    size_t keep_len;
    // report.c: what is told of the vault's status.
    void (*tell)(struct jw *jw, struct core *core, const struct msg_status *status);
    bool creating;             // keysets.c: create, not open
    bool administers;          // keysets.c: neither; the result is where the vault stands
    unsigned steps;            // keysets.c: made so far
    enum err_code kms_refused; // keysets.c: why the last one failed; in AWS's words: what is kept
};

// A new call of a connection (NULL in tests), with a checked id (or NULL). ERR_FULL.
FALLIBLE call_new(struct call **out, struct core *core, struct control_conn *conn,
                  const struct json *id);
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
// Answers with an error and frees the call.
void call_fail(struct call *call, struct err err);
void call_fail_text(struct call *call, enum err_code code, struct bytes text);
// The message is `what`, a colon and the name in quotes, made printable and cut.
void call_fail_named(struct call *call, enum err_code code, const char *what, struct bytes name);
