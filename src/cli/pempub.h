// SPDX-License-Identifier: Apache-2.0
// Public keys of administrators as `openssl pkey -pubout` writes them. Who may include it: cli.
#pragma once

#include "crypto/openssl/approve.h"

struct pempub {
    enum approve_type type;
    uint8_t key[APPROVE_KEY_MAX]; // 32 bytes Ed25519, 33 bytes compressed P-256
    size_t n;
};

// Reads one PEM block "PUBLIC KEY" (RFC 7468) of Ed25519 (RFC 8410) or P-256 (RFC 5480). What
// stands before it is skipped. ERR_MALFORMED; the key is usable (approve_check_key).
FALLIBLE pempub_read(struct pempub *out, struct bytes text);
