// SPDX-License-Identifier: Apache-2.0
// Manifests on the administrators' own machines. A keyset that the service names is admitted only
// when its receipt verifies: an administrator who signed for a keyset whose key somebody else knows
// would undo what administrators are for.
#include "cli/manifests.h"

#include "base/base64.h"
#include "base/must.h"
#include "cli/dataplane.h"
#include "cli/files.h"
#include "cli/manifestview.h"
#include "cli/service.h"
#include "cli/signature.h"
#include "proto/manifest.h"
#include "proto/tag.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ENTRIES_MAX 2048U

// The three sections while they are collected, each entry with its id first.
struct draft {
    struct manifest manifest;
    struct wr keysets, floors, disabled;
    uint8_t keyset_buf[ENTRIES_MAX * MANIFEST_KEYSET_BYTES];
    uint8_t floor_buf[ENTRIES_MAX * MANIFEST_FLOOR_BYTES];
    uint8_t disabled_buf[ENTRIES_MAX * MANIFEST_DISABLED_BYTES];
};

static struct draft draft;
static uint8_t file_buf[MANIFEST_SIGNED_MAX];
static uint8_t signed_buf[MANIFEST_SIGNED_MAX];

static FALLIBLE add_keyset(struct bytes record)
{
    uint8_t public_buf[KEYSET_BYTES_MAX];
    struct wr wr = WR_OF(public_buf);
    struct bytes fields[1];
    struct keyset keyset;
    uint8_t digest[32];

    TRY(keyset_read(&keyset, record));
    ENSURE(id_equal(&keyset.deployment, &draft.manifest.deployment), ERR_MISMATCH,
           "the keyset belongs to another deployment than the trust file's");
    keyset_write_public(&wr, &keyset);
    TRY(wr_end(&wr));
    fields[0] = wr_done(&wr);
    tag_hash(digest, TAG_KEYSET, fields, 1);
    id_write(&draft.keysets, &keyset.id);
    wr_bytes(&draft.keysets, BYTES_OF(digest));
    return wr_end(&draft.keysets);
}

// A record in its binary form, or as base64.
static FALLIBLE keysets_of_files(struct cli *cli)
{
    const char *path;
    size_t at = 0;

    while ((path = args_next(&cli->args, "keyset", &at))) {
        static uint8_t text[2 * KEYSET_BYTES_MAX], record[KEYSET_BYTES_MAX];
        struct wr wr = WR_OF(text);
        struct bytes trimmed;
        size_t n = 0;

        TRY(cli_read(cli, path, &wr));
        (void)snprintf(cli->where, sizeof(cli->where), "--keyset %.150s: ", path);
        trimmed = wr_done(&wr);
        while (trimmed.n > 0 && trimmed.p[trimmed.n - 1] == '\n')
            trimmed.n--;
        if (base64_decode(record, sizeof(record), &n, trimmed).code)
            TRY(add_keyset(wr_done(&wr)));
        else
            TRY(add_keyset(bytes_of(record, n)));
    }
    cli->where[0] = 0;
    return OK;
}

static FALLIBLE check_keyset(struct cli *cli, const struct proof_trust *pins,
                             const struct json *item)
{
    static uint8_t record[KEYSET_BYTES_MAX], receipt[DOCUMENT_MAX];
    struct bytes record_view = { record, 0 }, receipt_view = { receipt, 0 };

    TRY(base64_decode(record, sizeof(record), &record_view.n,
                      json_string(json_get(item, "record_b64"))));
    TRY(base64_decode(receipt, sizeof(receipt), &receipt_view.n,
                      json_string(json_get(item, "receipt_b64"))));
    cli->exit = CLI_UNVERIFIED;
    TRY(proof_check_keyset(pins, record_view, receipt_view, BYTES_NONE));
    cli->exit = CLI_DONE;
    return add_keyset(record_view);
}

static FALLIBLE keysets_of_service(struct cli *cli)
{
    const struct rest_request request = { .method = "GET", .target = "/v1/keysets" };
    const struct json *answer = NULL;
    const struct json *list;
    struct proof_trust pins;

    if (!args_has(&cli->args, "from-service"))
        return OK;
    TRY(trust_receipts(&pins, &cli->trust));
    TRY(cli_open_rest(cli));
    TRY(rest_call(&cli->rest, &request, &answer));
    list = json_get(answer, "keysets");
    ENSURE(list && list->type == JSON_ARRAY, ERR_MALFORMED, "the service answered no keysets");
    for (const struct json *item = list->child; item; item = item->next) {
        (void)snprintf(cli->where, sizeof(cli->where), "keyset of the service: ");
        TRY(check_keyset(cli, &pins, item));
    }
    cli->where[0] = 0;
    return OK;
}

static FALLIBLE add_floor(struct cli *cli, const char *value)
{
    struct id id;
    struct u256 wide;
    uint64_t generation = 0;

    if (strlen(value) < 34 || value[32] != '=' || id_parse(&id, bytes_of(value, 32)).code ||
        u256_parse_decimal(&wide, bytes_str(value + 33)).code ||
        u256_to_u64(&generation, wide).code || generation < 1 || generation > UINT32_MAX)
        return CLI_USAGE_ERROR(cli, "--floor: expected ACCOUNT=GENERATION");
    id_write(&draft.floors, &id);
    wr_u32(&draft.floors, (uint32_t)generation);
    return wr_end(&draft.floors);
}

static FALLIBLE accounts_of_options(struct cli *cli)
{
    const char *value;
    struct id id;

    for (size_t at = 0; (value = args_next(&cli->args, "floor", &at));)
        TRY(add_floor(cli, value));
    for (size_t at = 0; (value = args_next(&cli->args, "disable", &at));) {
        if (id_parse(&id, bytes_str(value)).code)
            return CLI_USAGE_ERROR(cli, "--disable: expected an account's ID of 32 hex digits");
        id_write(&draft.disabled, &id);
        TRY(wr_end(&draft.disabled));
    }
    return OK;
}

