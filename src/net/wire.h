// SPDX-License-Identifier: Apache-2.0
// A connection for loops: reads and writes that never wait, with or without TLS (server side).
// Code that may wait uses net/stream.h instead. Who may include it: servers on net/loop.h.
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "net/tls.h"

enum wire_result {
    WIRE_DONE,    // some bytes were moved
    WIRE_BLOCKED, // none could be; wire_wants says what to wait for
    WIRE_CLOSED,  // end of the stream, or broken; the connection is of no more use
};

struct wire; // owns the descriptor and the TLS state

// Takes over `fd` (also on failure) and makes it non-blocking. `tls` is a server's context or NULL.
// The handshake happens inside the first reads.
FALLIBLE wire_new(struct wire **out, int fd, struct tls_context *tls);
// At most cap bytes; *n is what came.
enum wire_result wire_read(struct wire *wire, uint8_t *out, size_t cap, size_t *n);
// *n is what the connection took. Threads that call it must have SIGPIPE blocked or ignored.
enum wire_result wire_write(struct wire *wire, struct bytes b, size_t *n);
// EPOLLIN or EPOLLOUT: what the last blocked call waits for.
uint32_t wire_wants(const struct wire *wire);
int wire_fd(const struct wire *wire);
// Says "no more" to the peer (close_notify and a half-close) while it may still read.
void wire_finish(struct wire *wire);
// Closes and frees; accepts NULL inside.
void wire_free(struct wire **wire);
