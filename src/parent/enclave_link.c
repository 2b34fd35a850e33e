// SPDX-License-Identifier: Apache-2.0
// One thread owns reading: it dials, collects frames and hands each answer to the call that waits
// for its id. Callers write their frame themselves, one after the other. The other end is the
// enclave, or whatever listens at its address: frames are bounded, answers nobody waits for are
// dropped, and a call ends at its deadline whatever happens on the wire.
#include "parent/enclave_link.h"

#include "base/ct.h"
#include "base/fd.h"
#include "base/must.h"
#include "parent/log.h"
#include "parent/metrics.h"
#include "proto/frame.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LINK_CALLS_MAX    256U
#define LINK_NODES_MAX    16384U
#define LINK_DIAL_MS      5000
#define LINK_WRITE_MS     5000
#define LINK_PAUSE_MS     100
#define LINK_PAUSE_MS_MAX 3000

struct enclave_link_wait { // on the caller's stack
    struct enclave_link_wait *next;
    struct enclave_link_reply *reply;
    uint64_t id;
    bool done;
    struct err err;
    pthread_cond_t wake;
};

struct enclave_link {
    struct addr addr;
    pthread_t thread;
    pthread_mutex_t lock;       // everything below but `fd` while writing
    pthread_mutex_t write_lock; // taken before `lock`
    pthread_cond_t pause;
    int fd;               // changed with both locks held
    uint64_t connections; // made so far; under lock
    bool stopping;
    uint64_t last_id;
    struct enclave_link_wait *waits;
    unsigned calls;
    uint8_t *buf; // the reading thread's, a whole frame
    size_t len;
};

static void *enclave_link_run(void *context);
static void enclave_link_hand_over(struct enclave_link *link, struct bytes body);
static struct err enclave_link_write(struct enclave_link *link,
                                     const struct enclave_link_wait *wait, const char *method,
                                     struct bytes params, struct deadline until);

struct err enclave_link_new(struct enclave_link **out, const struct addr *addr)
{
    struct enclave_link *link = calloc(1, sizeof(*link));

    *out = NULL;
    ENSURE(link, ERR_FULL, "enclave: no memory");
    link->addr = *addr;
    link->fd = -1;
    link->buf = malloc(FRAME_HEAD_BYTES + FRAME_BYTES_MAX);
    must(pthread_mutex_init(&link->lock, NULL) == 0);
    must(pthread_mutex_init(&link->write_lock, NULL) == 0);
    must(pthread_cond_init(&link->pause, NULL) == 0);
    if (!link->buf || pthread_create(&link->thread, NULL, enclave_link_run, link) != 0) {
        free(link->buf);
        free(link);
        return FAIL(ERR_FULL, "enclave: no memory or no thread");
    }
    *out = link;
    return OK;
}

void enclave_link_free(struct enclave_link **link)
{
    struct enclave_link *l = *link;

    if (!l)
        return;
    must(pthread_mutex_lock(&l->lock) == 0);
    l->stopping = true;
    if (l->fd >= 0)
        (void)shutdown(l->fd, SHUT_RDWR);
    must(pthread_cond_broadcast(&l->pause) == 0);
    must(pthread_mutex_unlock(&l->lock) == 0);
    must(pthread_join(l->thread, NULL) == 0);
    (void)pthread_mutex_destroy(&l->lock);
    (void)pthread_mutex_destroy(&l->write_lock);
    (void)pthread_cond_destroy(&l->pause);
    free(l->buf);
    free(l);
    *link = NULL;
}

static struct timespec enclave_link_time(struct deadline until)
{
    struct timespec at;
    int left = deadline_left_ms(until);

    must(clock_gettime(CLOCK_MONOTONIC, &at) == 0);
    at.tv_sec += left / 1000;
    at.tv_nsec += (long)(left % 1000) * 1000000;
    if (at.tv_nsec >= 1000000000) {
        at.tv_sec++;
        at.tv_nsec -= 1000000000;
    }
    return at;
}

static struct err enclave_link_enter(struct enclave_link *link, struct enclave_link_wait *wait)
{
    must(pthread_mutex_lock(&link->lock) == 0);
    if (link->calls >= LINK_CALLS_MAX) {
        must(pthread_mutex_unlock(&link->lock) == 0);
        return FAIL(ERR_BUSY, "enclave: too many calls at once");
    }
    must(pthread_cond_init(&wait->wake, NULL) == 0);
    wait->id = ++link->last_id;
    wait->next = link->waits;
    link->waits = wait;
    link->calls++;
    must(pthread_mutex_unlock(&link->lock) == 0);
    return OK;
}

// Leaves the list, so that a late answer finds nobody.
static void enclave_link_leave(struct enclave_link *link, struct enclave_link_wait *wait)
{
    struct enclave_link_wait **at = &link->waits;

    while (*at != wait)
        at = &(*at)->next;
    *at = wait->next;
    link->calls--;
    (void)pthread_cond_destroy(&wait->wake);
}

