// SPDX-License-Identifier: Apache-2.0
// Web3Signer's known-clients file (--tls-known-clients-file): a line for each client certificate
// with its common name and, after white space, its SHA-256 fingerprint in hex with colons or
// without; lines that are empty or start with # count for nothing. Who may include it: cli.
#pragma once

#include "cli/roster.h"

// What all of them may do: the file does not say.
struct knownclients_rights {
    uint16_t operations;
    struct roster_patterns patterns;
};

// Adds a client for each line. *line is the one that an error is about, 0 without one.
// ERR_MALFORMED, ERR_EXISTS, ERR_TOO_LARGE.
FALLIBLE knownclients_read(struct roster *out, unsigned *line, struct bytes text,
                           const struct knownclients_rights *rights);
