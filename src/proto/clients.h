// SPDX-License-Identifier: Apache-2.0
// Who may use the data plane, and for what: two sections of the administrators' manifest
// (PROTOCOL.md section 9). The vault checks their form and keeps them; the front, which ends TLS,
// decides by them. Public bytes only: of tokens there are hashes here.
#pragma once

#include "base/rd.h"
#include "base/wr.h"
#include "proto/limits.h"

enum clients_kind {
    CLIENTS_CERTIFICATE = 1, // identity: SHA-256 of the client certificate's DER
    CLIENTS_TOKEN = 2,       // identity: SHA-256 of the bearer token's bytes
    CLIENTS_AUTHORITY = 3,   // identity: SHA-256 of `certificate`, the DER of a CA
    CLIENTS_ANYONE = 4       // identity: zero
};

// What an identity may do: bits.
enum clients_operation { CLIENTS_METRICS = 1, CLIENTS_SIGN_TX = 2 };

struct clients_entry {
    uint8_t identity[32];
    uint8_t kind;              // enum clients_kind
    uint16_t operations;       // enum clients_operation
    struct bytes label;        // printable ASCII, for people only
    uint8_t patterns;          // how many
    struct bytes pattern_list; // each as var8
    struct bytes certificate;  // CLIENTS_AUTHORITY: DER; else empty
};

// Checks a whole section: form of each entry, identities in strictly ascending order, and that an
// authority's identity is the hash of its certificate (which is not parsed here). An empty section
// is fine. ERR_MALFORMED, ERR_UNSUPPORTED (kinds and operations of other versions).
FALLIBLE clients_check(struct bytes section);
// The next entry of a section that was checked; false at its end.
bool clients_next(struct bytes *rest, struct clients_entry *out);
void clients_write(struct wr *wr, const struct clients_entry *entry);
// True when a section that was checked has an entry for every connection.
bool clients_has_anyone(struct bytes section);
// True when one of the entry's patterns matches all of `text`; "*" stands for any characters, also
// none.
bool clients_matches(const struct clients_entry *entry, struct bytes text);

enum clients_web_kind {
    CLIENTS_HOST = 1,  // a name in the Host header, beside those of the server's certificate
    CLIENTS_ORIGIN = 2 // an origin whose scripts may read answers (CORS)
};

struct clients_web {
    uint8_t kind;      // enum clients_web_kind
    struct bytes text; // "*": any
};

// As clients_check: entries ascend by their bytes.
FALLIBLE clients_check_web(struct bytes section);
bool clients_next_web(struct bytes *rest, struct clients_web *out);
void clients_write_web(struct wr *wr, const struct clients_web *web);

// A DNS name as certificates have it, without its last dot: at most 253 bytes, labels of 1 to 63 of
// a-z 0-9 and inner hyphens (RFC 1123 2.1); the first label of several may be "*" (RFC 6125 6.4.3).
bool clients_is_dns_name(struct bytes name);
