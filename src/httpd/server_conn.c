// SPDX-License-Identifier: Apache-2.0
// A server's connection as a state machine on the loop: READ a request (deadline from its first
// byte, sizes bounded), HANDLE it in a worker (the loop does not even watch the descriptor then),
// WRITE the answer, and again. A request that is not strict HTTP is answered and the connection
// DRAINed: closing at once would make the kernel reset it and lose the answer (RFC 9112 9.6).
#include "httpd/server_conn.h"

#include "net/json.h"
#include "net/wire.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>

#define REQUEST_MS   10000
#define IDLE_MS      75000
#define WRITE_MS     30000
#define DRAIN_MS     1000
#define FIRST_BYTES  4096
#define ANSWER_BYTES 1024 // room for the status line and our own fields

enum state { STATE_READ, STATE_HANDLE, STATE_WRITE, STATE_DRAIN };

struct server_conn {
    struct server_conn_host *host;
    struct wire *wire;
    struct loop_watch *watch;
    struct loop_timer *timer;
    struct crew_job job;
    enum state state;
    uint8_t *in;
    size_t in_len, in_cap;
    uint8_t *out;
    size_t out_len, out_sent;
    struct http_head head; // of the request that is handled
    struct bytes body;
    size_t used; // bytes of `in` that this request takes
    size_t need; // do not parse again before so many bytes are there
    size_t held; // of host->bytes_left
    int64_t since_ms;
    bool continued; // "100 Continue" was sent
    bool close_after;
    bool served; // a request was complete
};

static void server_conn_event(void *context, uint32_t events);
static void server_conn_timeout(void *context);
static void server_conn_advance(struct server_conn *conn);
static bool server_conn_fill(struct server_conn *conn);
static bool server_conn_parse(struct server_conn *conn);
static bool server_conn_flush(struct server_conn *conn);
static void server_conn_refuse(struct server_conn *conn, unsigned status, struct err err);

struct err server_conn_new(struct server_conn **out, struct server_conn_host *host, int fd)
{
    struct server_conn *conn = calloc(1, sizeof(*conn));
    struct wire *wire;
    struct err err = wire_new(&wire, fd, host->options->tls);

    *out = NULL;
    if (err.code || !conn) {
        wire_free(&wire);
        free(conn);
        return err.code ? err : FAIL(ERR_FULL, "connection: out of memory");
    }
    conn->host = host;
    conn->wire = wire;
    conn->job.owner = conn;
    conn->since_ms = deadline_now_ms();
    err = loop_watch(host->loop, &conn->watch, fd, EPOLLIN, server_conn_event, conn);
    if (!err.code)
        err = loop_timer(host->loop, &conn->timer, deadline_in(REQUEST_MS), server_conn_timeout,
                         conn);
    *out = conn;
    if (err.code)
        server_conn_free(out);
    return err;
}

void server_conn_free(struct server_conn **conn)
{
    struct server_conn *dying = *conn;

    *conn = NULL;
    if (!dying)
        return;
    dying->host->gone(dying->host->server, dying);
    loop_unwatch(&dying->watch);
    loop_timer_free(&dying->timer);
    wire_free(&dying->wire);
    dying->host->bytes_left += dying->held;
    free(dying->in);
    free(dying->out);
    free(dying);
}

enum crowd_kind server_conn_kind(const struct server_conn *conn, int64_t *since_ms, size_t *held)
{
    *since_ms = conn->since_ms;
    *held = conn->held;
    if (conn->state == STATE_HANDLE)
        return CROWD_WORKING;
    return conn->served ? CROWD_KNOWN : CROWD_NEWCOMER;
}

// Others have to go before this one is refused: it is the latest to ask.
static bool server_conn_hold(struct server_conn *conn, size_t n)
{
    struct server_conn_host *host = conn->host;

    while (host->bytes_left < n)
        if (!host->shed(host->server, conn))
            return false;
    host->bytes_left -= n;
    conn->held += n;
    return true;
}

