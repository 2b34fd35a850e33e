// SPDX-License-Identifier: Apache-2.0
// A server's connection as a state machine on the loop: INTRO (what a tunnel says, and the first
// record of TLS), GATE (until its handshake may begin), READ a request (deadline from its first
// byte, sizes bounded), HANDLE it (it is the dispatcher's then), WRITE the answer, and again. A
// request that is not strict HTTP is answered and the connection DRAINed: closing at once would
// make the kernel reset it and lose the answer (RFC 9112 9.6). While a connection is idle it holds
// no buffer. Reads are tried when there is something to read, so that a small request costs one.
#include "httpd/server_conn.h"

#include "base/must.h"
#include "httpd/server_answer.h"
#include "httpd/server_intro.h"
#include "net/wire.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#define WRITE_MS  30000
#define DRAIN_MS  1000
#define STEPS_MAX 32 // of one event: about sixteen small requests

enum state { STATE_INTRO, STATE_GATE, STATE_READ, STATE_HANDLE, STATE_WRITE, STATE_DRAIN };

struct server_conn {
    struct server_conn_host *host;
    struct wire *wire;
    struct loop_watch *watch;
    struct loop_timer *timer;
    void *context; // the dispatcher's
    struct server_input input;
    struct server_gate_place place;
    enum state state;
    uint8_t *out;
    size_t out_len, out_sent;
    size_t held; // of host->bytes_left
    int64_t since_ms;
    bool advancing;
    bool readable; // a read may find something
    bool close_after;
    bool secured, greeted; // a TLS handshake has begun, is complete
    bool served;           // a request was complete
    bool trusted;
    char source[PROXY2_TEXT_MAX];
};

static void server_conn_event(void *context, uint32_t events);
static void server_conn_wake(void *context);
static void server_conn_evict(void *context);
static void server_conn_timeout(void *context);
static void server_conn_advance(struct server_conn *conn);
static bool server_conn_read(struct server_conn *conn);
static bool server_conn_fill(struct server_conn *conn);
static bool server_conn_parse(struct server_conn *conn);
static bool server_conn_flush(struct server_conn *conn);
static void server_conn_refuse(struct server_conn *conn, unsigned status, struct err err);

struct err server_conn_new(struct server_conn **out, struct server_conn_host *host, int fd)
{
    struct server_conn *conn = calloc(1, sizeof(*conn));
    struct wire *wire;
    struct err err = wire_new(&wire, fd, host->has_source ? NULL : host->tls);

    *out = NULL;
    if (err.code || !conn) {
        wire_free(&wire);
        free(conn);
        return err.code ? err : FAIL(ERR_FULL, "connection: out of memory");
    }
    conn->host = host;
    conn->wire = wire;
    conn->state = host->has_source ? STATE_INTRO : STATE_READ;
    conn->secured = !host->has_source && host->tls;
    conn->since_ms = deadline_now_ms();
    wire_set_wake(wire, server_conn_wake, conn);
    conn->place.owner = conn;
    conn->place.enter = server_conn_wake;
    conn->place.evict = server_conn_evict;
    err = loop_watch(host->loop, &conn->watch, fd, EPOLLIN, server_conn_event, conn);
    if (!err.code)
        err = loop_timer(host->loop, &conn->timer, deadline_in(host->request_ms),
                         server_conn_timeout, conn);
    *out = conn;
    if (err.code)
        server_conn_free(out);
    return err;
}

static void server_conn_give_back(struct server_conn *conn)
{
    conn->host->bytes_left += conn->held;
    conn->held = 0;
}

void server_conn_free(struct server_conn **conn)
{
    struct server_conn *dying = *conn;

    *conn = NULL;
    if (!dying)
        return;
    dying->host->gone(dying->host->server, dying);
    dying->host->handshakes_failed += dying->secured && !dying->greeted;
    if (dying->host->gate)
        server_gate_leave(dying->host->gate, &dying->place);
    loop_unwatch(&dying->watch);
    loop_timer_free(&dying->timer);
    wire_free(&dying->wire);
    server_conn_give_back(dying);
    server_input_drop(&dying->input, &dying->host->pool);
    free(dying->out);
    free(dying);
}

