// SPDX-License-Identifier: Apache-2.0
// A connection for code that waits: reads and writes with deadlines over a non-blocking socket,
// with or without TLS. Loops use net/loop.h instead.
#pragma once

#include "base/deadline.h"
#include "net/tls.h"

struct stream; // owns the descriptor and the TLS state

// Takes over `fd` (also on failure). No TLS.
FALLIBLE stream_new(struct stream **out, int fd);
// Whom a TLS client means to talk to.
struct stream_peer {
    struct tls_context *context;
    const char *host; // a DNS SAN of its certificate, as exactly as the context says (net/tls.h)
    uint64_t now_s;   // certificates are judged at these Unix seconds; 0: the system's clock
};

// TLS client: takes over `fd`, handshake until the deadline. ERR_UNTRUSTED or ERR_EXPIRED for the
// certificate, ERR_MALFORMED for another failed handshake; ERR_CLOSED, ERR_TIMEOUT.
FALLIBLE stream_new_tls(struct stream **out, int fd, const struct stream_peer *peer,
                        struct deadline until);
// TLS server side.
FALLIBLE stream_accept_tls(struct stream **out, int fd, struct tls_context *context,
                           struct deadline until);
// At least one byte, at most cap (not 0). *n is 0 at the end of the stream; under TLS an end
// without close_notify is ERR_CLOSED, since anybody on the way can cause it.
FALLIBLE stream_read(struct stream *s, uint8_t *out, size_t cap, size_t *n, struct deadline until);
FALLIBLE stream_write(struct stream *s, struct bytes b, struct deadline until);
// True when the peer has closed or sent something unasked: an idle connection not to be reused.
bool stream_is_stale(struct stream *s);
// Closes and frees; accepts NULL inside.
void stream_free(struct stream **s);
