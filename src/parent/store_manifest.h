// SPDX-License-Identifier: Apache-2.0
// The administrators' manifest in the store: the signed bytes with the largest serial that the
// enclave took. Who may include it: parent.
#pragma once

#include "parent/store.h"
#include "proto/manifest.h"

struct store_manifest {
    uint64_t serial; // at most INT64_MAX
    struct bytes bytes;
    void *block;
};

// Keeps the manifest when its serial is larger than the stored one's; otherwise nothing changes.
// It is on disk when this returns.
FALLIBLE store_manifest_put(struct store *store, const struct store_manifest *manifest);
// ERR_NOT_FOUND before the first. Release with store_manifest_free.
FALLIBLE store_manifest_get(struct store *store, struct store_manifest *out);
void store_manifest_free(struct store_manifest *manifest);
