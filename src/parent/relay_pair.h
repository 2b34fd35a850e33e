// SPDX-License-Identifier: Apache-2.0
// Two connected sockets whose bytes go to each other, in a loop: bounded buffers, half-close, idle
// limit. Who may include it: parent/relay.c.
#pragma once

#include "net/loop.h"

struct relay_pair;

struct relay_pair_ends {
    int fd[2];                     // taken over; the first is the enclave's
    void (*closed)(void *context); // called once, after the descriptors were closed
    void *context;
};

// Adds a pair to *list. When it cannot be made both ends are closed at once.
void relay_pair_open(struct loop *loop, struct relay_pair **list,
                     const struct relay_pair_ends *ends);
// Closes both ends, leaves the list and frees. Called by the pair itself when it is done.
void relay_pair_close(struct relay_pair *pair);
// Closes the one of the list that net/crowd.h names; false when the list is empty.
bool relay_pair_close_one(struct relay_pair *list);
