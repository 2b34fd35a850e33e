// SPDX-License-Identifier: Apache-2.0
// Connected sockets, two by two, whose bytes go to each other in a loop: bounded buffers,
// half-close, limits of time, and which pair goes when there are too many. The bytes are nobody's
// business here. The process must ignore SIGPIPE. Who may include it: parent/relay.c,
// parent/tunnel.c.
#pragma once

#include "base/wr.h"
#include "net/loop.h"
#include "parent/metrics.h"

#define PAIRS_HEAD_MAX 64U

struct pairs; // all pairs of one owner, who uses them in the loop's thread only

enum pairs_end {
    PAIRS_CLOSED,      // both sides have ended, or one of them broke
    PAIRS_UNREACHABLE, // the called side could not be reached
    PAIRS_TIMED_OUT,   // said nothing at all, or nothing for too long
    PAIRS_EVICTED      // made room for another one, or was given up by its owner
};

struct pairs_options {
    // For pairs that are added with one side only: called when the first byte of that side, the
    // caller, is there. Begins a connection (addr_begin) and writes what is to be sent before the
    // caller's bytes, at most PAIRS_HEAD_MAX.
    struct err (*dial)(void *context, int caller, int *called, struct wr *head);
    int first_ms; // for the caller's first byte and the connection that it causes
    int idle_ms;  // without a byte from either side
    enum metrics_counter to_called, to_caller;          // bytes
    void (*ended)(void *context, enum pairs_end ended); // after the descriptors were closed
    void *context;
};

FALLIBLE pairs_new(struct pairs **out, struct loop *loop, const struct pairs_options *options);
// Closes all of them. Accepts NULL inside.
void pairs_free(struct pairs **pairs);
// Takes over both descriptors; the caller is who connected to this program. `called` is -1 when it
// is to be dialled. A pair that cannot be made has ended when this returns.
void pairs_add(struct pairs *pairs, int caller, int called);
size_t pairs_count(const struct pairs *pairs);
// Closes the one that net/crowd.h names. A newcomer is one that was not answered twice: who does
// not complete a TLS handshake remains one.
void pairs_evict(struct pairs *pairs);
// Closes those that wait for nothing: the last byte was an answer, `quiet_ms` ago or earlier, or
// the caller has not said anything yet.
void pairs_close_quiet(struct pairs *pairs, int quiet_ms);
