// SPDX-License-Identifier: Apache-2.0
// libssl's way to a socket: its own BIO writes with write(2), which raises SIGPIPE, and reads for
// as long as there is something. Who may include it: net/wire.c.
#pragma once

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/err.h"

#include <openssl/bio.h>

struct wire_bio {
    int fd;
    struct deadline until; // past it, nothing is found to read
    bool more;             // the last read filled its buffer
    unsigned recvs;        // since the caller set it to 0: a few, then nothing is found to read
    uint8_t *early;        // what was read before; NULL: no more
    size_t early_at, early_n;
    BIO_METHOD *method;
};

// A BIO over `io`, which outlives it.
FALLIBLE wire_bio_new(BIO **out, struct wire_bio *io);
// Bytes (copied) that come before those of the socket.
FALLIBLE wire_bio_put_back(struct wire_bio *io, struct bytes early);
// After the BIO: gives up all but the descriptor.
void wire_bio_done(struct wire_bio *io);
