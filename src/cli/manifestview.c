// SPDX-License-Identifier: Apache-2.0
#include "cli/manifestview.h"

#include "base/hex.h"
#include "base/must.h"
#include "cli/roster.h"
#include "crypto/openssl/sha2.h"

#include <stdio.h>
#include <string.h>

// What stands after the id of an entry: a digest, a generation, or nothing.
static void write_value(char *out, size_t cap, struct bytes rest)
{
    struct rd rd = rd_of(rest);

    out[0] = 0;
    if (rest.n == 4)
        (void)snprintf(out, cap, "%u", rd_u32(&rd));
    else if (2 * rest.n < cap)
        hex_encode(out, rest);
}

static void show_entries(struct out *out, const struct out_column column[static 2],
                         struct bytes entries, size_t entry_bytes)
{
    char key[32];

    if (entries.n == 0 && !out->is_json)
        return;
    (void)snprintf(key, sizeof(key), "%ss", column[0].key);
    out_table(out, key, column, entry_bytes > sizeof(struct id) ? 2 : 1);
    for (; entries.n >= entry_bytes; entries = bytes_skip(entries, entry_bytes)) {
        char id[ID_TEXT], value[2 * 32 + 1];

        hex_encode(id, bytes_take(entries, sizeof(struct id)));
        write_value(value, sizeof(value),
                    bytes_skip(bytes_take(entries, entry_bytes), sizeof(struct id)));
        out_row(out, (const struct bytes[]) { bytes_str(id), bytes_str(value) });
    }
    out_table_end(out);
}

// The patterns of an entry, with blanks between them.
static void write_patterns(struct wr *wr, const struct clients_entry *entry)
{
    struct rd rd = rd_of(entry->pattern_list);

    for (size_t i = 0; i < entry->patterns; i++) {
        wr_str(wr, i ? " " : "");
        wr_bytes(wr, rd_var8(&rd, CLIENTS_PATTERN_MAX));
    }
}

static void show_clients(struct out *out, struct bytes section)
{
    static const struct out_column columns[] = {
        { "client", 20 }, { "kind", 12 }, { "identity", 65 }, { "operations", 25 }, { "keys", 0 }
    };
    struct clients_entry entry;

    if (section.n == 0)
        return;
    out_table(out, "clients", columns, ARRAY_LEN(columns));
    while (clients_next(&section, &entry)) {
        char identity[2 * 32 + 1];
        uint8_t operations[64], patterns[CLIENTS_PATTERNS * (CLIENTS_PATTERN_MAX + 1)];
        struct wr may = WR_OF(operations), keys = WR_OF(patterns);

        hex_encode(identity, BYTES_OF(entry.identity));
        roster_write_operations(&may, entry.operations);
        write_patterns(&keys, &entry);
        out_row(out, (const struct bytes[]) { entry.label, bytes_str(roster_kind_name(entry.kind)),
                                              bytes_str(identity), wr_done(&may), wr_done(&keys) });
    }
    out_table_end(out);
}

static void write_client(struct jw *jw, const struct clients_entry *entry)
{
    struct rd rd = rd_of(entry->pattern_list);

    jw_object(jw);
    jw_string(jw_key(jw, "label"), entry->label);
    jw_cstring(jw_key(jw, "kind"), roster_kind_name(entry->kind));
    jw_digits(jw_key(jw, "identity"), BYTES_OF(entry->identity));
    jw_array(jw_key(jw, "operations"));
    for (unsigned bit = 0; roster_operation_name(bit); bit++)
        if (entry->operations & 1U << bit)
            jw_cstring(jw, roster_operation_name(bit));
    jw_array_end(jw);
    jw_array(jw_key(jw, "keys"));
    for (size_t i = 0; i < entry->patterns; i++)
        jw_string(jw, rd_var8(&rd, CLIENTS_PATTERN_MAX));
    jw_array_end(jw);
    jw_object_end(jw);
}

static void write_clients(struct jw *jw, struct bytes section)
{
    struct clients_entry entry;

    jw_array(jw_key(jw, "clients"));
    while (clients_next(&section, &entry))
        write_client(jw, &entry);
    jw_array_end(jw);
}

// Hosts or origins: for people a line each, else an array.
static void show_web(struct out *out, const char *key, struct bytes section, uint8_t kind)
{
    struct clients_web web;

    if (out->is_json)
        jw_array(jw_key(&out->jw, key));
    while (clients_next_web(&section, &web)) {
        if (web.kind != kind)
            continue;
        if (out->is_json)
            jw_string(&out->jw, web.text);
        else
            out_text(out, key, web.text);
    }
    if (out->is_json)
        jw_array_end(&out->jw);
}

