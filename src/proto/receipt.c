// SPDX-License-Identifier: Apache-2.0
#include "proto/receipt.h"

#include "proto/tag.h"

static void write_tagged_hash(struct wr *wr, const char *tag, struct bytes what)
{
    uint8_t hash[32];

    tag_hash(hash, tag, &what, 1);
    wr_str(wr, tag);
    wr_u8(wr, 0);
    wr_bytes(wr, BYTES_OF(hash));
}

void receipt_write_record(struct wr *wr, struct bytes record_public)
{
    write_tagged_hash(wr, TAG_RECEIPT, record_public);
}

void receipt_write_keyset(struct wr *wr, struct bytes keyset_public)
{
    write_tagged_hash(wr, TAG_KEYSET, keyset_public);
}

static void write_status(struct wr *wr, const struct receipt_status *status)
{
    wr_u8(wr, status->phase);
    id_write(wr, &status->boot);
    wr_u64(wr, status->sequence);
    wr_bytes(wr, BYTES_OF(status->audit_head));
    wr_u64(wr, status->manifest_serial);
    wr_bytes(wr, BYTES_OF(status->manifest_digest));
    wr_u32(wr, status->seals);
    wr_u8(wr, status->anchor);
    wr_u8(wr, status->anchored);
}

void receipt_write_status(struct wr *wr, const struct receipt_status *status)
{
    wr_str(wr, status->phase == PHASE_UNCONFIGURED ? TAG_UNCONFIGURED : TAG_STATUS);
    wr_u8(wr, 0);
    write_status(wr, status);
}

void receipt_write_tls(struct wr *wr, const struct receipt_tls *key,
                       const struct receipt_status *status)
{
    wr_str(wr, TAG_TLS);
    wr_u8(wr, 0);
    wr_bytes(wr, BYTES_OF(key->spki_sha256));
    id_write(wr, &key->keyset);
    write_status(wr, status);
}
