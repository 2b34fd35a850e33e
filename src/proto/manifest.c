// SPDX-License-Identifier: Apache-2.0
#include "proto/manifest.h"

#include "base/must.h"
#include "proto/approval.h"
#include "proto/clients.h"
#include "proto/tag.h"

#include <string.h>

enum section {
    SECTION_KEYSETS = 1,
    SECTION_FLOORS = 2,
    SECTION_DISABLED = 3,
    SECTION_CLIENTS = 4,
    SECTION_WEB = 5
};

// Which entries a section holds and where its view goes.
struct section_kind {
    enum section kind;
    size_t member;                             // offset in struct manifest
    size_t entry_bytes;                        // of entries that all have one size
    struct err (*check)(struct bytes section); // of others
};

static const struct section_kind sections[] = {
    { SECTION_KEYSETS, offsetof(struct manifest, keysets), MANIFEST_KEYSET_BYTES, NULL },
    { SECTION_FLOORS, offsetof(struct manifest, floors), MANIFEST_FLOOR_BYTES, NULL },
    { SECTION_DISABLED, offsetof(struct manifest, disabled), MANIFEST_DISABLED_BYTES, NULL },
    { SECTION_CLIENTS, offsetof(struct manifest, clients), 0, clients_check },
    { SECTION_WEB, offsetof(struct manifest, web), 0, clients_check_web },
};

static struct bytes *section_view(struct manifest *manifest, const struct section_kind *kind)
{
    return (struct bytes *)(void *)((uint8_t *)manifest + kind->member);
}

// Entries start with their id, in strictly ascending order: one encoding, and quick to search.
static struct err section_check(struct bytes entries, size_t entry_bytes)
{
    ENSURE(entries.n % entry_bytes == 0, ERR_MALFORMED, "manifest: a section has a partial entry");
    for (size_t at = entry_bytes; at < entries.n; at += entry_bytes)
        ENSURE(bytes_compare(bytes_of(entries.p + at - entry_bytes, sizeof(struct id)),
                             bytes_of(entries.p + at, sizeof(struct id))) < 0,
               ERR_MALFORMED, "manifest: entries of a section must ascend by id");
    return OK;
}

static struct err section_read(struct manifest *out, struct rd *rd, uint8_t *last)
{
    uint8_t kind = rd_u8(rd);
    struct bytes entries = rd_var32(rd, MANIFEST_BYTES_MAX);

    ENSURE(!rd->bad, ERR_MALFORMED, "manifest: shorter than its sections say");
    ENSURE(kind > *last, ERR_MALFORMED, "manifest: sections must ascend by kind");
    *last = kind;
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        if (sections[i].kind != kind)
            continue;
        ENSURE(entries.n > 0, ERR_MALFORMED, "manifest: an empty section must be left out");
        TRY(sections[i].check ? sections[i].check(entries)
                              : section_check(entries, sections[i].entry_bytes));
        *section_view(out, &sections[i]) = entries;
        return OK;
    }
    return FAIL(ERR_UNSUPPORTED, "manifest: a section of a kind that this version does not know");
}

struct err manifest_read(struct manifest *out, struct bytes bytes)
{
    struct rd rd = rd_of(bytes);
    uint16_t version = rd_u16(&rd);
    uint8_t count, last = 0;

    *out = (struct manifest) { .deployment = id_read(&rd) };
    out->serial = rd_u64(&rd);
    out->created_ms = rd_u64(&rd);
    count = rd_u8(&rd);
    ENSURE(!rd.bad && bytes.n <= MANIFEST_BYTES_MAX, ERR_MALFORMED, "manifest: wrong length");
    ENSURE(version == MANIFEST_VERSION, ERR_UNSUPPORTED, "manifest: version must be 1");
    ENSURE(out->serial > 0, ERR_MALFORMED, "manifest.serial: expected at least 1");
    for (uint8_t i = 0; i < count; i++)
        TRY(section_read(out, &rd, &last));
    return rd_end(&rd);
}

void manifest_write(struct wr *wr, const struct manifest *manifest)
{
    struct manifest copy = *manifest;
    uint8_t count = 0;

    for (size_t i = 0; i < ARRAY_LEN(sections); i++)
        count = (uint8_t)(count + (section_view(&copy, &sections[i])->n > 0));
    wr_u16(wr, MANIFEST_VERSION);
    id_write(wr, &manifest->deployment);
    wr_u64(wr, manifest->serial);
    wr_u64(wr, manifest->created_ms);
    wr_u8(wr, count);
    for (size_t i = 0; i < ARRAY_LEN(sections); i++) {
        struct bytes entries = *section_view(&copy, &sections[i]);

        if (!entries.n)
            continue;
        wr_u8(wr, (uint8_t)sections[i].kind);
        wr_var32(wr, entries);
    }
}

struct err manifest_signed_read(struct manifest_signed *out, struct bytes bytes)
{
    struct rd rd = rd_of(bytes);

    out->manifest = rd_var32(&rd, MANIFEST_BYTES_MAX);
    out->signatures = approval_read_list(&rd);
    return rd_end(&rd);
}

void manifest_signed_write(struct wr *wr, const struct manifest_signed *m)
{
    wr_var32(wr, m->manifest);
    approval_write_list(wr, m->signatures);
}

void manifest_message(uint8_t out[static 32], struct bytes manifest)
{
    tag_hash(out, TAG_MANIFEST, &manifest, 1);
}

// The entry of this id by halving, or none.
static struct bytes entry_find(struct bytes entries, size_t entry_bytes, const struct id *id)
{
    size_t low = 0, high = entries.n / entry_bytes;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const uint8_t *entry = entries.p + middle * entry_bytes;
        int order = bytes_compare(bytes_of(entry, sizeof(id->b)), BYTES_OF(id->b));

        if (order == 0)
            return bytes_of(entry, entry_bytes);
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return BYTES_NONE;
}

bool manifest_admits(const struct manifest *manifest, const struct id *keyset,
                     const uint8_t digest[static 32])
{
    struct bytes entry = entry_find(manifest->keysets, MANIFEST_KEYSET_BYTES, keyset);

    return entry.n && bytes_equal(bytes_skip(entry, sizeof(keyset->b)), bytes_of(digest, 32));
}

uint32_t manifest_floor(const struct manifest *manifest, const struct id *account)
{
    struct bytes entry = entry_find(manifest->floors, MANIFEST_FLOOR_BYTES, account);
    struct rd rd = rd_of(bytes_skip(entry, sizeof(account->b)));

    return entry.n ? rd_u32(&rd) : 0;
}

bool manifest_disables(const struct manifest *manifest, const struct id *account)
{
    return entry_find(manifest->disabled, MANIFEST_DISABLED_BYTES, account).n > 0;
}
