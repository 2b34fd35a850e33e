// SPDX-License-Identifier: Apache-2.0
// Which keyset a new key goes into, and whether a stored record is the one that it stands for. Who
// may include it: parent.
#pragma once

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
