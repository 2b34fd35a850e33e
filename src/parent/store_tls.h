// SPDX-License-Identifier: Apache-2.0
// TLS keys of the data plane in the store: sealed record and receipt of each, and the certificate
// that was installed last. At most one is in use. Who may include it: parent.
#pragma once

#include "parent/store.h"

#define STORE_TLS_MAX       32U    // keys at once
#define STORE_TLS_CHAIN_MAX 32768U // bytes of PEM
#define STORE_TLS_NAMES_MAX 4096U  // 16 names of 253 bytes, and what is between them
#define STORE_TLS_HEX       65U    // a SHA-256 as text

// What is installed with a key.
struct store_tls_certificate {
    struct bytes chain;         // PEM; empty: none was installed
    struct bytes names;         // of a self-signed one, each followed by a newline; else empty
    unsigned days;              // of a self-signed one; else 0
    char sha256[STORE_TLS_HEX]; // of the leaf
    uint64_t not_after_s;       // Unix time
};

struct store_tls {
    char id[ID_TEXT];
    char name[NAME_BYTES_MAX + 1];
    uint8_t request_hash[32]; // of the request that made it
    char keyset[ID_TEXT];
    char spki[STORE_TLS_HEX];
    uint64_t created_ms;
    bool in_use; // set when read
    struct bytes record, receipt;
    struct bytes nonce; // of the receipt; may be empty
    struct store_tls_certificate certificate;
    void *block;
};

// ERR_EXISTS when there is a key of this name or id, ERR_DENIED when there are STORE_TLS_MAX;
// nothing changes then. A new key has no certificate and is not in use.
FALLIBLE store_tls_add(struct store *store, const struct store_tls *key);
// By name, by id, and the one in use. ERR_NOT_FOUND. Release with store_tls_free.
FALLIBLE store_tls_get(struct store *store, struct store_tls *out, const char *name);
FALLIBLE store_tls_find(struct store *store, struct store_tls *out, const char *id);
FALLIBLE store_tls_used(struct store *store, struct store_tls *out);
void store_tls_free(struct store_tls *key);
// Puts a certificate to the key of this name and makes it the one in use, both or nothing.
FALLIBLE store_tls_use(struct store *store, const char *name,
                       const struct store_tls_certificate *certificate);
// Deletes a key for good. ERR_NOT_FOUND, ERR_MISMATCH when it is in use.
FALLIBLE store_tls_drop(struct store *store, const char *name);
// Calls `each` in order of creation; views are valid during the call only.
FALLIBLE store_tls_list(struct store *store,
                        void (*each)(void *context, const struct store_tls *key), void *context);