static void server_conn_event(void *context, uint32_t events)
{
    (void)events; // reading and writing find out by themselves
    server_conn_advance(context);
}

static void server_conn_timeout(void *context)
{
    struct server_conn *conn = context;

    if (conn->state != STATE_READ || conn->in_len == 0) {
        server_conn_free(&conn);
        return;
    }
    server_conn_refuse(conn, 408, FAIL(ERR_TIMEOUT, "request: not complete in time"));
    server_conn_advance(conn);
}

static bool server_conn_drain(struct server_conn *conn)
{
    uint8_t sink[4096];
    enum wire_result result;
    size_t n;

    do {
        result = wire_read(conn->wire, sink, sizeof(sink), &n);
    } while (result == WIRE_DONE);
    return result == WIRE_BLOCKED;
}

static bool server_conn_step(struct server_conn *conn)
{
    if (conn->state == STATE_READ)
        return server_conn_fill(conn);
    return conn->state == STATE_WRITE ? server_conn_flush(conn) : server_conn_drain(conn);
}

// Goes as far as it can without waiting, then waits for what is missing, or frees.
static void server_conn_advance(struct server_conn *conn)
{
    enum state before;
    bool alive;

    do {
        before = conn->state;
        alive = server_conn_step(conn);
    } while (alive && conn->state != before && conn->state != STATE_HANDLE);
    if (!alive)
        server_conn_free(&conn);
    else
        loop_rewatch(conn->watch, conn->state == STATE_HANDLE ? 0 : wire_wants(conn->wire));
}

// The first block is every connection's own, further ones come out of what all share.
static struct err server_conn_grow(struct server_conn *conn)
{
    // Chunks of a few bytes may take several times their content; half is enough for real clients.
    size_t most = HTTP_HEAD_MAX + 2 * conn->host->options->request_max;
    size_t cap = conn->in_cap ? conn->in_cap * 2 : FIRST_BYTES;
    uint8_t *in;

    if (conn->in_len < conn->in_cap)
        return OK;
    if (cap > most)
        cap = most;
    ENSURE(cap > conn->in_cap, ERR_TOO_LARGE, "request: larger than the limit");
    ENSURE(!conn->in_cap || server_conn_hold(conn, cap - conn->in_cap), ERR_BUSY,
           "too many large requests at once; try again");
    in = realloc(conn->in, cap);
    ENSURE(in, ERR_BUSY, "out of memory; try again");
    conn->in = in;
    conn->in_cap = cap;
    return OK;
}

// Reads until a request is complete or nothing more is there. False: the connection is over.
static bool server_conn_fill(struct server_conn *conn)
{
    enum wire_result result = WIRE_DONE;
    size_t n;

    while (conn->state == STATE_READ && !server_conn_parse(conn) && conn->state == STATE_READ) {
        struct err err = server_conn_grow(conn);

        if (err.code) {
            server_conn_refuse(conn, err.code == ERR_BUSY ? 503 : 413, err);
            return true;
        }
        result = wire_read(conn->wire, conn->in + conn->in_len, conn->in_cap - conn->in_len, &n);
        if (result != WIRE_DONE)
            return result == WIRE_BLOCKED;
        if (conn->in_len == 0)
            loop_timer_set(conn->timer, deadline_in(REQUEST_MS));
        conn->in_len += n;
    }
    return true;
}

static unsigned server_conn_status(struct err err)
{
    if (err.code == ERR_TOO_LARGE)
        return 413;
    return err.code == ERR_UNSUPPORTED ? 501 : 400;
}

// RFC 9110 10.1.1: the client may wait for this before it sends the body. A few bytes on an idle
// connection: when they do not fit, the peer is not worth waiting for.
static void server_conn_continue(struct server_conn *conn)
{
    size_t n;

    if (!conn->head.expect_continue || conn->continued)
        return;
    conn->continued = true;
    (void)wire_write(conn->wire, BYTES_LIT("HTTP/1.1 100 Continue\r\n\r\n"), &n);
}

