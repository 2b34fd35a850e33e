// SPDX-License-Identifier: Apache-2.0
// A server's certificate chain: read from PEM, judged, and the names that its leaf is for.
// Who may include it: net/tls_server.c, tests.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#include <openssl/x509.h>

#define TLS_CHAIN_MAX       8U     // certificates
#define TLS_CHAIN_BYTES_MAX 32768U // of PEM
#define TLS_CHAIN_NAMES_MAX 32U
#define TLS_CHAIN_NAME_MAX  253U

struct tls_chain_name {
    bool is_address;
    uint8_t n;
    uint8_t text[TLS_CHAIN_NAME_MAX]; // DNS: lower case; address: 4 or 16 bytes
};

// Start with zeroes.
struct tls_chain {
    X509 *certificate[TLS_CHAIN_MAX]; // the leaf first
    unsigned count;
    struct tls_chain_name *name;
    unsigned names;
    uint8_t leaf_sha256[32], spki_sha256[32];
    uint64_t not_after_s; // of the leaf
};

// Reads PEM with certificates and nothing else, the leaf first, each one issued by the next, all
// valid at now_s; the leaf has a P-256 key and at least one DNS or IP name. ERR_MALFORMED,
// ERR_TOO_LARGE, ERR_UNSUPPORTED, ERR_EXPIRED.
FALLIBLE tls_chain_read(struct tls_chain *out, struct bytes pem, uint64_t now_s);
// Gives up certificates and names; accepts zeroes.
void tls_chain_done(struct tls_chain *chain);
// Is the host (no port; an IPv6 address in brackets or not) one of the names? A wildcard stands for
// one whole label.
bool tls_chain_is_name(const struct tls_chain *chain, struct bytes host);
// SHA-256 of a certificate's DER. False: libcrypto fails.
bool tls_chain_digest(uint8_t out[static 32], const X509 *certificate);
