// SPDX-License-Identifier: Apache-2.0
// The one way from an account of the service to an address that may be shown, and from a TLS key to
// its fingerprint: its receipt verifies here, against the user's own trust file, and address or
// fingerprint are computed from the record's public key. Who may include it: cli.
#pragma once

#include "cli/trust.h"
#include "eth/address.h"
#include "net/json.h"
#include "proto/record.h"

#define VERIFY_UNVERIFIED "UNVERIFIED"

struct verify {
    bool is_verified;
    char address[ADDRESS_TEXT]; // EIP-55, or VERIFY_UNVERIFIED
    uint8_t raw_address[20];    // zero unless verified
    struct id account, keyset;  // of the record; zero unless verified
    const char *policy;         // of the record; "unknown" unless verified
    uint64_t created_ms;        // of the record
    struct err reason;          // why not
};

// Verifies the JSON account. `id` is the account that was asked for, or NULL; nonce.p is NULL when
// any nonce will do (the account was created earlier, perhaps by somebody else).
void verify_account(struct verify *out, const struct trust *trust, const struct json *account,
                    const struct id *id, struct bytes nonce);

struct verify_tls {
    bool is_verified;
    char spki[65];           // 64 hex digits, or VERIFY_UNVERIFIED
    uint8_t spki_sha256[32]; // of its SubjectPublicKeyInfo; zero unless verified
    struct id key, keyset;   // of the record; zero unless verified
    const char *provenance;  // "generated", "imported" or "exposed"; "unknown" unless verified
    uint64_t created_ms;
    struct err reason;
};

// The same for a TLS key. `id` is the key that was asked for, or NULL.
void verify_tls_key(struct verify_tls *out, const struct trust *trust, const struct json *key,
                    const struct id *id, struct bytes nonce);
