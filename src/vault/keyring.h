// SPDX-License-Identifier: Apache-2.0
// The open keysets: their keys lie in the arena and leave it only into a seckey on the worker's
// stack (which lies there too). Trusts its caller that a key was checked before it is put in.
#pragma once

#include "base/seckey.h"
#include "proto/anchor.h"
#include "proto/config.h"

struct keyring_entry {
    bool used;
    struct id id;
    enum config_purpose purpose;
    size_t name_len;
    uint8_t name[NAME_BYTES_MAX];
    uint8_t digest[32];      // of the public fields, for manifests
    struct anchor_item item; // as it stands in the anchor, if there is one
    struct seckey key;
};

struct keyring {
    struct keyring_entry entry[CONFIG_KEYSETS];
};

// Copies the key in. ERR_FULL when all places are taken; the same id again replaces nothing (OK).
FALLIBLE keyring_put(struct keyring *ring, const struct id *id, const struct config_keyset *keyset,
                     const struct seckey *key);
// NULL when the keyset is not open.
const struct keyring_entry *keyring_find(const struct keyring *ring, const struct id *id);
struct keyring_entry *keyring_entry_of(struct keyring *ring, const struct id *id);
// Wipes the entry.
void keyring_drop(struct keyring_entry *entry);
unsigned keyring_count(const struct keyring *ring);
