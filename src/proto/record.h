// SPDX-License-Identifier: Apache-2.0
// The sealed record of one key (PROTOCOL.md, "Sealed record"): public bytes (the AAD, verbatim),
// policy and authorisers in canonical form, and the sealed secret. This module knows no secret.
#pragma once

#include "base/rd.h"
#include "base/wr.h"
#include "proto/id.h"
#include "proto/limits.h"

#define RECORD_VERSION      1
#define RECORD_SEALED_BYTES (12 + 32 + 16) // nonce, AES-256-GCM of a 32-byte key, tag

enum record_key_type { RECORD_SECP256K1 = 1, RECORD_BLS12381 = 2, RECORD_P256 = 3 };
enum record_purpose { RECORD_ACCOUNT = 1, RECORD_VALIDATOR = 2, RECORD_TLS = 3 };
enum record_provenance { RECORD_GENERATED = 1, RECORD_IMPORTED = 2, RECORD_EXPOSED = 3 };

struct record {
    struct bytes public_bytes; // the encoding of the fields up to `created_ms`; set by record_read
    struct id deployment;
    struct id keyset;
    struct id id; // the account's
    enum record_key_type key_type;
    enum record_purpose purpose;
    struct bytes public_key; // 33 bytes compressed for secp256k1
    uint8_t policy_hash[32];
    uint8_t authoriser_hash[32];
    enum record_provenance provenance;
    uint32_t generation; // 1 at creation
    uint64_t created_ms;
    struct bytes policy;      // canonical; its hash must be policy_hash
    struct bytes authorisers; // canonical; its hash must be authoriser_hash
    struct bytes sealed;      // RECORD_SEALED_BYTES for 32-byte keys
};

// Reads and checks form, ranges and that both hashes fit. Views point into `bytes`.
// ERR_MALFORMED, ERR_UNSUPPORTED (version, type) or ERR_CORRUPT (a hash does not fit).
FALLIBLE record_read(struct record *out, struct bytes bytes);
// Writes the public bytes from the fields.
void record_write_public(struct wr *wr, const struct record *record);
// Writes the whole record: public_bytes verbatim, policy, authorisers, sealed.
void record_write(struct wr *wr, const struct record *record);
// HKDF info of the record's key: TAG_RECORD_KEY, version, keyset, account, purpose, key type.
void record_write_key_info(struct wr *wr, const struct record *record);
