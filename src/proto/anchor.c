// SPDX-License-Identifier: Apache-2.0
#include "proto/anchor.h"

#include "base/ct.h"
#include "proto/tag.h"

struct err anchor_read(struct anchor_item *out, struct bytes bytes)
{
    struct rd rd = rd_of(bytes);
    uint8_t version = rd_u8(&rd);

    ENSURE(rd.bad || version == ANCHOR_VERSION, ERR_UNSUPPORTED, "anchor: expected version 1");
    *out = (struct anchor_item) { .deployment = id_read(&rd) };
    out->keyset = id_read(&rd);
    out->counter = rd_u64(&rd);
    out->serial = rd_u64(&rd);
    rd_copy(&rd, out->digest, sizeof(out->digest));
    out->sealed = rd_bool(&rd);
    rd_copy(&rd, out->mac, sizeof(out->mac));
    TRY(rd_end(&rd));
    ENSURE(out->counter > 0, ERR_MALFORMED, "anchor: counter: expected at least 1");
    ENSURE(out->serial > 0 || ct_is_zero(BYTES_OF(out->digest)), ERR_MALFORMED,
           "anchor: digest: expected zero without a manifest");
    return OK;
}

static void write_fields(struct wr *wr, const struct anchor_item *item)
{
    wr_u8(wr, ANCHOR_VERSION);
    id_write(wr, &item->deployment);
    id_write(wr, &item->keyset);
    wr_u64(wr, item->counter);
    wr_u64(wr, item->serial);
    wr_bytes(wr, BYTES_OF(item->digest));
    wr_u8(wr, item->sealed);
}

void anchor_write(struct wr *wr, const struct anchor_item *item)
{
    write_fields(wr, item);
    wr_bytes(wr, BYTES_OF(item->mac));
}

void anchor_message(uint8_t out[static 32], const struct anchor_item *item)
{
    uint8_t fields[ANCHOR_ITEM_BYTES];
    struct wr wr = WR_OF(fields);
    struct bytes all;

    write_fields(&wr, item);
    all = wr_done(&wr);
    tag_hash(out, TAG_ANCHOR, &all, 1);
}
