// SPDX-License-Identifier: Apache-2.0
// A connection, with or without TLS: reads and writes that never wait. Loops use it as it is
// (net/loop.h says when to try again); net/stream.h waits, for code that may.
#pragma once

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/err.h"
#include "net/tls_server.h"

enum wire_result {
    WIRE_DONE,    // some bytes were moved
    WIRE_BLOCKED, // none could be; wire_wants says what to wait for
    WIRE_END,     // the peer has said that no more comes
    WIRE_CLOSED,  // broken off, or past the deadline
    WIRE_BROKEN,  // TLS: the peer broke the protocol
};

struct wire; // owns the descriptor and the TLS state

// Whom a TLS client means to talk to.
struct wire_peer {
    struct tls_context *context;
    const char *host; // a DNS SAN of its certificate, as exactly as the context says (net/tls.h)
    uint64_t now_s;   // certificates are judged at these Unix seconds; 0: the system's clock
};

// Takes over `fd` (also on failure) and makes it non-blocking. `tls` is a server's context, or NULL
// for a plain connection of either side. The handshake happens inside the first reads.
FALLIBLE wire_new(struct wire **out, int fd, struct tls_context *tls);
// Makes a plain connection one of a TLS server. `early` is what was read of TLS already (copied).
FALLIBLE wire_secure(struct wire *wire, struct tls_context *tls, struct bytes early);
// The same as a TLS client; wire_handshake until it is done.
FALLIBLE wire_new_client(struct wire **out, int fd, const struct wire_peer *peer);
enum wire_result wire_handshake(struct wire *wire);
// Why a client's handshake failed, when it was the certificate: ERR_UNTRUSTED or ERR_EXPIRED.
FALLIBLE wire_verdict(const struct wire *wire);
// SHA-256 of the SubjectPublicKeyInfo (DER, RFC 5280 4.1.2.7) in the certificate whose key the peer
// has proved to have in this connection's handshake. ERR_NOT_FOUND before that, or when it showed
// none.
FALLIBLE wire_peer_spki(const struct wire *wire, uint8_t out[static 32]);
// At most cap bytes; *n is what came, 0 unless it is WIRE_DONE.
enum wire_result wire_read(struct wire *wire, uint8_t *out, size_t cap, size_t *n);
// Reads and forgets some of what is there. False: the connection is over.
bool wire_discard(struct wire *wire);
// After a wire_read that is done: false when it took all that was there, so that another one would
// only find that out.
bool wire_has_more(const struct wire *wire);
// Whom TLS has shown to be the peer of a server's connection; NULL for others.
const struct tls_peer *wire_peer(const struct wire *wire);
// *n is what the connection took. Never raises SIGPIPE.
enum wire_result wire_write(struct wire *wire, struct bytes b, size_t *n);
// Past this, libssl finds nothing to read: a peer that never pauses could keep it for ever.
void wire_set_until(struct wire *wire, struct deadline until);
// EPOLLIN or EPOLLOUT: what the last blocked call waits for; 0: for the owner of the server's key,
// and wire_set_wake's function is called when there is reason to read again. Nothing may be read or
// written from within it.
uint32_t wire_wants(const struct wire *wire);
void wire_set_wake(struct wire *wire, void (*call)(void *context), void *context);
int wire_fd(const struct wire *wire);
// True when the peer has closed or sent something unasked: an idle connection not to be reused.
bool wire_is_stale(struct wire *wire);
// Says "no more" to the peer (close_notify and a half-close) while it may still read.
void wire_finish(struct wire *wire);
// Says "no more", closes and frees; accepts NULL inside.
void wire_free(struct wire **wire);
