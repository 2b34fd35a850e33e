// SPDX-License-Identifier: Apache-2.0
// Brings the enclave to READY and keeps it there: configuration, credentials, keysets. Who may
// include it: parent.
#pragma once

#include "parent/enclave_link.h"
#include "parent/store.h"
#include "proto/config.h"

struct supervise;
struct tls_keys;

struct supervise_options {
    struct enclave_link *link;
    struct store *store;
    struct bytes configuration; // canonical; must outlive the supervisor, as all of these
    const struct config *config;
    const char *imds; // URL
    const char *role; // "": the one that IMDS names
    struct tls_keys *tls;
};

// What it saw last.
struct supervise_view {
    char phase[16];      // of the enclave; "UNKNOWN" while it does not answer
    bool connected;      // it answered the last time
    bool ready;          // phase READY, this deployment, every keyset open
    char problem[300];   // what stands in the way, or what failed last; "" when nothing does
    uint64_t since_ms;   // of `ready` or of the problem
    uint64_t expires_ms; // credentials that were handed over; 0: none
};

FALLIBLE supervise_start(struct supervise **out, const struct supervise_options *options);
// Ends the thread. Accepts NULL inside.
void supervise_stop(struct supervise **supervise);
// Makes the next turn begin now: something was changed.
void supervise_wake(struct supervise *supervise);
void supervise_look(struct supervise *supervise, struct supervise_view *out);
