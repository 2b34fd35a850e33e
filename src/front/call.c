// SPDX-License-Identifier: Apache-2.0
// Requests and answers. Duty: exactly one answer for each call, in a frame with the request's id.
// The only text of a request that an answer repeats is its id and the name of an unknown field,
// both bounded.
#include "front/call.h"

#include "base/must.h"
#include "front/control.h"
#include "proto/frame.h"

#include <stdlib.h>
#include <string.h>

#define ANSWER_BYTES  (768U << 10) // the largest: a raw transaction of 128 KiB, as hex
#define NAME_SHOWN    64U
#define MESSAGE_BYTES 320U

// One answer is written at a time, all in the loop's thread.
static uint8_t answer_space[ANSWER_BYTES];
static struct wr answer;
static struct jw writer;
static size_t frame_at;

struct err call_new(struct call **out, struct core *core, struct control_conn *conn,
                    const struct json *id)
{
    struct call *call = calloc(1, sizeof(*call));

    *out = call;
    ENSURE(call, ERR_FULL, "request: out of memory");
    call->core = core;
    core->calls++;
    call->conn = conn;
    if (!id)
        return OK;
    must(id->text.n <= CALL_ID_MAX);
    call->id.type = id->type;
    if (id->text.n)
        memcpy(call->id_text, id->text.p, id->text.n);
    call->id.text = bytes_of(call->id_text, id->text.n);
    return OK;
}

static void call_free(struct call *call)
{
    struct control_conn *conn = call->conn;

    call->core->calls--;
    if (conn)
        control_call_done(conn, call);
    free(call->keep);
    free(call);
}

struct err call_keep(struct call *call, struct bytes b)
{
    free(call->keep);
    call->keep_len = 0;
    call->keep = malloc(b.n ? b.n : 1);
    ENSURE(call->keep, ERR_FULL, "request: out of memory");
    if (b.n)
        memcpy(call->keep, b.p, b.n);
    call->keep_len = b.n;
    return OK;
}

struct bytes call_kept(const struct call *call)
{
    return bytes_of(call->keep, call->keep_len);
}

struct err call_ask(struct call *call, uint16_t type, struct bytes body,
                    void (*done)(void *call, struct link_answer *answer))
{
    return link_send(call->core->link, type, body, (struct link_done) { done, call });
}

static void call_open_frame(const struct call *call)
{
    answer = WR_OF(answer_space);
    frame_at = frame_begin(&answer);
    writer = jw_of(&answer);
    jw_object(&writer);
    if (call->id.type == JSON_NULL)
        return;
    jw_value(jw_key(&writer, "id"), &call->id);
}

static void call_send(struct call *call)
{
    jw_object_end(&writer);
    frame_end(&answer, frame_at);
    must(!answer.bad); // ANSWER_BYTES is more than any message of the vault can become
    if (call->conn)
        control_send(call->conn, wr_done(&answer));
    call_free(call);
}

struct jw *call_begin(struct call *call)
{
    call_open_frame(call);
    jw_object(jw_key(&writer, "result"));
    return &writer;
}

void call_end(struct call *call)
{
    jw_object_end(&writer);
    call_send(call);
}

void call_fail(struct call *call, struct err err)
{
    call_fail_text(call, err.code, bytes_str(err_text(err)));
}

void call_fail_text(struct call *call, enum err_code code, struct bytes text)
{
    call_open_frame(call);
    jw_object(jw_key(&writer, "error"));
    jw_cstring(jw_key(&writer, "code"), err_name(code));
    jw_string(jw_key(&writer, "message"), bytes_take(text, MESSAGE_BYTES));
    jw_object_end(&writer);
    call_send(call);
}

void call_fail_named(struct call *call, enum err_code code, const char *what, struct bytes name)
{
    uint8_t space[MESSAGE_BYTES];
    struct wr wr = WR_OF(space);

    wr_str(&wr, what);
    wr_str(&wr, ": \"");
    for (size_t i = 0; i < name.n && i < NAME_SHOWN; i++) {
        bool plain = name.p[i] >= ' ' && name.p[i] <= '~' && name.p[i] != '"';

        wr_u8(&wr, plain ? name.p[i] : '?');
    }
    wr_str(&wr, name.n > NAME_SHOWN ? "...\"" : "\"");
    call_fail_text(call, code, wr_done(&wr));
}
