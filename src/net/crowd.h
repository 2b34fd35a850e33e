// SPDX-License-Identifier: Apache-2.0
// Which connection makes room for another one when all places (or all memory) are taken. The one
// that has waited longest for its peer goes: an attacker's idle connections push out each other
// before they reach a peer that works. Newcomers, which have not completed one request, may hold
// half of the places; beyond, the oldest of them goes first, so that a flood of empty connections
// cannot push out those that are in use. Those of peers that are known by name go when there is
// nobody else. A request that is being answered is never given up.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum crowd_kind {
    CROWD_NEWCOMER, // no complete request yet
    CROWD_KNOWN,    // idle, reading a further request, or does not take its answer
    CROWD_TRUSTED,  // the same, of a peer that has shown who it is
    CROWD_KINDS,
    CROWD_WORKING // is being answered: stays
};

// Start with zeroes.
struct crowd {
    size_t count; // all that were looked at
    size_t newcomers;
    int64_t since_ms[CROWD_KINDS]; // of the oldest
    void *oldest[CROWD_KINDS];
};

// Looks at one connection; since_ms is when it began to wait for its peer. Of those of the same
// millisecond the last one counts: look at the newest first.
void crowd_look(struct crowd *crowd, void *conn, enum crowd_kind kind, int64_t since_ms);
// The connection to close, or NULL when all of them work.
void *crowd_victim(const struct crowd *crowd);
