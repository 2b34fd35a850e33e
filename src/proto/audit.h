// SPDX-License-Identifier: Apache-2.0
// The audit chain: every decision of the vault extends a hash. Anyone who holds the entries and a
// later attested head can tell whether one was left out or changed.
#pragma once

#include "proto/id.h"

struct audit_entry {
    uint64_t sequence; // 1 for the first decision of a boot
    struct id boot;
    uint16_t method;   // message type, proto/msg.h
    struct id account; // zero when there is none
    uint16_t verdict;  // enum err_code, 0 = done
    uint8_t payload_hash[32];
};

// head = SHA-256(TAG_AUDIT, previous head, sequence, boot, method, account, verdict, payload hash),
// fields with lengths as in proto/tag.h. The head before the first entry is 32 zero bytes.
void audit_extend(uint8_t head[static 32], const struct audit_entry *entry);
// tag_hash(TAG_PAYLOAD, body).
void audit_payload_hash(uint8_t out[static 32], struct bytes body);