static struct err enclave_link_await(struct enclave_link *link, struct enclave_link_wait *wait,
                                     struct err sent, struct deadline until)
{
    struct timespec at = enclave_link_time(until);
    int code = 0;

    must(pthread_mutex_lock(&link->lock) == 0);
    while (!sent.code && !wait->done && code == 0)
        code = pthread_cond_clockwait(&wait->wake, &link->lock, CLOCK_MONOTONIC, &at);
    enclave_link_leave(link, wait);
    must(pthread_mutex_unlock(&link->lock) == 0);
    TRY(sent);
    ENSURE(wait->done, ERR_TIMEOUT, "enclave: no answer in time");
    return wait->err;
}

struct err enclave_link_call(struct enclave_link *link, struct enclave_link_reply *reply,
                             const char *method, struct bytes params, struct deadline until)
{
    struct enclave_link_wait wait = { .reply = reply };
    uint64_t begun_ns = metrics_clock_ns();
    struct err err;

    *reply = (struct enclave_link_reply) { 0 };
    err = enclave_link_enter(link, &wait);
    if (!err.code) {
        err = enclave_link_write(link, &wait, method, params, until);
        err = enclave_link_await(link, &wait, err, until);
    }
    metrics_call(method, err.code, reply->detail.text, metrics_clock_ns() - begun_ns);
    return err;
}

void enclave_link_free_reply(struct enclave_link_reply *reply)
{
    free(reply->text);
    free(reply->nodes);
    *reply = (struct enclave_link_reply) { 0 };
}

bool enclave_link_is_up(struct enclave_link *link)
{
    return enclave_link_connection(link) != 0;
}

uint64_t enclave_link_connection(struct enclave_link *link)
{
    uint64_t connection;

    must(pthread_mutex_lock(&link->lock) == 0);
    connection = link->fd >= 0 ? link->connections : 0;
    must(pthread_mutex_unlock(&link->lock) == 0);
    return connection;
}

static struct err enclave_link_send(struct enclave_link *link, struct bytes frame,
                                    struct deadline until)
{
    struct err err = OK;

    must(pthread_mutex_lock(&link->write_lock) == 0);
    if (link->fd < 0)
        err = FAIL(ERR_UNREACHABLE, "enclave: not connected");
    else
        err = fd_write_all(link->fd, frame, deadline_min(until, deadline_in(LINK_WRITE_MS)));
    // Half a frame may be out: the stream is of no use any more.
    if (err.code && link->fd >= 0)
        (void)shutdown(link->fd, SHUT_RDWR);
    must(pthread_mutex_unlock(&link->write_lock) == 0);
    return err;
}

static struct err enclave_link_write(struct enclave_link *link,
                                     const struct enclave_link_wait *wait, const char *method,
                                     struct bytes params, struct deadline until)
{
    size_t cap = FRAME_HEAD_BYTES + params.n + strlen(method) + 128;
    uint8_t *frame = malloc(cap);
    struct wr wr = wr_of(frame, cap);
    struct err err;
    size_t at;

    ENSURE(frame, ERR_FULL, "enclave: no memory");
    at = frame_begin(&wr);
    wr_str(&wr, "{\"id\":");
    u256_write_decimal(&wr, u256_of(wait->id));
    wr_str(&wr, ",\"method\":\"");
    wr_str(&wr, method);
    wr_str(&wr, "\",\"params\":");
    wr_bytes(&wr, params.n ? params : BYTES_LIT("{}"));
    wr_str(&wr, "}");
    frame_end(&wr, at);
    if (wr.bad || wr.len > FRAME_HEAD_BYTES + FRAME_BYTES_MAX)
        err = FAIL(ERR_TOO_LARGE, "enclave: the request exceeds 1 MiB");
    else
        err = enclave_link_send(link, wr_done(&wr), until);
    ct_wipe(frame, cap); // set_credentials carries a secret key
    free(frame);
    return err;
}

static void enclave_link_set_fd(struct enclave_link *link, int fd)
{
    must(pthread_mutex_lock(&link->write_lock) == 0);
    must(pthread_mutex_lock(&link->lock) == 0);
    fd_close(&link->fd);
    link->fd = fd;
    link->connections += fd >= 0;
    for (struct enclave_link_wait *wait = link->waits; wait && fd < 0; wait = wait->next) {
        if (wait->done)
            continue;
        wait->done = true;
        wait->err = FAIL(ERR_CLOSED, "enclave: the connection was lost");
        must(pthread_cond_signal(&wait->wake) == 0);
    }
    must(pthread_mutex_unlock(&link->lock) == 0);
    must(pthread_mutex_unlock(&link->write_lock) == 0);
}

