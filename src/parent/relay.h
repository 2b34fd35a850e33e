// SPDX-License-Identifier: Apache-2.0
// The egress relay: port 8000 + i of the link to the enclave leads to host i of the measured
// configuration, and nowhere else. Bytes only: TLS ends in the enclave. Who may include it: parent.
#pragma once

#include "parent/conf.h"

#define RELAY_PORT 8000U

struct relay;

struct relay_entry {
    char host[HOST_BYTES_MAX + 1]; // for the log
    struct addr listen, target;
};

// The entries of a configuration: host i listens at `relay_listen` + (8000 + i) and leads to the
// settings' relay line, or to tcp://HOST:443. entry[CONFIG_HOSTS]; *n are used.
FALLIBLE relay_plan(struct relay_entry *entry, size_t *n, const struct conf *conf,
                    const struct config *config);
// Listens and starts the threads. Targets are dialled when somebody connects.
FALLIBLE relay_start(struct relay **out, const struct relay_entry *entry, size_t entries);
// Closes every connection and ends the threads. Accepts NULL inside.
void relay_stop(struct relay **relay);
