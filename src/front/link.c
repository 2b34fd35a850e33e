// SPDX-License-Identifier: Apache-2.0
// The vault's channel. Duty: number messages, keep what waits for their answers in a table of
// fixed size, batch writes. The vault is trusted, but what it says must still be of the agreed
// form: a front that is out of step with its vault gives up and is started again by PID 1.
#include "front/link.h"

#include "base/must.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#define PENDING     1024U // messages under way; a power of two
#define OUT_BYTES   (2U << 20)
#define IN_BYTES    (512U << 10) // at least two of the largest messages
#define PATIENCE_MS 60000        // the slowest decision is an RSA key and an NSM call
#define LOOK_MS     5000
#define SLOW_MAX    2U // slow messages that the vault has at once
#define SLOW_TYPES                                                                              \
    (1U << MSG_KEYSET_CREATE | 1U << MSG_KEYSET_OPEN | 1U << MSG_KMS_ANSWER |                   \
     1U << MSG_ACCOUNT_CREATE | 1U << MSG_ATTESTATION | 1U << MSG_MANIFEST | 1U << MSG_UNSEAL | \
     1U << MSG_IMPORT_BEGIN | 1U << MSG_IMPORT_FINISH | 1U << MSG_ANCHOR_ANSWER)

struct pending {
    bool used;
    uint16_t type;
    uint64_t id;
    int64_t since_ms;
    struct link_done done;
};

struct link {
    struct loop *loop;
    struct loop_watch *watch;
    struct loop_timer *timer;
    void (*broken)(void *context, struct err err);
    void *context;
    int fd;
    bool ended;
    uint64_t next_id;
    struct pending pending[PENDING];
    unsigned under_way;
    unsigned slow;  // sent and not answered
    struct wr late; // slow messages that wait, over late_space
    struct wr out;  // over out_space; [sent, len) is to be written
    size_t sent, begun;
    size_t in_len;
    uint8_t out_space[OUT_BYTES];
    uint8_t late_space[OUT_BYTES];
    uint8_t in[IN_BYTES];
};

static void link_event(void *context, uint32_t events);
static void link_look(void *context);
static void link_take_all(struct link *link);

struct err link_new(struct link **out, struct loop *loop, int vault_fd,
                    void (*broken)(void *context, struct err err), void *context)
{
    struct link *link = calloc(1, sizeof(*link));

    *out = link;
    ENSURE(link, ERR_FULL, "link: out of memory");
    link->loop = loop;
    link->fd = vault_fd;
    link->broken = broken;
    link->context = context;
    link->next_id = 1;
    link->out = WR_OF(link->out_space);
    link->late = WR_OF(link->late_space);
    TRY(loop_watch(loop, &link->watch, vault_fd, EPOLLIN, link_event, link));
    return loop_timer(loop, &link->timer, deadline_in(LOOK_MS), link_look, link);
}

static void link_give_up(struct link *link)
{
    for (unsigned i = 0; i < PENDING; i++) {
        struct pending *slot = &link->pending[i];
        struct link_answer answer = { .verdict.code = ERR_CLOSED };

        answer.text = BYTES_LIT("vault: the channel is closed");
        if (slot->used)
            slot->done.call(slot->done.context, &answer);
        slot->used = false;
    }
}

void link_free(struct link **link)
{
    if (!*link)
        return;
    (*link)->ended = true;
    link_give_up(*link);
    loop_unwatch(&(*link)->watch);
    loop_timer_free(&(*link)->timer);
    free(*link);
    *link = NULL;
}

static void link_end_of_it(struct link *link, struct err err)
{
    if (link->ended)
        return;
    link->ended = true;
    loop_unwatch(&link->watch);
    link->broken(link->context, err);
}

// Ids run on; the slot is their low bits, so that an answer finds it without a search. A slot that
// is still taken by an old request is passed over.
static struct pending *link_slot(struct link *link)
{
    struct pending *slot;

    if (link->under_way == PENDING)
        return NULL;
    do {
        slot = &link->pending[link->next_id++ % PENDING];
    } while (slot->used);
    slot->id = link->next_id - 1;
    return slot;
}

static void link_compact(struct link *link)
{
    if (link->sent == 0)
        return;
    link->out.len -= link->sent;
    memmove(link->out.p, link->out.p + link->sent, link->out.len);
    link->sent = 0;
}

struct err link_begin(struct link *link, struct wr **body, uint16_t type, size_t body_max)
{
    struct pending *slot;

    ENSURE(!link->ended, ERR_CLOSED, "vault: the channel is closed");
    if (link->out.cap - link->out.len < MSG_HEAD_BYTES + body_max)
        link_compact(link);
    ENSURE(link->out.cap - link->out.len >= MSG_HEAD_BYTES + body_max, ERR_BUSY,
           "vault: too much at once; try again");
    slot = link_slot(link);
    ENSURE(slot, ERR_BUSY, "vault: too many requests at once; try again");
    slot->type = type;
    link->begun = msg_begin(&link->out, type, slot->id);
    *body = &link->out;
    return OK;
}

static bool link_is_slow(const struct pending *slot)
{
    return slot->type < 32 && (SLOW_TYPES >> slot->type & 1);
}

