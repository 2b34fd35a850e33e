// SPDX-License-Identifier: Apache-2.0
// PKCS#12 files (RFC 7292), by libcrypto, on their owner's own machine: a TLS server's key and its
// certificates. Only keys on P-256 are taken: others the enclave does not know. Who may include it:
// cli.
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "base/seckey.h"

#define P12_CHAIN_MAX 32768U // PEM
#define P12_CERTS_MAX 8U

struct p12 {
    struct seckey key;
    uint8_t spki_sha256[32];      // of its public half
    uint8_t chain[P12_CHAIN_MAX]; // PEM: the key's certificate, then who issued it, root left out
    size_t chain_len;
};

// `AUTO(p12_wipe) struct p12 p12 = { 0 };`
void p12_wipe(struct p12 *p12);
// ERR_MALFORMED for what is no PKCS#12, ERR_CORRUPT when the password does not fit,
// ERR_UNSUPPORTED for other keys (RSA) and for ciphers of the past, ERR_NOT_FOUND when it holds no
// key or no certificate of it, ERR_TOO_LARGE.
FALLIBLE p12_open(struct p12 *out, struct bytes file, struct bytes password);