// Waits, or ends early when the link is to stop; false then.
static bool enclave_link_rest(struct enclave_link *link, int ms)
{
    struct timespec at = enclave_link_time(deadline_in(ms));
    bool stopping;

    must(pthread_mutex_lock(&link->lock) == 0);
    if (!link->stopping && ms > 0)
        (void)pthread_cond_clockwait(&link->pause, &link->lock, CLOCK_MONOTONIC, &at);
    stopping = link->stopping;
    must(pthread_mutex_unlock(&link->lock) == 0);
    return !stopping;
}

// Hands over every whole frame that was collected.
static struct err enclave_link_frames(struct enclave_link *link)
{
    struct bytes stream = bytes_of(link->buf, link->len);
    struct bytes body;
    size_t whole;

    for (;;) {
        TRY(frame_next(stream, &whole, &body));
        if (whole == 0)
            break;
        enclave_link_hand_over(link, body);
        stream = bytes_skip(stream, whole);
    }
    if (stream.n)
        memmove(link->buf, stream.p, stream.n);
    link->len = stream.n;
    return OK;
}

static struct err enclave_link_read(struct enclave_link *link)
{
    size_t room = FRAME_HEAD_BYTES + FRAME_BYTES_MAX - link->len;
    struct err ready = fd_wait(link->fd, POLLIN, deadline_in(1000));
    ssize_t got;

    if (ready.code == ERR_TIMEOUT)
        return OK;
    TRY(ready);
    got = recv(link->fd, link->buf + link->len, room, 0);
    ENSURE(got > 0, ERR_CLOSED, "enclave: the connection was closed");
    link->len += (size_t)got;
    return enclave_link_frames(link);
}

static void *enclave_link_run(void *context)
{
    struct enclave_link *link = context;
    int pause_ms = 0;

    while (enclave_link_rest(link, pause_ms)) {
        int fd = -1;
        struct err err = addr_dial(&fd, &link->addr, deadline_in(LINK_DIAL_MS));

        pause_ms = pause_ms * 2 > LINK_PAUSE_MS_MAX ? LINK_PAUSE_MS_MAX : pause_ms * 2;
        pause_ms = pause_ms < LINK_PAUSE_MS ? LINK_PAUSE_MS : pause_ms;
        if (err.code)
            continue;
        link->len = 0;
        enclave_link_set_fd(link, fd);
        log_event(LOG_INFO, "enclave_link", "connected", NULL, NULL);
        while (!err.code && enclave_link_rest(link, 0)) {
            err = enclave_link_read(link);
            pause_ms = LINK_PAUSE_MS;
        }
        enclave_link_set_fd(link, -1);
        if (err.code)
            log_error(LOG_WARN, "enclave_link", "disconnected", err);
    }
    return NULL;
}

// Sets what the call returns from the answer's members.
static void enclave_link_settle(struct enclave_link_wait *wait, const struct json *root)
{
    const struct json *error = json_get(root, "error");
    char name[32];
    enum err_code code = ERR_INTERNAL;

    wait->done = true;
    wait->err = OK;
    wait->reply->result = json_get(root, "result");
    if (!error && wait->reply->result)
        return;
    if (bytes_to_str(json_string(json_get(error, "code")), name, sizeof(name)))
        code = err_code_of(name);
    wait->err = FAIL(code == ERR_NONE ? ERR_INTERNAL : code, "the enclave refused");
    detail_set(&wait->reply->detail, "", json_string(json_get(error, "message")));
}

static bool enclave_link_deliver(struct enclave_link *link, const struct json *root,
                                 const struct enclave_link_reply *reply)
{
    bool taken = false;
    uint64_t id;

    if (json_u64(&id, json_get(root, "id")).code)
        return false;
    must(pthread_mutex_lock(&link->lock) == 0);
    for (struct enclave_link_wait *wait = link->waits; wait && !taken; wait = wait->next) {
        if (wait->id != id || wait->done)
            continue;
        *wait->reply = *reply;
        enclave_link_settle(wait, root);
        must(pthread_cond_signal(&wait->wake) == 0);
        taken = true;
    }
    must(pthread_mutex_unlock(&link->lock) == 0);
    return taken;
}

static void enclave_link_hand_over(struct enclave_link *link, struct bytes body)
{
    struct enclave_link_reply reply = { 0 };
    const struct json *root = NULL;

    reply.text = malloc(body.n);
    reply.nodes = malloc(LINK_NODES_MAX * sizeof(*reply.nodes));
    if (reply.text && reply.nodes) {
        memcpy(reply.text, body.p, body.n);
        if (json_parse(&root, reply.nodes, LINK_NODES_MAX, reply.text, body.n).code)
            root = NULL;
    }
    if (!root || !enclave_link_deliver(link, root, &reply)) {
        log_event(LOG_WARN, "enclave_link", "answer_dropped", NULL, NULL);
        enclave_link_free_reply(&reply);
    }
}
