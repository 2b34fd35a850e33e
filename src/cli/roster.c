// SPDX-License-Identifier: Apache-2.0
#include "cli/roster.h"

#include "base/hex.h"
#include "base/must.h"

#include <stdlib.h>
#include <string.h>

#define IDENTITY_BYTES 32U

static const char *const operations[] = { "metrics", "sign_transaction" }; // by bit

void roster_init(struct roster *roster)
{
    roster->entries = 0;
    roster->wr = WR_OF(roster->buf);
}

// What was written since `from` is an entry.
static FALLIBLE take(struct roster *roster, size_t from)
{
    ENSURE(!roster->wr.bad && roster->entries < ROSTER_ENTRIES_MAX, ERR_TOO_LARGE,
           "there are more of them than a manifest has room for");
    roster->entry[roster->entries++] = bytes_of(roster->buf + from, roster->wr.len - from);
    return OK;
}

static bool has_key(const struct roster *roster, struct bytes key)
{
    for (size_t i = 0; i < roster->entries; i++)
        if (bytes_equal(bytes_take(roster->entry[i], key.n), key))
            return true;
    return false;
}

struct err roster_add(struct roster *roster, const struct clients_entry *entry)
{
    size_t from = roster->wr.len;

    ENSURE(entry->label.n > 0 && entry->label.n <= CLIENTS_LABEL_MAX, ERR_MALFORMED,
           "label: expected 1 to 64 printable characters");
    ENSURE(!has_key(roster, BYTES_OF(entry->identity)), ERR_EXISTS,
           "this client is listed already");
    clients_write(&roster->wr, entry);
    TRY(take(roster, from));
    return clients_check(roster->entry[roster->entries - 1]);
}

struct err roster_add_web(struct roster *roster, const struct clients_web *web)
{
    size_t from = roster->wr.len;
    struct bytes added;

    ENSURE(web->text.n <= UINT8_MAX, ERR_MALFORMED, "expected at most 255 characters");
    clients_write_web(&roster->wr, web);
    added = bytes_of(roster->buf + from, roster->wr.len - from);
    if (!roster->wr.bad && has_key(roster, added)) {
        roster->wr.len = from;
        return OK;
    }
    TRY(take(roster, from));
    return clients_check_web(added);
}

// By identity, or by kind, length and text: each is what the encoding begins with.
static int compare(const void *a, const void *b)
{
    return bytes_compare(*(const struct bytes *)a, *(const struct bytes *)b);
}

void roster_section(struct bytes *out, struct roster *roster, uint8_t buf[static CLIENTS_BYTES_MAX])
{
    struct wr wr = wr_of(buf, CLIENTS_BYTES_MAX);

    if (roster->entries)
        qsort(roster->entry, roster->entries, sizeof(roster->entry[0]), compare);
    for (size_t i = 0; i < roster->entries; i++)
        wr_bytes(&wr, roster->entry[i]);
    must(!wr.bad); // it is the same bytes in another order
    *out = wr_done(&wr);
}

void roster_patterns_init(struct roster_patterns *patterns)
{
    patterns->count = 0;
    patterns->wr = WR_OF(patterns->buf);
}

struct err roster_patterns_add(struct roster_patterns *patterns, struct bytes text)
{
    uint8_t lower[CLIENTS_PATTERN_MAX];

    ENSURE(text.n > 0 && text.n <= sizeof(lower), ERR_MALFORMED,
           "expected a key's id or address of at most 96 characters; * stands for any");
    ENSURE(patterns->count < CLIENTS_PATTERNS, ERR_TOO_LARGE, "expected at most 64 keys");
    for (size_t i = 0; i < text.n; i++)
        lower[i] = text.p[i] >= 'A' && text.p[i] <= 'Z' ? text.p[i] | 0x20 : text.p[i];
    wr_var8(&patterns->wr, bytes_of(lower, text.n));
    patterns->count++;
    return wr_end(&patterns->wr);
}

void roster_patterns_set(struct clients_entry *entry, const struct roster_patterns *patterns)
{
    entry->patterns = patterns->count;
    entry->pattern_list = wr_done(&patterns->wr);
}

struct err roster_operation(uint16_t *out, struct bytes name)
{
    for (unsigned bit = 0; bit < ARRAY_LEN(operations); bit++)
        if (bytes_equal_str(name, operations[bit])) {
            *out = (uint16_t)(1U << bit);
            return OK;
        }
    return FAIL(ERR_MALFORMED, "expected metrics or sign_transaction");
}

const char *roster_operation_name(unsigned bit)
{
    return bit < ARRAY_LEN(operations) ? operations[bit] : NULL;
}

void roster_write_operations(struct wr *wr, uint16_t bits)
{
    const char *between = "";

    for (unsigned bit = 0; bit < ARRAY_LEN(operations); bit++) {
        if (!(bits & 1U << bit))
            continue;
        wr_str(wr, between);
        wr_str(wr, operations[bit]);
        between = " ";
    }
}

const char *roster_kind_name(uint8_t kind)
{
    static const char *const names[] = { "unknown", "certificate", "token", "authority", "anyone" };

    return names[kind < ARRAY_LEN(names) ? kind : 0];
}

struct err roster_fingerprint(uint8_t out[static 32], struct bytes text)
{
    uint8_t digits[2 * IDENTITY_BYTES];
    size_t n = 0;
    bool has_colons = text.n == 3 * IDENTITY_BYTES - 1;

    for (size_t i = 0; i < text.n && n < sizeof(digits); i++) {
        if (!has_colons || i % 3 != 2)
            digits[n++] = text.p[i];
        else
            ENSURE(text.p[i] == ':', ERR_MALFORMED, "expected colons between pairs of hex digits");
    }
    ENSURE((has_colons || text.n == sizeof(digits)) &&
               !hex_decode(out, IDENTITY_BYTES, bytes_of(digits, n)).code,
           ERR_MALFORMED, "expected a SHA-256 of 64 hex digits, with colons or without");
    return OK;
}