enum crowd_kind server_conn_kind(const struct server_conn *conn, int64_t *since_ms, size_t *held)
{
    *since_ms = conn->since_ms;
    *held = conn->held;
    if (conn->state == STATE_HANDLE || conn->advancing)
        return CROWD_WORKING;
    if (conn->trusted)
        return CROWD_TRUSTED;
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

// Not the peer's turn: the dispatcher has it, or its handshake waits for others or our key's owner.
static bool server_conn_is_away(const struct server_conn *conn)
{
    return conn->state == STATE_HANDLE || wire_wants(conn->wire) == 0 ||
           conn->place.where == SERVER_GATE_WAITING;
}

// While a connection is away it is watched until there is something to see, which can wait.
static void server_conn_event(void *context, uint32_t events)
{
    struct server_conn *conn = context;

    (void)events; // reading and writing find out by themselves
    conn->readable = true;
    if (server_conn_is_away(conn))
        loop_rewatch(conn->watch, 0);
    else
        server_conn_advance(conn);
}

// In the next turn, and not inside the call of whoever has signed.
static void server_conn_wake(void *context)
{
    struct server_conn *conn = context;

    loop_rewatch(conn->watch, EPOLLIN | EPOLLOUT);
}

static void server_conn_evict(void *context)
{
    struct server_conn *conn = context;

    server_conn_free(&conn);
}

// Time is up. A request whose bytes have just come is read all the same, and one that is on its way
// finds that no more is read, which its sender can tell from a request that was lost.
static void server_conn_timeout(void *context)
{
    struct server_conn *conn = context;
    bool is_idle = conn->state == STATE_READ && conn->served;
    bool is_alive = true;

    conn->advancing = conn->readable = true;
    if (is_idle && !conn->input.work)
        is_alive = server_conn_fill(conn);
    else if (conn->state == STATE_READ && conn->input.work)
        server_conn_refuse(conn, 408, FAIL(ERR_TIMEOUT, "request: not complete in time"));
    else
        is_alive = false;
    conn->advancing = false;
    if (is_alive && is_idle)
        server_conn_drain(conn);
    if (is_alive)
        server_conn_advance(conn);
    else
        server_conn_free(&conn);
}

// Through the gate, with what was read of TLS.
static bool server_conn_secure(struct server_conn *conn)
{
    struct server_conn_host *host = conn->host;
    struct bytes tls;

    (void)server_intro_look(&conn->input, conn->source, &tls);
    conn->secured = host->tls && !wire_secure(conn->wire, host->tls, tls).code;
    server_input_drop(&conn->input, &host->pool);
    conn->state = STATE_READ;
    conn->readable = true;
    return conn->secured;
}

// The tunnel's words, and the first record of TLS.
static bool server_conn_introduce(struct server_conn *conn)
{
    enum server_intro_result result = SERVER_INTRO_MORE;
    struct bytes tls;

    while (result == SERVER_INTRO_MORE && conn->readable) {
        if (!server_conn_read(conn))
            return false;
        if (conn->input.work)
            result = server_intro_look(&conn->input, conn->source, &tls);
    }
    if (result == SERVER_INTRO_DONE) {
        conn->state = STATE_GATE;
        (void)server_gate_pass(conn->host->gate, &conn->place);
    }
    return result != SERVER_INTRO_BAD;
}

static bool server_conn_step(struct server_conn *conn)
{
    if (conn->state == STATE_INTRO)
        return server_conn_introduce(conn);
    if (conn->state == STATE_GATE)
        return conn->place.where != SERVER_GATE_INSIDE || server_conn_secure(conn);
    if (conn->state == STATE_READ)
        return server_conn_fill(conn);
    if (conn->state == STATE_HANDLE)
        return true;
    return conn->state == STATE_WRITE ? server_conn_flush(conn) : wire_discard(conn->wire);
}

// What to wait for: after as many steps as one event may take, nothing but the next turn.
static uint32_t server_conn_wants(const struct server_conn *conn, unsigned steps)
{
    if (steps == STEPS_MAX)
        return EPOLLIN | EPOLLOUT;
    return server_conn_is_away(conn) ? EPOLLIN : wire_wants(conn->wire);
}

// Goes as far as it can without waiting, then waits for what is missing, or frees.
static void server_conn_advance(struct server_conn *conn)
{
    enum state before;
    unsigned steps = 0;
    bool alive;

    conn->advancing = true;
    do {
        before = conn->state;
        alive = server_conn_step(conn);
    } while (alive && conn->state != before && conn->state != STATE_HANDLE && ++steps < STEPS_MAX);
    conn->advancing = false;
    if (!alive)
        server_conn_free(&conn);
    else
        loop_rewatch(conn->watch, server_conn_wants(conn, steps));
}

// Room for more bytes: the first block is every connection's own, further ones come out of what all
// share.
static struct err server_conn_grow(struct server_conn *conn)
{
    struct server_input *input = &conn->input;
    size_t cap = server_input_wants(input, conn->host->request_max);

