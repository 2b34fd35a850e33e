// SPDX-License-Identifier: Apache-2.0
// The anchor's item: what a keyset's place in rollback-proof storage holds (PROTOCOL.md, "Anchor").
// Public bytes; their MAC is under a key that only the vault derives (vault/anchor.h).
#pragma once

#include "base/rd.h"
#include "base/wr.h"
#include "proto/id.h"

#define ANCHOR_VERSION    1
#define ANCHOR_ITEM_BYTES 114U
#define ANCHOR_HOST       "anchor.cloister.test" // the kind `file`; no public name (RFC 6761)

struct anchor_item {
    struct id deployment, keyset;
    uint64_t counter;   // 1 at creation, one more with each write: the version in the store
    uint64_t serial;    // of the manifest in force; 0: none
    uint8_t digest[32]; // SHA-256 of its canonical bytes; zero without one
    bool sealed;        // keys open only after administrators' unsealing
    uint8_t mac[32];
};

// ERR_MALFORMED or ERR_UNSUPPORTED name the field. Does not check the MAC.
FALLIBLE anchor_read(struct anchor_item *out, struct bytes bytes);
void anchor_write(struct wr *wr, const struct anchor_item *item);
// What the MAC is over: the tagged hash of all other fields.
void anchor_message(uint8_t out[static 32], const struct anchor_item *item);
