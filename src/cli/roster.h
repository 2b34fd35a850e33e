// SPDX-License-Identifier: Apache-2.0
// Who may use the data plane, while a manifest is made: entries come in any order, from several
// files, and leave as a canonical section of it (proto/clients.h). Who may include it: cli.
#pragma once

#include "base/wr.h"
#include "proto/clients.h"

#define ROSTER_ENTRIES_MAX 1280U // the smallest clients fill a section with fewer

struct roster {
    struct bytes entry[ROSTER_ENTRIES_MAX]; // encoded, inside buf
    size_t entries;
    struct wr wr;
    uint8_t buf[CLIENTS_BYTES_MAX];
};

void roster_init(struct roster *roster);
// Adds an entry, whose views may go afterwards. ERR_MALFORMED, ERR_UNSUPPORTED for its form,
// ERR_TOO_LARGE when a manifest has no room for it, ERR_EXISTS when its identity is there already.
FALLIBLE roster_add(struct roster *roster, const struct clients_entry *entry);
// The same for hosts and origins; one that is there already is passed over.
FALLIBLE roster_add_web(struct roster *roster, const struct clients_web *web);
// Sorts, and gives the section: empty without entries. Valid until the next roster_add.
void roster_section(struct bytes *out, struct roster *roster,
                    uint8_t buf[static CLIENTS_BYTES_MAX]);

// Patterns as an entry has them, from texts that are added one by one.
struct roster_patterns {
    uint8_t count;
    struct wr wr;
    uint8_t buf[CLIENTS_PATTERNS * (1 + CLIENTS_PATTERN_MAX)];
};

void roster_patterns_init(struct roster_patterns *patterns);
// Letters may be of either case: addresses with a checksum have both. ERR_MALFORMED, ERR_TOO_LARGE.
FALLIBLE roster_patterns_add(struct roster_patterns *patterns, struct bytes text);
void roster_patterns_set(struct clients_entry *entry, const struct roster_patterns *patterns);

// The bit of an operation by its name in the control plane's words. ERR_MALFORMED names those there
// are.
FALLIBLE roster_operation(uint16_t *out, struct bytes name);
// "metrics sign_transaction": the names of these bits, in this order.
void roster_write_operations(struct wr *wr, uint16_t operations);
// The name of one bit, from 0 on; NULL past the last one.
const char *roster_operation_name(unsigned bit);
// "certificate", "token", "authority", "anyone".
const char *roster_kind_name(uint8_t kind);
// 64 hex digits, or 32 pairs with colons between them as certificate tools print fingerprints.
// ERR_MALFORMED.
FALLIBLE roster_fingerprint(uint8_t out[static 32], struct bytes text);
