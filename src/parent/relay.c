// SPDX-License-Identifier: Apache-2.0
// The allow-list: which address leads where. For each entry one listening socket in the loop and
// one thread that dials (name resolution waits; a dead target must not hold up the others); the
// bytes are moved by pairs.c in the loop thread. The peer cannot choose the target: there is
// no request to parse. Bounded: connections, and those waiting to be dialled; beyond, the one that
// has waited longest is closed.
#include "parent/relay.h"

#include "base/fd.h"
#include "base/must.h"
#include "net/loop.h"
#include "parent/log.h"
#include "parent/metrics.h"
#include "parent/pairs.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>

#define RELAY_WAITING_MAX 16U
#define RELAY_PAIRS_MAX   128U
#define RELAY_DIAL_MS     10000
#define RELAY_IDLE_MS     300000

struct relay_gate { // one entry
    struct relay *relay;
    struct relay_entry entry;
    struct loop_watch *watch;
    int listen_fd;
    bool full; // and said so
    pthread_t dialer;
    bool dialing;
    int waiting[RELAY_WAITING_MAX]; // accepted, to be dialled; under the relay's lock
    unsigned waits;
};

struct relay_ready {
    int inner, outer;
};

struct relay {
    struct loop *loop;
    pthread_t thread;
    bool running;
    pthread_mutex_t lock;
    pthread_cond_t work;
    bool stopping;                             // under lock
    struct relay_ready ready[RELAY_PAIRS_MAX]; // dialled, for the loop; under lock
    unsigned readies;
    unsigned open; // accepted and not closed; under lock
    struct pairs *pairs;
    struct relay_gate gate[CONFIG_HOSTS];
    size_t gates;
};

static struct err relay_set_up(struct relay *relay, const struct relay_entry *entry,
                               size_t entries);
static void relay_accept(void *context, uint32_t events);
static void relay_adopt(void *context);
static void relay_count_closed(struct relay *relay);
static void relay_ended(void *context, enum pairs_end ended);
static void *relay_dial(void *context);
static void *relay_run(void *context);

static struct err relay_plan_one(struct relay_entry *entry, const struct conf *conf,
                                 struct bytes host, size_t index)
{
    char text[CONF_TEXT + 16];

    ENSURE(bytes_to_str(host, entry->host, sizeof(entry->host)), ERR_MALFORMED,
           "relay: expected a host name of at most 128 bytes");
    if (strcmp(conf->relay_listen, "vsock://ANY") == 0) {
        entry->listen = (struct addr) { .kind = ADDR_VSOCK, .cid = UINT32_MAX };
        entry->listen.port = RELAY_PORT + (uint32_t)index;
    } else {
        (void)snprintf(text, sizeof(text), "%s%zu", conf->relay_listen, RELAY_PORT + index);
        TRY(addr_parse(&entry->listen, text));
    }
    for (size_t i = 0; i < conf->relays; i++) {
        if (strcmp(conf->relay[i].host, entry->host) == 0) {
            entry->target = conf->relay[i].target;
            return OK;
        }
    }
    (void)snprintf(text, sizeof(text), "tcp://%s:443", entry->host);
    return addr_parse(&entry->target, text);
}

struct err relay_plan(struct relay_entry *entry, size_t *n, const struct conf *conf,
                      const struct config *config)
{
    for (size_t i = 0; i < config->hosts; i++)
        TRY(relay_plan_one(&entry[i], conf, config->host[i], i));
    *n = config->hosts;
    return OK;
}

struct err relay_start(struct relay **out, const struct relay_entry *entry, size_t entries)
{
    struct relay *relay = calloc(1, sizeof(*relay));
    struct err err;

    *out = NULL;
    ENSURE(relay, ERR_FULL, "relay: no memory");
    must(entries <= CONFIG_HOSTS);
    must(pthread_mutex_init(&relay->lock, NULL) == 0);
    must(pthread_cond_init(&relay->work, NULL) == 0);
    err = relay_set_up(relay, entry, entries);
    if (err.code)
        relay_stop(&relay);
    *out = relay;
    return err;
}