// Sends slow messages that wait, as far as their number and the room allow.
static void link_catch_up(struct link *link)
{
    struct bytes late = wr_done(&link->late);
    struct msg msg;
    size_t whole;

    while (link->slow < SLOW_MAX && !msg_next(late, &whole, &msg).code && whole > 0 &&
           link->out.cap - link->out.len >= whole) {
        wr_bytes(&link->out, bytes_take(late, whole));
        link->pending[msg.id % PENDING].since_ms = deadline_now_ms();
        link->slow++;
        late = bytes_skip(late, whole);
    }
    if (late.n)
        memmove(link->late_space, late.p, late.n);
    link->late.len = late.n;
}

struct err link_end(struct link *link, struct link_done done)
{
    struct pending *slot = &link->pending[(link->next_id - 1) % PENDING];
    bool is_slow = link_is_slow(slot);
    struct bytes written;

    msg_end(&link->out, link->begun);
    if (link->out.bad) {
        link->out.bad = false;
        link->out.len = link->begun;
        return FAIL(ERR_TOO_LARGE, "request: larger than the vault takes");
    }
    slot->since_ms = deadline_now_ms();
    if (is_slow) { // waits behind those that wait already
        written = bytes_of(link->out.p + link->begun, link->out.len - link->begun);
        link->out.len = link->begun;
        ENSURE(link->late.cap - link->late.len >= written.n, ERR_BUSY,
               "vault: too much at once; try again");
        wr_bytes(&link->late, written);
        slot->since_ms = INT64_MAX;
    }
    slot->used = true;
    slot->done = done;
    link->under_way++;
    return OK;
}

struct err link_send(struct link *link, uint16_t type, struct bytes body, struct link_done done)
{
    struct wr *wr;

    TRY(link_begin(link, &wr, type, body.n));
    wr_bytes(wr, body);
    return link_end(link, done);
}

void link_flush(struct link *link)
{
    link_catch_up(link);
    while (!link->ended && link->sent < link->out.len) {
        ssize_t done = send(link->fd, link->out.p + link->sent, link->out.len - link->sent,
                            MSG_DONTWAIT | MSG_NOSIGNAL);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0 && errno != EAGAIN) {
            link_end_of_it(link, FAIL(ERR_CLOSED, "vault: the channel is closed"));
            return;
        }
        if (done < 0) {
            loop_rewatch(link->watch, EPOLLIN | EPOLLOUT);
            return;
        }
        link->sent += (size_t)done;
    }
    link->sent = link->out.len = 0;
    if (link->watch)
        loop_rewatch(link->watch, EPOLLIN);
}

// Writing is the end of the turn's work, which follows every event.
static void link_event(void *context, uint32_t events)
{
    struct link *link = context;
    ssize_t got;

    if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)))
        return;
    got = recv(link->fd, link->in + link->in_len, IN_BYTES - link->in_len, MSG_DONTWAIT);
    if (got < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (got <= 0) {
        link_end_of_it(link, FAIL(ERR_CLOSED, "vault: the channel is closed"));
        return;
    }
    link->in_len += (size_t)got;
    link_take_all(link);
}

static struct err link_take(struct link *link, const struct msg *msg)
{
    struct pending *slot = &link->pending[msg->id % PENDING];
    struct link_answer answer = { .result = rd_of(msg->body) };
    struct link_done done = slot->done;

    ENSURE(slot->used && slot->id == msg->id && msg->type == (slot->type | MSG_ANSWER),
           ERR_MALFORMED, "vault: an answer that nobody waits for");
    answer.verdict = msg_read_verdict(&answer.result);
    if (answer.verdict.code != ERR_NONE) {
        answer.text = rd_var8(&answer.result, WHAT_BYTES_MAX);
        TRY(rd_end(&answer.result));
    }
    ENSURE(!answer.result.bad, ERR_MALFORMED, "vault: an answer of unknown form");
    slot->used = false;
    link->under_way--;
    link->slow -= link_is_slow(slot);
    done.call(done.context, &answer);
    return OK;
}

static void link_take_all(struct link *link)
{
    size_t at = 0, whole;
    struct msg msg;
    struct err err;

    do {
        err = msg_next(bytes_of(link->in + at, link->in_len - at), &whole, &msg);
        if (!err.code && whole > 0)
            err = link_take(link, &msg);
        at += err.code ? 0 : whole;
    } while (!err.code && whole > 0 && !link->ended);
    if (err.code) {
        link_end_of_it(link, err);
        return;
    }
    link->in_len -= at;
    memmove(link->in, link->in + at, link->in_len);
}

// A vault that has not answered for so long never will.
static void link_look(void *context)
{
    struct link *link = context;
    int64_t oldest = deadline_now_ms() - PATIENCE_MS;

    for (unsigned i = 0; i < PENDING && link->under_way; i++)
        if (link->pending[i].used && link->pending[i].since_ms < oldest)
            link_end_of_it(link, FAIL(ERR_TIMEOUT, "vault: no answer in time"));
    loop_timer_set(link->timer, deadline_in(LOOK_MS));
}
