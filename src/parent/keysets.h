// SPDX-License-Identifier: Apache-2.0
// Which keyset a new key goes into, and whether a stored record is the one that it stands for. Who
// may include it: parent.
#pragma once

#include "net/json.h"
#include "parent/store.h"
#include "proto/config.h"
#include "proto/record.h"

struct keysets {
    struct store *store;
    const struct config *config;
};

// The name of the keyset meant: *name as it is, which must be one of this purpose, or, when it is
// empty, the first one of this purpose. ERR_NOT_FOUND, ERR_MISMATCH (its purpose).
FALLIBLE keysets_name(const struct keysets *keysets, enum config_purpose purpose,
                      struct bytes *name);
// The same, and the id of the stored keyset. ERR_PHASE: not created yet.
FALLIBLE keysets_find(const struct keysets *keysets, enum config_purpose purpose, struct bytes name,
                      char id[static ID_TEXT]);

struct keysets_key {
    const char *id, *keyset;
    enum record_purpose purpose;
    enum record_key_type type;
};
// True when the record says itself that it is of this key: what the enclave does with it, which
// authenticates every byte of it, is then done for this key.
bool keysets_record_fits(const struct keysets *keysets, const struct keysets_key *key,
                         struct bytes record);

// Where a row keeps what the enclave gave out with a new key.
struct keysets_given {
    void **block; // of the row: holds all three (store_hold)
    struct bytes *record, *receipt, *nonce;
};
// Takes `record_b64` and `receipt_b64` of the enclave's answer, and the nonce that was asked with.
// ERR_MALFORMED, ERR_TOO_LARGE, ERR_FULL.
FALLIBLE keysets_hold(const struct keysets_given *given, const struct json *result,
                      struct bytes nonce);