static struct err relay_open_gate(struct relay *relay, const struct relay_entry *entry)
{
    struct relay_gate *gate = &relay->gate[relay->gates++];
    struct addr bound;
    struct err err;

    *gate = (struct relay_gate) { .relay = relay, .entry = *entry, .listen_fd = -1 };
    err = addr_listen(&gate->listen_fd, &entry->listen, &bound);
    ENSURE(err.code != ERR_EXISTS, ERR_EXISTS,
           "relay_listen: an address is in use by another program");
    TRY(err);
    TRY(loop_watch(relay->loop, &gate->watch, gate->listen_fd, EPOLLIN, relay_accept, gate));
    ENSURE(pthread_create(&gate->dialer, NULL, relay_dial, gate) == 0, ERR_FULL,
           "relay: no thread");
    gate->dialing = true;
    return OK;
}

static struct err relay_set_up(struct relay *relay, const struct relay_entry *entry, size_t entries)
{
    TRY(loop_new(&relay->loop));
    TRY(pairs_new(&relay->pairs, relay->loop,
                  &(struct pairs_options) { .first_ms = RELAY_IDLE_MS,
                                            .idle_ms = RELAY_IDLE_MS,
                                            .to_called = METRICS_RELAY_FROM_ENCLAVE,
                                            .to_caller = METRICS_RELAY_TO_ENCLAVE,
                                            .ended = relay_ended,
                                            .context = relay }));
    loop_set_wake(relay->loop, relay_adopt, relay);
    for (size_t i = 0; i < entries; i++)
        TRY(relay_open_gate(relay, &entry[i]));
    ENSURE(pthread_create(&relay->thread, NULL, relay_run, relay) == 0, ERR_FULL,
           "relay: no thread");
    relay->running = true;
    return OK;
}

static void *relay_run(void *context)
{
    loop_run(((struct relay *)context)->loop);
    return NULL;
}

static void relay_close_gate(struct relay_gate *gate)
{
    if (gate->dialing)
        must(pthread_join(gate->dialer, NULL) == 0);
    loop_unwatch(&gate->watch);
    fd_close(&gate->listen_fd);
    for (unsigned i = 0; i < gate->waits; i++)
        fd_close(&gate->waiting[i]);
}

void relay_stop(struct relay **relay)
{
    struct relay *r = *relay;

    if (!r)
        return;
    must(pthread_mutex_lock(&r->lock) == 0);
    r->stopping = true;
    must(pthread_cond_broadcast(&r->work) == 0);
    must(pthread_mutex_unlock(&r->lock) == 0);
    if (r->running) {
        loop_stop(r->loop);
        must(pthread_join(r->thread, NULL) == 0);
    }
    for (size_t i = 0; i < r->gates; i++)
        relay_close_gate(&r->gate[i]);
    for (unsigned i = 0; i < r->readies; i++) {
        fd_close(&r->ready[i].inner);
        fd_close(&r->ready[i].outer);
    }
    pairs_free(&r->pairs);
    loop_free(&r->loop);
    (void)pthread_mutex_destroy(&r->lock);
    (void)pthread_cond_destroy(&r->work);
    free(r);
    *relay = NULL;
}

// Puts an accepted connection before the dialer. Returns a descriptor to close: the one that waited
// longest when too many wait, `fd` itself when there is no place at all, or -1.
static int relay_queue(struct relay_gate *gate, int fd)
{
    struct relay *relay = gate->relay;
    int dropped = -1;

    must(pthread_mutex_lock(&relay->lock) == 0);
    if (gate->waits == RELAY_WAITING_MAX) {
        dropped = gate->waiting[0];
        gate->waits--;
        memmove(gate->waiting, gate->waiting + 1, gate->waits * sizeof(gate->waiting[0]));
        relay->open--;
    }
    if (relay->open < RELAY_PAIRS_MAX) {
        gate->waiting[gate->waits++] = fd;
        relay->open++;
        must(pthread_cond_broadcast(&relay->work) == 0);
    } else {
        dropped = fd;
    }
    must(pthread_mutex_unlock(&relay->lock) == 0);
    return dropped;
}