void manifestview_show(struct out *out, const struct manifest *m, struct bytes bytes)
{
    static const struct out_column keysets[] = { { "admitted_keyset", 34 }, { "digest", 64 } };
    static const struct out_column floors[] = { { "account", 34 }, { "least_generation", 16 } };
    static const struct out_column disabled[] = { { "disabled_account", 34 }, { "", 0 } };
    char id[ID_TEXT];
    uint8_t digest[32];

    id_text(id, &m->deployment);
    sha2_256(digest, bytes);
    out_str(out, "deployment", id);
    out_u64(out, "serial", m->serial);
    out_digits(out, "manifest_digest", BYTES_OF(digest)); // as an attestation has it
    out_time(out, "created", m->created_ms);
    show_entries(out, keysets, m->keysets, MANIFEST_KEYSET_BYTES);
    show_entries(out, floors, m->floors, MANIFEST_FLOOR_BYTES);
    show_entries(out, disabled, m->disabled, MANIFEST_DISABLED_BYTES);
    show_web(out, out->is_json ? "hosts" : "host", m->web, CLIENTS_HOST);
    show_web(out, out->is_json ? "origins" : "origin", m->web, CLIENTS_ORIGIN);
    if (out->is_json)
        write_clients(&out->jw, m->clients);
    else
        show_clients(out, m->clients);
}

// On standard error and before anything is signed: what the signature will say.
static void say_entries(const char *before, struct bytes entries, size_t entry_bytes)
{
    for (; entries.n >= entry_bytes; entries = bytes_skip(entries, entry_bytes)) {
        char digits[2 * MANIFEST_KEYSET_BYTES + 1];

        hex_encode(digits, bytes_take(entries, sizeof(struct id)));
        if (entry_bytes == MANIFEST_FLOOR_BYTES) {
            struct rd rd = rd_of(bytes_of(entries.p + sizeof(struct id), 4));

            (void)snprintf(digits + 32, sizeof(digits) - 32, " is below %u", rd_u32(&rd));
        } else if (entry_bytes == MANIFEST_KEYSET_BYTES) {
            (void)snprintf(digits + 32, sizeof(digits) - 32, " ");
            hex_encode(digits + 33, bytes_of(entries.p + sizeof(struct id), 8));
        }
        out_say(before, bytes_str(digits));
    }
}

static void say_client(const struct clients_entry *entry)
{
    char line[256], identity[2 * 32 + 1];
    struct rd rd = rd_of(entry->pattern_list);
    struct wr wr = wr_of(line, sizeof(line));

    hex_encode(identity, BYTES_OF(entry->identity));
    if (entry->kind == CLIENTS_ANYONE) {
        wr_str(&wr, "EVERY connection");
    } else {
        wr_bytes(&wr, entry->label);
        wr_str(&wr, " (");
        wr_str(&wr, roster_kind_name(entry->kind));
        wr_str(&wr, " ");
        wr_str(&wr, identity);
        wr_str(&wr, ")");
    }
    wr_str(&wr, " do: ");
    roster_write_operations(&wr, entry->operations);
    out_say("  lets ", wr_done(&wr));
    for (size_t i = 0; i < entry->patterns; i++)
        out_say("    with key ", rd_var8(&rd, CLIENTS_PATTERN_MAX));
}

static void say_data_plane(const struct manifest *m)
{
    struct bytes clients = m->clients, rest = m->web;
    struct clients_entry entry;
    struct clients_web web;

    if (clients.n == 0)
        out_say("  lets nobody sign, or read metrics, over the data plane", BYTES_NONE);
    while (clients_next(&clients, &entry))
        say_client(&entry);
    while (clients_next_web(&rest, &web))
        out_say(web.kind == CLIENTS_HOST ? "  may be asked under the name "
                                         : "  lets web pages read answers, of origin ",
                web.text);
}

void manifestview_say(const struct manifest *m)
{
    char deployment[ID_TEXT], line[160];

    id_text(deployment, &m->deployment);
    (void)snprintf(line, sizeof(line), "serial %llu, replaces every smaller one",
                   (unsigned long long)m->serial);
    out_say("You sign a manifest for deployment ", bytes_str(deployment));
    out_say("  ", bytes_str(line));
    out_say("  closes every keyset but those listed; there are ",
            m->keysets.n ? BYTES_LIT("these:") : BYTES_LIT("none"));
    say_entries("    admits keyset ", m->keysets, MANIFEST_KEYSET_BYTES);
    say_entries("  refuses records whose generation of account ", m->floors, MANIFEST_FLOOR_BYTES);
    say_entries("  disables account ", m->disabled, MANIFEST_DISABLED_BYTES);
    say_data_plane(m);
}