// Finds the body behind the head: *whole is false while it is not all there.
static struct err server_conn_body(struct server_conn *conn, size_t head_len, bool *whole)
{
    size_t most = conn->host->options->request_max;
    size_t have = conn->in_len - head_len, body_len = 0, used = 0;

    *whole = false;
    if (conn->head.chunked) {
        TRY(http_dechunk(conn->in + head_len, have, most, &body_len, &used));
        *whole = used > 0;
    } else {
        ENSURE(conn->head.content_length <= most, ERR_TOO_LARGE, "body: larger than the limit");
        body_len = used = (size_t)conn->head.content_length;
        *whole = have >= used;
        conn->need = head_len + used;
    }
    conn->used = head_len + used;
    conn->body = bytes_of(conn->in + head_len, body_len);
    return OK;
}

// The handler's turn when a whole request stands in the buffer.
static bool server_conn_parse(struct server_conn *conn)
{
    size_t head_len = 0;
    bool whole = false;
    struct err err;

    if (conn->in_len == 0 || conn->in_len < conn->need)
        return false;
    err = http_parse_request(&conn->head, &head_len, bytes_of(conn->in, conn->in_len));
    if (!err.code && head_len > 0 && conn->head.target.n > SERVER_TARGET_MAX)
        err = FAIL(ERR_TOO_LARGE, "target: longer than 1024 bytes");
    if (!err.code && head_len > 0)
        err = server_conn_body(conn, head_len, &whole);
    if (err.code) {
        server_conn_refuse(conn, server_conn_status(err), err);
        return false;
    }
    if (head_len > 0 && !whole)
        server_conn_continue(conn);
    if (!whole)
        return false;
    conn->state = STATE_HANDLE;
    conn->served = true;
    loop_timer_set(conn->timer, (struct deadline) { INT64_MAX });
    if (!crew_submit(conn->host->crew, &conn->job))
        server_conn_refuse(conn, 503, FAIL(ERR_BUSY, "too many requests at once; try again"));
    return true;
}

static size_t server_conn_answer_cap(const struct server_response *response)
{
    size_t cap = ANSWER_BYTES + response->body.len + strlen(response->content_type);

    for (size_t i = 0; i < response->fields; i++)
        cap += response->field[i].name.n + response->field[i].value.n + 4;
    return cap;
}

// RFC 9110 6.6.1: a server with a clock says when it answered.
static void server_conn_write_date(struct wr *wr)
{
    time_t now = time(NULL);
    struct tm tm;
    char text[32];

    (void)strftime(text, sizeof(text), "%a, %d %b %Y %H:%M:%S GMT", gmtime_r(&now, &tm));
    http_write_field(wr, "Date", bytes_str(text));
}

static void server_conn_write_head(struct server_conn *conn, struct wr *wr,
                                   const struct server_response *response)
{
    http_write_response(wr, response->status);
    if (response->status != 204)
        http_write_field(wr, "Content-Type", bytes_str(response->content_type));
    http_write_fields(wr, response->field, response->fields);
    server_conn_write_date(wr);
    if (conn->close_after)
        http_write_field(wr, "Connection", BYTES_LIT("close"));
    if (response->status == 204) // RFC 9110 8.6: no Content-Length with it
        wr_str(wr, "\r\n");
    else
        http_write_length(wr, response->body.len);
}

// Builds the answer in conn->out; without memory there is none and the connection ends.
static void server_conn_answer(struct server_conn *conn, struct server_response *response)
{
    struct wr wr;
    size_t cap;

    if (!response->content_type)
        response->content_type = "application/json";
    if (response->body.bad || response->status == 0) {
        response->status = response->body.bad ? 500 : 204;
        response->body.len = 0;
    }
    cap = server_conn_answer_cap(response);
    wr = wr_of(malloc(cap), cap);
    conn->out = wr.p;
    conn->out_len = conn->out_sent = 0;
    if (!wr.p)
        return;
    server_conn_write_head(conn, &wr, response);
    if (response->status != 204 && !bytes_equal_str(conn->head.method, "HEAD"))
        wr_bytes(&wr, bytes_of(response->body.p, response->body.len));
    conn->out_len = wr_done(&wr).n;
    if (response->cut > 0 && response->cut < conn->out_len) {
        conn->out_len = response->cut;
        conn->close_after = true;
    }
}

