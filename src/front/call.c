// SPDX-License-Identifier: Apache-2.0
// Requests and answers. Duty: exactly one answer for each call: in a frame with the request's id,
// or as an HTTP answer whose status follows from the error code. The only text of a request that an
// answer repeats is its id and the name of an unknown field, both bounded.
#include "front/call.h"

#include "base/must.h"
#include "front/control.h"
#include "front/data.h"
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

static unsigned *call_count(const struct call *call)
{
    return call->is_data ? &call->core->data_calls : &call->core->calls;
}

static struct err call_make(struct call **out, struct core *core, bool is_data)
{
    struct call *call = calloc(1, sizeof(*call));

    *out = call;
    ENSURE(call, ERR_FULL, "request: out of memory");
    call->core = core;
    call->is_data = is_data;
    ++*call_count(call);
    return OK;
}

struct err call_new(struct call **out, struct core *core, struct control_conn *conn,
                    const struct json *id)
{
    TRY(call_make(out, core, false));
    (*out)->conn = conn;
    if (!id)
        return OK;
    must(id->text.n <= CALL_ID_MAX);
    (*out)->id.type = id->type;
    if (id->text.n)
        memcpy((*out)->id_text, id->text.p, id->text.n);
    (*out)->id.text = bytes_of((*out)->id_text, id->text.n);
    return OK;
}

struct err call_new_data(struct call **out, struct core *core, struct server_conn *data)
{
    TRY(call_make(out, core, true));
    (*out)->data = data;
    return OK;
}

static void call_free(struct call *call)
{
    --*call_count(call);
    if (!call->is_data)
        call->core->counters.control[call->outcome]++;
    if (call->conn)
        control_call_done(call->conn, call);
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

// The object around a result or an error.
static void call_open(const struct call *call)
{
    answer = WR_OF(answer_space);
    writer = jw_of(&answer);
    if (!call->is_data)
        frame_at = frame_begin(&answer);
    jw_object(&writer);
    if (call->id.type != JSON_NULL)
        jw_value(jw_key(&writer, "id"), &call->id);
}

static void call_send(struct call *call, unsigned status, enum call_content content)
{
    must(!answer.bad); // ANSWER_BYTES is more than any message of the vault can become
    if (call->conn)
        control_send(call->conn, wr_done(&answer));
    if (call->data)
        data_send(call, &(struct call_answer) { status, content, &answer });
    call_free(call);
}

static void call_close(struct call *call, unsigned status)
{
    jw_object_end(&writer);
    if (!call->is_data)
        frame_end(&answer, frame_at);
    call_send(call, status, CALL_JSON);
}

struct jw *call_begin(struct call *call)
{
    call_open(call);
    if (!call->is_data)
        jw_object(jw_key(&writer, "result"));
    return &writer;
}

void call_end(struct call *call)
{
    if (!call->is_data)
        jw_object_end(&writer);
    call_close(call, call->status ? call->status : 200);
}

struct wr *call_begin_text(struct call *call)
{
    must(call->is_data);
    answer = WR_OF(answer_space);
    return &answer;
}

void call_end_text(struct call *call, enum call_content content)
{
    call_send(call, call->status ? call->status : 200, content);
}

void call_end_empty(struct call *call)
{
    (void)call_begin_text(call);
    call_send(call, call->status, CALL_TEXT);
}

void call_fail(struct call *call, struct err err)
{
    call_fail_text(call, err.code, bytes_str(err_text(err)));
}

// PROTOCOL.md section 8: 4xx is for the client to mend, 502 and 504 for who runs the other side,
// 503 passes by itself, 500 is for who runs this one.
static unsigned call_status(enum err_code code)
{
    static const uint16_t statuses[ERR_CODES] = {
        [ERR_MALFORMED] = 400, [ERR_UNSUPPORTED] = 400,  [ERR_PHASE] = 503,
        [ERR_DENIED] = 403,    [ERR_NOT_FOUND] = 404,    [ERR_EXISTS] = 409,
        [ERR_MISMATCH] = 409,  [ERR_FULL] = 503,         [ERR_BUSY] = 503,
        [ERR_TOO_LARGE] = 413, [ERR_TIMEOUT] = 504,      [ERR_UNREACHABLE] = 502,
        [ERR_CLOSED] = 502,    [ERR_UNTRUSTED] = 403,    [ERR_EXPIRED] = 502,
        [ERR_KMS] = 502,       [ERR_UNAUTHORIZED] = 401,
    };

    return (unsigned)code < ERR_CODES && statuses[code] ? statuses[code] : 500;
}

void call_fail_text(struct call *call, enum err_code code, struct bytes text)
{
    unsigned status = call->status ? call->status : call_status(code);

    text = bytes_take(text, MESSAGE_BYTES);
    call->outcome = code;
    if (call->data && data_wants_text(call)) {
        wr_bytes(call_begin_text(call), text);
        call_send(call, status, CALL_TEXT);
        return;
    }
    call_open(call);
    jw_object(jw_key(&writer, "error"));
    jw_cstring(jw_key(&writer, "code"), err_name(code));
    jw_string(jw_key(&writer, "message"), text);
    jw_object_end(&writer);
    call_close(call, status);
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