    ENSURE(server_conn_hold(conn, cap - input->cap), ERR_BUSY,
           "too many large requests at once; try again");
    return server_input_grow(input, cap);
}

static void server_conn_greet(struct server_conn *conn)
{
    const struct tls_peer *peer = wire_peer(conn->wire);

    if (conn->greeted || !peer)
        return;
    conn->greeted = true;
    if (conn->host->gate)
        server_gate_leave(conn->host->gate, &conn->place);
    conn->host->handshakes_full += !peer->resumed;
    conn->host->handshakes_resumed += peer->resumed;
}

// Some more bytes of the request. False: the connection is over.
static bool server_conn_read(struct server_conn *conn)
{
    struct server_input *input = &conn->input;
    enum wire_result result;
    struct err err = OK;
    size_t n;

    if (!server_input_open(input, &conn->host->pool))
        return false;
    if (input->len == input->cap)
        err = server_conn_grow(conn);
    if (err.code) {
        server_conn_refuse(conn, err.code == ERR_BUSY ? 503 : 413, err);
        return true;
    }
    result = wire_read(conn->wire, input->p + input->len, input->cap - input->len, &n);
    server_conn_greet(conn);
    if (n > 0 && input->len == 0)
        loop_timer_set(conn->timer, deadline_in(conn->host->request_ms));
    input->len += n;
    if (input->len == 0)
        server_input_drop(input, &conn->host->pool);
    conn->readable = result == WIRE_DONE && wire_has_more(conn->wire);
    return result == WIRE_DONE || result == WIRE_BLOCKED;
}

// Reads until a request is complete or nothing more is there. False: the connection is over.
static bool server_conn_fill(struct server_conn *conn)
{
    while (!server_conn_parse(conn) && conn->state == STATE_READ) {
        if (!conn->readable)
            return true;
        if (!server_conn_read(conn))
            return false;
    }
    return true;
}

// The dispatcher's turn when a whole request stands in the buffer.
static bool server_conn_parse(struct server_conn *conn)
{
    struct server_conn_host *host = conn->host;
    enum server_input_result result;
    unsigned status;
    struct err err;
    size_t n;

    result = server_input_parse(&conn->input, host->request_max, &status, &err);
    if (result == SERVER_INPUT_BAD)
        server_conn_refuse(conn, status, err);
    if (result == SERVER_INPUT_EXPECTS) // on an idle connection, so there is room for it
        (void)wire_write(conn->wire, BYTES_LIT("HTTP/1.1 100 Continue\r\n\r\n"), &n);
    if (result != SERVER_INPUT_WHOLE)
        return false;
    server_input_identify(&conn->input, &host->pool);
    conn->state = STATE_HANDLE;
    conn->served = true;
    loop_timer_set(conn->timer, (struct deadline) { INT64_MAX });
    host->dispatch(host->server, conn);
    return true;
}

const struct server_request *server_conn_request(const struct server_conn *conn)
{
    must(conn->state == STATE_HANDLE);
    return server_input_request(&conn->input);
}

// Puts the answer into conn->out; without memory there is none and the connection ends.
static void server_conn_write(struct server_conn *conn, struct server_response *response)
{
    struct server_answer answer = { .date = server_answer_date(&conn->host->clock) };
    struct wr out;

    answer.closes = conn->close_after;
    if (conn->state == STATE_HANDLE) {
        answer.id = server_conn_request(conn)->id;
        answer.has_no_content = bytes_equal_str(server_conn_request(conn)->head->method, "HEAD");
    }
    server_answer_write(&out, response, &answer);
    conn->out = out.p;
    conn->out_sent = 0;
    conn->out_len = server_conn_hold(conn, wr_done(&out).n) ? wr_done(&out).n : 0;
    if (response->cut > 0 && response->cut < conn->out_len) {
        conn->out_len = response->cut;
        conn->close_after = true;
    }
    conn->state = STATE_WRITE;
    conn->since_ms = deadline_now_ms();
    loop_timer_set(conn->timer, (struct deadline) { conn->since_ms + WRITE_MS });
}

void server_conn_answer(struct server_conn *conn, struct server_response *response)
{
    const struct http_head *head = server_conn_request(conn)->head;

    conn->close_after = !head->keep_alive || head->minor == 0 || conn->host->draining;
    server_conn_write(conn, response);
    if (!conn->advancing)
        server_conn_advance(conn);
}

void server_conn_answer_error(struct server_conn *conn, unsigned status, struct err err)
{
    uint8_t body[512];
    struct server_response response = { .body = WR_OF(body) };

    server_answer_error(&response, server_conn_request(conn)->head, status, err);
    server_conn_answer(conn, &response);
}

// Answers what is no request and gives the connection up.
static void server_conn_refuse(struct server_conn *conn, unsigned status, struct err err)
{
    uint8_t body[512];
    struct server_response response = { .body = WR_OF(body) };

    server_answer_error(&response, NULL, status, err);
    conn->close_after = true;
    server_conn_write(conn, &response);
}

// The request is answered: its bytes go, those of the next one stay.
static void server_conn_next(struct server_conn *conn)
{
    free(conn->out);
    conn->out = NULL;
    conn->state = STATE_READ;
    conn->since_ms = deadline_now_ms();
    server_conn_give_back(conn);
    server_input_next(&conn->input, &conn->host->pool);
    if (conn->input.cap > SERVER_INPUT_FIRST_BYTES) { // it had these: nobody has to go for them
        conn->held = conn->input.cap - SERVER_INPUT_FIRST_BYTES;
        conn->host->bytes_left -= conn->held;
    }
    loop_timer_set(conn->timer,
                   (struct deadline) { conn->since_ms + (conn->input.work ? conn->host->request_ms
                                                                          : conn->host->idle_ms) });
}

static void server_conn_finish(struct server_conn *conn)
{
    wire_finish(conn->wire);
    conn->state = STATE_DRAIN;
    loop_timer_set(conn->timer, deadline_in(DRAIN_MS));
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
        if (conn->out_sent == conn->out_len)
            break;
        conn->since_ms = deadline_now_ms();
        loop_timer_set(conn->timer, (struct deadline) { conn->since_ms + WRITE_MS });
    }
    if (conn->close_after)
        server_conn_finish(conn);
    else
        server_conn_next(conn);
    return true;
}

const struct tls_peer *server_conn_peer(const struct server_conn *conn)
{
    return wire_peer(conn->wire);
}

struct bytes server_conn_source(const struct server_conn *conn)
{
    return bytes_str(conn->source);
}

void server_conn_set_context(struct server_conn *conn, void *context)
{
    conn->context = context;
}

void *server_conn_context(const struct server_conn *conn)
{
    return conn->context;
}

void server_conn_set_trusted(struct server_conn *conn)
{
    conn->trusted = true;
}

void server_conn_drain(struct server_conn *conn)
{
    if (conn->state == STATE_READ && !conn->input.work)
        server_conn_finish(conn);
}