void server_conn_handle(void *context, uint8_t *response_buffer)
{
    struct server_conn *conn = context;
    const struct server_options *options = conn->host->options;
    struct server_request request = { &conn->head, conn->body, options->context };
    struct server_response response = { .body = wr_of(response_buffer, options->response_max) };

    options->handle(&request, &response);
    conn->close_after = !conn->head.keep_alive || conn->head.minor == 0;
    server_conn_answer(conn, &response);
}

void server_conn_resume(void *context)
{
    struct server_conn *conn = context;

    if (!server_conn_hold(conn, conn->out_len)) {
        server_conn_free(&conn);
        return;
    }
    conn->state = STATE_WRITE;
    conn->since_ms = deadline_now_ms();
    loop_timer_set(conn->timer, deadline_in(WRITE_MS));
    server_conn_advance(conn);
}

// Answers with an error of our own and gives the connection up.
static void server_conn_refuse(struct server_conn *conn, unsigned status, struct err err)
{
    uint8_t body[512];
    struct server_response response = { .status = status, .body = WR_OF(body) };
    struct jw jw = jw_of(&response.body);

    jw_object(&jw);
    jw_object(jw_key(&jw, "error"));
    jw_cstring(jw_key(&jw, "code"), err_name(err.code));
    jw_cstring(jw_key(&jw, "message"), err_text(err));
    jw_object_end(&jw);
    jw_object_end(&jw);
    if (status == 503)
        response.field[response.fields++] =
            (struct http_field) { BYTES_LIT("Retry-After"), BYTES_LIT("1") };
    conn->close_after = true;
    conn->head.method = BYTES_NONE;
    server_conn_answer(conn, &response);
    conn->state = STATE_WRITE;
    conn->since_ms = deadline_now_ms();
    loop_timer_set(conn->timer, deadline_in(WRITE_MS));
}

// The request is answered: its bytes go, those of the next one stay.
static void server_conn_next(struct server_conn *conn)
{
    free(conn->out);
    conn->out = NULL;
    conn->in_len -= conn->used;
    memmove(conn->in, conn->in + conn->used, conn->in_len);
    conn->used = conn->need = 0;
    conn->continued = false;
    conn->state = STATE_READ;
    conn->since_ms = deadline_now_ms();
    conn->host->bytes_left += conn->held;
    conn->held = 0;
    if (conn->in_len == 0 && conn->in_cap > FIRST_BYTES) {
        free(conn->in);
        conn->in = NULL;
        conn->in_cap = 0;
    }
    if (conn->in_cap > FIRST_BYTES) { // bytes that it had, so that nobody has to go for them
        conn->held = conn->in_cap - FIRST_BYTES;
        conn->host->bytes_left -= conn->held;
    }
    loop_timer_set(conn->timer, deadline_in(conn->in_len ? REQUEST_MS : IDLE_MS));
}

static bool server_conn_flush(struct server_conn *conn)
{
    if (conn->out_len == 0)
        return false;
    while (conn->out_sent < conn->out_len) {
        size_t n;
        struct bytes rest = bytes_of(conn->out + conn->out_sent, conn->out_len - conn->out_sent);
        enum wire_result result = wire_write(conn->wire, rest, &n);

        if (result != WIRE_DONE)
            return result == WIRE_BLOCKED;
        conn->out_sent += n;
        conn->since_ms = deadline_now_ms();
        loop_timer_set(conn->timer, deadline_in(WRITE_MS));
    }
    if (conn->close_after) {
        wire_finish(conn->wire);
        conn->state = STATE_DRAIN;
        loop_timer_set(conn->timer, deadline_in(DRAIN_MS));
    } else {
        server_conn_next(conn);
    }
    return true;
}
