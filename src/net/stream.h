// SPDX-License-Identifier: Apache-2.0
// Connections for code that waits: net/wire.h with deadlines.
#pragma once

#include "net/wire.h"

// A TLS client's connection: takes over `fd` (also on failure), handshake until the deadline.
// ERR_UNTRUSTED or ERR_EXPIRED for the certificate, ERR_MALFORMED for another failed handshake;
// ERR_CLOSED, ERR_TIMEOUT.
FALLIBLE stream_connect(struct wire **out, int fd, const struct wire_peer *peer,
                        struct deadline until);
// At least one byte, at most cap (not 0). *n is 0 at the end of the stream; under TLS an end
// without close_notify is ERR_CLOSED, since anybody on the way can cause it.
FALLIBLE stream_read(struct wire *wire, uint8_t *out, size_t cap, size_t *n, struct deadline until);
FALLIBLE stream_write(struct wire *wire, struct bytes b, struct deadline until);
