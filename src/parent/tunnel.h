// SPDX-License-Identifier: Apache-2.0
// The tunnel of the data plane: TCP connections of clients to vsock port 9000 of the enclave, where
// TLS ends. Bytes only: nothing here can read or change what they say. Who may include it: parent.
#pragma once

#include "base/wr.h"
#include "net/addr.h"

#include <stdbool.h>

struct tunnel;

struct tunnel_options {
    struct addr listen;   // tcp or unix
    struct addr target;   // vsock or unix
    unsigned connections; // at once; for a further one, the one that net/crowd.h names is closed
    bool adds_source;     // a header with the client's address goes before its bytes
    int first_ms;         // for the client's first byte, and for connecting to the enclave
    int idle_ms;          // without a byte
};

#define TUNNEL_FIRST_MS 10000
#define TUNNEL_IDLE_MS  300000 // the enclave closes idle connections itself, and earlier

// Listens and starts the thread. ERR_EXISTS: the address is in use. The enclave need not be there:
// each client's first byte makes a connection of its own, and is refused while there is none.
FALLIBLE tunnel_start(struct tunnel **out, const struct tunnel_options *options);
// Where it listens, and how many clients are connected.
void tunnel_look(const struct tunnel *tunnel, struct addr *bound, size_t *connections);
// Takes no new clients, waits until those that are being answered have their answers, at most
// `drain_ms`, closes every connection and ends the thread. Accepts NULL inside.
void tunnel_stop(struct tunnel **tunnel, int drain_ms);
// The PROXY protocol's binary header (HAProxy, version 2) for a client that is connected to `fd`;
// nothing when it did not come over TCP. At most 52 bytes.
void tunnel_write_source(struct wr *wr, int fd);
