// SPDX-License-Identifier: Apache-2.0
// Certificate requests (PKCS#10, RFC 2986) and self-signed certificates (RFC 5280) for TLS keys.
// Written here, byte by byte, from names that were checked: nothing of what is signed comes from
// the front as it is.
#pragma once

#include "crypto/openssl/p256.h"
#include "proto/msg.h"

#define CERTIFY_SERIAL_BYTES 16

struct certify {
    const struct msg_tls_certify *what; // as msg_read_tls_certify has checked it
    const struct p256_key *key;
    // Of a certificate only:
    uint64_t now_s;                       // Unix time; valid from an hour before
    uint8_t serial[CERTIFY_SERIAL_BYTES]; // random
};

// Appends the DER.
FALLIBLE certify_write(struct wr *out, const struct certify *certify);
