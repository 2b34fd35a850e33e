// SPDX-License-Identifier: Apache-2.0
// The manifest: everything about a deployment that changes after its configuration was measured,
// signed by m of its administrators (PROTOCOL.md, "Manifest"). The parent only carries it. Sections
// that this version does not know make it unreadable: a rule must not be skipped silently.
#pragma once

#include "base/rd.h"
#include "base/wr.h"
#include "proto/config.h"
#include "proto/id.h"

#define MANIFEST_VERSION    1
#define MANIFEST_BYTES_MAX  131072U // 2,048 keysets and 5,000 accounts fit many times
#define MANIFEST_SIGNED_MAX (MANIFEST_BYTES_MAX + 2048U)

#define MANIFEST_KEYSET_BYTES   48 // id, digest of the keyset's public fields
#define MANIFEST_FLOOR_BYTES    20 // account id, least generation
#define MANIFEST_DISABLED_BYTES 16 // account id

struct manifest {
    struct id deployment;
    uint64_t serial; // at least 1; a newer manifest has a larger one
    uint64_t created_ms;
    struct bytes keysets;  // admitted: entries in ascending order of id
    struct bytes floors;   // records of an older generation are refused
    struct bytes disabled; // accounts that sign nothing until a later manifest leaves them out
    struct bytes clients;  // who may do what on the data plane (proto/clients.h)
    struct bytes web;      // names and origins under which it may be asked (proto/clients.h)
};

// A manifest and the administrators' signatures over it: entries of index (u8) and signature (64).
struct manifest_signed {
    struct bytes manifest;
    struct bytes signatures;
};

// Views point into `bytes`. ERR_MALFORMED or ERR_UNSUPPORTED name the field.
FALLIBLE manifest_read(struct manifest *out, struct bytes bytes);
void manifest_write(struct wr *wr, const struct manifest *manifest);
FALLIBLE manifest_signed_read(struct manifest_signed *out, struct bytes bytes);
void manifest_signed_write(struct wr *wr, const struct manifest_signed *m);
// What administrators sign.
void manifest_message(uint8_t out[static 32], struct bytes manifest);

// True when the keyset is listed with this digest: tag_hash(TAG_KEYSET, public fields).
bool manifest_admits(const struct manifest *manifest, const struct id *keyset,
                     const uint8_t digest[static 32]);
// The least generation of an account's record; 0 when there is none.
uint32_t manifest_floor(const struct manifest *manifest, const struct id *account);
bool manifest_disables(const struct manifest *manifest, const struct id *account);
