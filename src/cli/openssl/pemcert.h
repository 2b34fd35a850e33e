// SPDX-License-Identifier: Apache-2.0
// X.509 certificates in PEM, of any kind of key, by libcrypto: who a client is, which authority is
// trusted, whose key a server's chain is for. Reads what stands there; no signature is verified.
// Who may include it: cli.
#pragma once

#include "base/err.h"
#include "base/wr.h"

#define PEMCERT_TEXT_MAX 65536U // PEM of a whole chain
#define PEMCERT_DER_MAX  4096U

struct pemcert {
    uint8_t der[PEMCERT_DER_MAX]; // as it stands in the PEM text: what fingerprints are over
    size_t n;
    uint8_t spki_sha256[32]; // of its SubjectPublicKeyInfo
    bool is_authority;       // may sign others (RFC 5280 4.2.1.9 and 4.2.1.3)
    uint64_t until_s;        // Unix seconds, included
};

// The first certificate of the text, and how many there are. Other PEM blocks are passed over.
// ERR_MALFORMED, ERR_TOO_LARGE.
FALLIBLE pemcert_read(struct pemcert *out, size_t *count, struct bytes pem);
// Appends every certificate of the text, as PEM, and nothing else that stands in it (a private key,
// say). ERR_MALFORMED, ERR_TOO_LARGE.
FALLIBLE pemcert_write_all(struct wr *out, struct bytes pem);