// In the loop thread: all places are taken, so that one pair has to go (net/crowd.h).
static void relay_make_room(struct relay *relay)
{
    bool full;

    must(pthread_mutex_lock(&relay->lock) == 0);
    full = relay->open >= RELAY_PAIRS_MAX;
    must(pthread_mutex_unlock(&relay->lock) == 0);
    if (full)
        pairs_evict(relay->pairs);
}

static void relay_accept(void *context, uint32_t events)
{
    struct relay_gate *gate = context;
    int fd = accept4(gate->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

    (void)events;
    // Without descriptors the socket stays readable: a pause keeps the loop from spinning.
    if (fd < 0 && (errno == EMFILE || errno == ENFILE || errno == ENOMEM))
        (void)nanosleep(&(struct timespec) { 0, 10000000 }, NULL);
    if (fd < 0)
        return;
    relay_make_room(gate->relay);
    fd = relay_queue(gate, fd);
    if (fd >= 0 && !gate->full)
        log_event(LOG_WARN, "relay", "full", "host", gate->entry.host);
    gate->full = fd >= 0;
    metrics_add(METRICS_RELAY_REFUSED, fd >= 0);
    fd_close(&fd);
}

// The next connection to dial for; -1 when the relay stops.
static int relay_next(struct relay_gate *gate)
{
    struct relay *relay = gate->relay;
    int fd = -1;

    must(pthread_mutex_lock(&relay->lock) == 0);
    while (!relay->stopping && gate->waits == 0)
        must(pthread_cond_wait(&relay->work, &relay->lock) == 0);
    if (!relay->stopping) {
        fd = gate->waiting[0];
        gate->waits--;
        memmove(gate->waiting, gate->waiting + 1, gate->waits * sizeof(gate->waiting[0]));
    }
    must(pthread_mutex_unlock(&relay->lock) == 0);
    return fd;
}

static void *relay_dial(void *context)
{
    struct relay_gate *gate = context;
    struct relay *relay = gate->relay;
    int inner;

    while ((inner = relay_next(gate)) >= 0) {
        int outer = -1;
        struct err err = addr_dial(&outer, &gate->entry.target, deadline_in(RELAY_DIAL_MS));

        if (err.code) {
            log_event(LOG_WARN, "relay", "unreachable", "host", gate->entry.host);
            metrics_add(METRICS_RELAY_UNREACHABLE, 1);
            fd_close(&inner);
            relay_count_closed(relay);
            continue;
        }
        must(pthread_mutex_lock(&relay->lock) == 0);
        must(relay->readies < RELAY_PAIRS_MAX);
        relay->ready[relay->readies++] = (struct relay_ready) { inner, outer };
        must(pthread_mutex_unlock(&relay->lock) == 0);
        loop_wake(relay->loop);
    }
    return NULL;
}

static void relay_count_closed(struct relay *relay)
{
    must(pthread_mutex_lock(&relay->lock) == 0);
    relay->open--;
    must(pthread_mutex_unlock(&relay->lock) == 0);
}

static void relay_ended(void *context, enum pairs_end ended)
{
    (void)ended;
    metrics_add(METRICS_RELAY_CLOSED, 1);
    relay_count_closed(context);
}

// In the loop thread: dialled connections become pairs.
static void relay_adopt(void *context)
{
    struct relay *relay = context;

    for (;;) {
        struct relay_ready ready = { -1, -1 };

        must(pthread_mutex_lock(&relay->lock) == 0);
        if (relay->readies > 0)
            ready = relay->ready[--relay->readies];
        must(pthread_mutex_unlock(&relay->lock) == 0);
        if (ready.inner < 0)
            return;
        metrics_add(METRICS_RELAY_OPENED, 1);
        pairs_add(relay->pairs, ready.inner, ready.outer);
    }
}
