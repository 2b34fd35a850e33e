// SPDX-License-Identifier: Apache-2.0
// Keys and X.509 certificates of the development PKI, by libcrypto: what AWS's authorities do for
// a real enclave. Development only: no product program links it.
#pragma once

#include "base/err.h"
#include "base/wr.h"

#include <stdint.h>

#define CERT_BYTES_MAX 4096 // the TLS certificate with all host names; NSM's are below 1024
#define CERT_EXT_MAX   6
#define CERT_SIG_BYTES 96 // r || s of P-384

struct cert_key; // an EC private key

enum cert_curve { CERT_P256, CERT_P384 };

// Free with cert_key_free, which accepts NULL inside.
FALLIBLE cert_key_new(struct cert_key **out, enum cert_curve curve);
// A PEM file (PKCS#8), and the same written with mode 0600.
FALLIBLE cert_key_load(struct cert_key **out, const char *path);
FALLIBLE cert_key_save(const struct cert_key *key, const char *path);
void cert_key_free(struct cert_key **key);

struct cert_ext {
    const char *name;  // e.g. "keyUsage"
    const char *value; // in libcrypto's configuration syntax; NULL: no extension
};

struct cert_spec {
    const char *name;                  // common name
    const struct cert_key *key;        // of the subject
    struct bytes issuer;               // DER; none: self-signed
    const struct cert_key *issuer_key; // not looked at when self-signed
    int64_t from_s, until_s;           // Unix seconds
    struct cert_ext ext[CERT_EXT_MAX];
};

// Writes the certificate as DER, signed with SHA-384 (P-384) or SHA-256 (P-256 issuers).
FALLIBLE cert_issue(struct wr *out, const struct cert_spec *spec);
// The same certificate as PEM text.
FALLIBLE cert_to_pem(struct wr *out, struct bytes der);
// ES384 (RFC 9053 2.1): r || s, 48 bytes each.
FALLIBLE cert_sign_es384(uint8_t out[static CERT_SIG_BYTES], const struct cert_key *key,
                         struct bytes message);
