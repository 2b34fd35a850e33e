// SPDX-License-Identifier: Apache-2.0
// One step of the audit chain and the hash of what was asked. The head of a boot starts at 32 zero
// bytes; whoever has the entries computes every head again and compares with an attested one.
#include "proto/audit.h"

#include "base/must.h"
#include "proto/tag.h"

#include <string.h>

void audit_extend(uint8_t head[static 32], const struct audit_entry *entry)
{
    uint8_t before[32];
    uint8_t numbers[8 + 2 + 2];
    struct wr wr = WR_OF(numbers);

    memcpy(before, head, sizeof(before));
    wr_u64(&wr, entry->sequence);
    wr_u16(&wr, entry->method);
    wr_u16(&wr, entry->verdict);
    const struct bytes fields[] = {
        BYTES_OF(before),
        bytes_of(numbers, 8),
        BYTES_OF(entry->boot.b),
        bytes_of(numbers + 8, 2),
        BYTES_OF(entry->account.b),
        bytes_of(numbers + 10, 2),
        BYTES_OF(entry->payload_hash),
    };
    tag_hash(head, TAG_AUDIT, fields, ARRAY_LEN(fields));
}

void audit_payload_hash(uint8_t out[static 32], struct bytes body)
{
    tag_hash(out, TAG_PAYLOAD, &body, 1);
}
