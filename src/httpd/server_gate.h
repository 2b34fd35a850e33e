// SPDX-License-Identifier: Apache-2.0
// How many TLS handshakes are under way at once. Each takes some 45 KiB until it is complete, so a
// crowd of clients goes through one after the other; whoever dawdles inside while others wait has
// to go. Who may include it: httpd.
#pragma once

#include "net/loop.h"

#define SERVER_GATE_MAX 1024U // inside

// Of one connection; starts with zeroes but for the last three.
struct server_gate_place {
    struct server_gate_place *before, *after; // in one of the gate's lists
    enum { SERVER_GATE_OUTSIDE, SERVER_GATE_WAITING, SERVER_GATE_INSIDE } where;
    int64_t since_ms; // when it came in
    void *owner;
    void (*enter)(void *owner); // it has waited, and is inside now
    void (*evict)(void *owner); // it is too slow: the owner is to leave
};

struct server_gate;

FALLIBLE server_gate_new(struct server_gate **out, struct loop *loop);
// True: it is inside. False: it waits until `enter` is called.
bool server_gate_pass(struct server_gate *gate, struct server_gate_place *place);
// The handshake is over, or its connection: another one may come in. From everywhere.
void server_gate_leave(struct server_gate *gate, struct server_gate_place *place);
// Nobody is inside or waits any more. Accepts NULL inside.
void server_gate_free(struct server_gate **gate);