static int by_id(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct id));
}

// Ascending by id, as the canonical form wants it; duplicates are found by manifest_read.
static struct bytes sorted(const struct wr *wr, size_t entry_bytes)
{
    if (wr->len)
        qsort(wr->p, wr->len / entry_bytes, entry_bytes, by_id);
    return wr_done(wr);
}

static FALLIBLE read_serial(struct cli *cli, uint64_t *out)
{
    const char *text;
    struct u256 wide;

    TRY(cli_need(cli, "serial", &text));
    if (u256_parse_decimal(&wide, bytes_str(text)).code || u256_to_u64(out, wide).code ||
        *out < 1 || *out > INT64_MAX)
        return CLI_USAGE_ERROR(cli, "--serial: expected a number from 1 on");
    return OK;
}

static FALLIBLE finish(struct cli *cli, const char *output)
{
    struct wr wr = WR_OF(file_buf);
    struct manifest check;

    draft.manifest.keysets = sorted(&draft.keysets, MANIFEST_KEYSET_BYTES);
    draft.manifest.floors = sorted(&draft.floors, MANIFEST_FLOOR_BYTES);
    draft.manifest.disabled = sorted(&draft.disabled, MANIFEST_DISABLED_BYTES);
    manifest_write(&wr, &draft.manifest);
    TRY(wr_end(&wr));
    TRY(manifest_read(&check, wr_done(&wr)));
    TRY(files_save(output, wr_done(&wr)));
    manifestview_show(&cli->out, &check, wr_done(&wr));
    if (check.keysets.n == 0)
        out_say("cloister: ", BYTES_LIT("this manifest admits no keyset: applied, it closes all"));
    return OK;
}

struct err manifests_create(struct cli *cli)
{
    const char *output;

    draft.keysets = WR_OF(draft.keyset_buf);
    draft.floors = WR_OF(draft.floor_buf);
    draft.disabled = WR_OF(draft.disabled_buf);
    TRY(read_serial(cli, &draft.manifest.serial));
    TRY(cli_need(cli, "output", &output));
    TRY(cli_load_trust(cli, true));
    ENSURE(cli->trust.has_config, ERR_NOT_FOUND, "the trust file names no configuration");
    draft.manifest.deployment = cli->trust.config.deployment;
    draft.manifest.created_ms = cli_now_ms();
    TRY(keysets_of_files(cli));
    TRY(accounts_of_options(cli));
    TRY(dataplane_of_options(cli, &draft.manifest.clients, &draft.manifest.web));
    TRY(keysets_of_service(cli));
    return finish(cli, output);
}

static FALLIBLE read_manifest(struct cli *cli, struct manifest *out, struct bytes *bytes)
{
    struct wr wr = WR_OF(file_buf);
    const char *path;

    TRY(cli_word(cli, &path));
    TRY(cli_read(cli, path, &wr));
    (void)snprintf(cli->where, sizeof(cli->where), "%.150s: ", path);
    *bytes = wr_done(&wr);
    TRY(manifest_read(out, *bytes));
    cli->where[0] = 0;
    return OK;
}

struct err manifests_show(struct cli *cli)
{
    struct manifest manifest;
    struct bytes bytes = BYTES_NONE;

    TRY(read_manifest(cli, &manifest, &bytes));
    manifestview_show(&cli->out, &manifest, bytes);
    return OK;
}

struct err manifests_sign(struct cli *cli)
{
    struct manifest manifest;
    struct bytes bytes = BYTES_NONE;
    uint8_t message[32];

    TRY(read_manifest(cli, &manifest, &bytes));
    manifestview_say(&manifest);
    manifest_message(message, bytes);
    return signature_make(cli, message);
}

static FALLIBLE put(struct cli *cli, struct bytes bytes)
{
    struct wr wr = WR_OF(cli->rest.body);
    struct jw jw = jw_of(&wr);
    struct rest_request request = { .method = "PUT", .target = "/v1/manifest" };
    const struct json *answer = NULL;

    jw_object(&jw);
    jw_key(&jw, "manifest_b64");
    jw_base64(&jw, bytes);
    jw_object_end(&jw);
    TRY(wr_end(&wr));
    request.body = wr_done(&wr);
    TRY(cli_open_rest(cli));
    TRY(rest_call(&cli->rest, &request, &answer));
    out_value(&cli->out, "serial", json_get(answer, "serial"));
    service_show_anchor(&cli->out, json_string(json_get(answer, "anchor")),
                        json_is_true(json_get(answer, "anchored")));
    return OK;
}

struct err manifests_apply(struct cli *cli)
{
    uint8_t entries[CONFIG_ADMINS * APPROVAL_BYTES];
    struct manifest_signed whole = { 0 };
    struct wr wr = WR_OF(signed_buf);
    struct manifest manifest;
    uint8_t message[32];

    TRY(read_manifest(cli, &manifest, &whole.manifest));
    TRY(cli_load_trust(cli, true));
    ENSURE(cli->trust.has_config, ERR_NOT_FOUND, "the trust file names no configuration");
    ENSURE(id_equal(&manifest.deployment, &cli->trust.config.deployment), ERR_MISMATCH,
           "the manifest is for another deployment than the trust file's");
    manifest_message(message, whole.manifest);
    TRY(signature_collect(cli, message, entries, &whole.signatures));
    manifest_signed_write(&wr, &whole);
    TRY(wr_end(&wr));
    return put(cli, wr_done(&wr));
}
