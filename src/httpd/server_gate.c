// SPDX-License-Identifier: Apache-2.0
// The gate of handshakes. Duty: fair, and bounded whatever the peers do: in the order in which they
// came, and nobody holds a place for longer than half a second while somebody waits for it.
#include "httpd/server_gate.h"

#include "base/must.h"

#include <stdlib.h>

#define PATIENCE_MS 500
#define LOOK_MS     50

struct list {
    struct server_gate_place *first, *last;
    unsigned count;
};

struct server_gate {
    struct list inside, waiting;
    struct loop_timer *timer; // runs while somebody waits
};

static void server_gate_look(void *context);

static void server_gate_put(struct list *list, struct server_gate_place *place)
{
    place->before = list->last;
    place->after = NULL;
    *(list->last ? &list->last->after : &list->first) = place;
    list->last = place;
    list->count++;
}

static void server_gate_take(struct list *list, struct server_gate_place *place)
{
    *(place->before ? &place->before->after : &list->first) = place->after;
    *(place->after ? &place->after->before : &list->last) = place->before;
    list->count--;
}

struct err server_gate_new(struct server_gate **out, struct loop *loop)
{
    struct server_gate *gate = calloc(1, sizeof(*gate));
    struct err err;

    *out = gate;
    ENSURE(gate, ERR_FULL, "server: out of memory");
    err = loop_timer(loop, &gate->timer, (struct deadline) { INT64_MAX }, server_gate_look, gate);
    if (err.code)
        server_gate_free(out);
    return err;
}

static void server_gate_admit(struct server_gate *gate, struct server_gate_place *place)
{
    place->where = SERVER_GATE_INSIDE;
    place->since_ms = deadline_now_ms();
    server_gate_put(&gate->inside, place);
}

bool server_gate_pass(struct server_gate *gate, struct server_gate_place *place)
{
    must(place->where == SERVER_GATE_OUTSIDE);
    if (gate->inside.count < SERVER_GATE_MAX) {
        server_gate_admit(gate, place);
        return true;
    }
    place->where = SERVER_GATE_WAITING;
    if (gate->waiting.count == 0)
        loop_timer_set(gate->timer, deadline_in(LOOK_MS));
    server_gate_put(&gate->waiting, place);
    return false;
}

void server_gate_leave(struct server_gate *gate, struct server_gate_place *place)
{
    struct server_gate_place *next;

    if (place->where == SERVER_GATE_OUTSIDE)
        return;
    server_gate_take(place->where == SERVER_GATE_INSIDE ? &gate->inside : &gate->waiting, place);
    place->where = SERVER_GATE_OUTSIDE;
    next = gate->waiting.first;
    if (!next || gate->inside.count == SERVER_GATE_MAX)
        return;
    server_gate_take(&gate->waiting, next);
    server_gate_admit(gate, next);
    next->enter(next->owner);
}

// The first of the list has been inside for longest. It leaves when it is evicted, and lets the
// next one in.
static void server_gate_look(void *context)
{
    struct server_gate *gate = context;
    int64_t since_ms = deadline_now_ms() - PATIENCE_MS;
    unsigned most = gate->inside.count;

    for (unsigned i = 0; i < most && gate->waiting.count > 0; i++) {
        struct server_gate_place *slowest = gate->inside.first;

        if (!slowest || slowest->since_ms > since_ms)
            break;
        slowest->evict(slowest->owner);
    }
    if (gate->waiting.count > 0)
        loop_timer_set(gate->timer, deadline_in(LOOK_MS));
}

void server_gate_free(struct server_gate **gate)
{
    if (!*gate)
        return;
    must((*gate)->inside.count == 0 && (*gate)->waiting.count == 0);
    loop_timer_free(&(*gate)->timer);
    free(*gate);
    *gate = NULL;
}
