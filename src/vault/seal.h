// SPDX-License-Identifier: Apache-2.0
// Sealing and opening of stored secrets: keyset shares under a data key of KMS, keys of accounts
// under their keyset key (PROTOCOL.md, "Keyset record" and "Sealed record").
#pragma once

#include "base/seckey.h"
#include "proto/keyset.h"
#include "proto/record.h"
#include "vault/nsm.h"

#define SEAL_BYTES RECORD_SEALED_BYTES // nonce (12), ciphertext (32), tag (16)

// One wrapping of a keyset.
struct seal_wrap {
    const struct keyset *keyset;
    size_t at;
};

// Seals the key of `record` (whose public_bytes are set) under the keyset key.
FALLIBLE seal_record(const struct nsm *nsm, uint8_t out[static SEAL_BYTES],
                     const struct seckey *keyset_key, const struct record *record,
                     const struct seckey *key);
// ERR_CORRUPT when the record was made under another keyset key or was changed.
FALLIBLE seal_open_record(struct seckey *key, const struct seckey *keyset_key,
                          const struct record *record);
// One share of a keyset key (the whole key when k = 1) under the data key of wrapping `at`.
FALLIBLE seal_share(const struct nsm *nsm, uint8_t out[static SEAL_BYTES],
                    const struct seckey *data_key, const struct seal_wrap *wrap,
                    const struct seckey *share);
FALLIBLE seal_open_share(struct seckey *share, const struct seckey *data_key,
                         const struct seal_wrap *wrap);
// The id of the keyset with this key. It commits to the key, so nobody can make another keyset with
// the id of this one (128 bits: a second preimage).
void seal_keyset_id(struct id *out, const struct seckey *keyset_key, const struct id *deployment);
// The key-check value over the public fields of the keyset record.
FALLIBLE seal_keyset_check(uint8_t out[static 32], const struct seckey *keyset_key,
                           const struct keyset *keyset);
