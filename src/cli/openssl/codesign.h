// SPDX-License-Identifier: Apache-2.0
// The certificate and key that sign an enclave image, by libcrypto: X.509 with a P-384 key, ES384
// (RFC 9053 2.1). A certificate that came with an image says nothing about who made it until it is
// compared with one that is known. Who may include it: cli.
#pragma once

#include "base/err.h"
#include "base/wr.h"

#define CODESIGN_CERT_MAX 4096 // DER
#define CODESIGN_NAME_MAX 256
#define CODESIGN_BYTES    96 // r || s, big-endian

struct codesign {
    uint8_t der[CODESIGN_CERT_MAX];
    size_t n;
    char subject[CODESIGN_NAME_MAX], issuer[CODESIGN_NAME_MAX]; // RFC 2253, cut when longer
    uint64_t from_s, until_s;                                   // Unix seconds, both included
};

// Reads PEM text with exactly one certificate. ERR_MALFORMED, ERR_UNSUPPORTED (another key).
FALLIBLE codesign_read(struct codesign *out, struct bytes pem);
// The same certificate as PEM text, without what stood around it.
FALLIBLE codesign_write(struct wr *out, const struct codesign *cert);
// ERR_EXPIRED unless the certificate is valid at that time (Unix seconds).
FALLIBLE codesign_valid(const struct codesign *cert, uint64_t at_s);
// Signs with a private key in PEM (PKCS#8 or SEC 1, not encrypted), which the caller wipes, and
// verifies what it signed. ERR_MISMATCH when the key is not the certificate's.
FALLIBLE codesign_sign(uint8_t out[static CODESIGN_BYTES], const struct codesign *cert,
                       struct bytes key_pem, struct bytes message);
