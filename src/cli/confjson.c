// SPDX-License-Identifier: Apache-2.0
// Strict: unknown fields are refused by name and nothing has a default, since everything here is
// measured and somebody will rely on it. What several fields mean together is left to config_read,
// which checks the canonical form that comes out.
#include "cli/confjson.h"

#include "base/fd.h"
#include "base/hex.h"
#include "base/must.h"
#include "cli/trust.h"
#include "proto/anchor.h"
#include "proto/arn.h"

#include <stdio.h>
#include <string.h>

#define PEM_FILE_MAX 4096U

static FALLIBLE read_head(struct confjson *out, const struct json *root);
static FALLIBLE read_modes(struct confjson *out, const struct json *root);
static FALLIBLE read_administrators(struct confjson *out, const struct json *root,
                                    const char *folder);
static FALLIBLE read_keysets(struct confjson *out, const struct json *root);
static FALLIBLE read_networks(struct confjson *out, const struct json *root);
static FALLIBLE read_anchor(struct confjson *out, const struct json *root);

struct err confjson_read(struct confjson *out, const struct json *root, const char *folder)
{
    static const char *const known[] = {
        "version", "deployment", "mode",   "slashing", "administrators",
        "keysets", "networks",   "anchor", NULL,
    };
    const struct json *unknown = json_unknown(root, known);

    *out = (struct confjson) { .where = "" };
    out->hosts_wr = WR_OF(out->hosts);
    ENSURE(root->type == JSON_OBJECT, ERR_MALFORMED, "expected a JSON object");
    if (unknown)
        (void)bytes_to_str(bytes_take(unknown->key, sizeof(out->where) - 1), out->where,
                           sizeof(out->where));
    ENSURE(!unknown, ERR_MALFORMED, "unknown field");
    TRY(read_head(out, root));
    TRY(read_modes(out, root));
    TRY(read_administrators(out, root, folder));
    TRY(read_keysets(out, root));
    TRY(read_networks(out, root));
    TRY(read_anchor(out, root));
    out->where[0] = 0;
    return OK;
}

// The member of an object that must be there; sets where to parent.key (parent may be "").
static const struct json *need(struct confjson *out, const char *parent, const struct json *object,
                               const char *key)
{
    (void)snprintf(out->where, sizeof(out->where), "%s%s%s", parent, parent[0] ? "." : "", key);
    return json_get(object, key);
}

static FALLIBLE only(struct confjson *out, const char *parent, const struct json *object,
                     const char *const *known)
{
    const struct json *unknown;

    (void)snprintf(out->where, sizeof(out->where), "%s", parent);
    ENSURE(object && object->type == JSON_OBJECT, ERR_MALFORMED, "expected an object");
    unknown = json_unknown(object, known);
    if (unknown)
        (void)snprintf(out->where, sizeof(out->where), "%s.%.*s", parent,
                       (int)bytes_take(unknown->key, 40).n, (const char *)unknown->key.p);
    ENSURE(!unknown, ERR_MALFORMED, "unknown field");
    return OK;
}

static FALLIBLE read_head(struct confjson *out, const struct json *root)
{
    uint64_t version = 0;

    ENSURE(json_u64(&version, need(out, "", root, "version")).code == 0, ERR_MALFORMED,
           "expected 1");
    ENSURE(version == CONFIG_VERSION, ERR_UNSUPPORTED, "expected 1");
    ENSURE(id_parse(&out->config.deployment, json_string(need(out, "", root, "deployment"))).code ==
               0,
           ERR_MALFORMED,
           "expected 32 lower-case hex digits, chosen once at random (openssl rand -hex 16)");
    return OK;
}

static FALLIBLE read_mode(enum config_mode *mode, const struct json *value)
{
    for (int m = CONFIG_PARENT_TRUSTED; m <= CONFIG_HOSTILE_PARENT; m++)
        if (bytes_equal_str(json_string(value), config_mode_name((enum config_mode)m))) {
            *mode = (enum config_mode)m;
            return OK;
        }
    return FAIL(ERR_MALFORMED, "expected parent-trusted or hostile-parent");
}

static FALLIBLE read_modes(struct confjson *out, const struct json *root)
{
    TRY(read_mode(&out->config.mode, need(out, "", root, "mode")));
    return read_mode(&out->config.slashing, need(out, "", root, "slashing"));
}

static FALLIBLE read_admin_file(struct pempub *out, const struct json *value, const char *folder)
{
    uint8_t text[PEM_FILE_MAX];
    char path[TRUST_PATH_MAX];
    struct bytes name = json_string(value);
    int n;
    size_t len;

    ENSURE(folder, ERR_UNSUPPORTED, "expected the key itself: no file is read here");
    ENSURE(name.n > 0 && !memchr(name.p, 0, name.n), ERR_MALFORMED,
           "expected the path of a PEM file");
    n = snprintf(path, sizeof(path), "%s%.*s", name.p[0] == '/' ? "" : folder, (int)name.n,
                 (const char *)name.p);
    ENSURE(n > 0 && (size_t)n < sizeof(path), ERR_TOO_LARGE, "path is too long");
    TRY(fd_read_file(path, text, sizeof(text), &len));
    return pempub_read(out, bytes_of(text, len));
}

static FALLIBLE read_admin_hex(struct confjson *out, struct pempub *admin, const char *place,
                               const struct json *object)
{
    struct bytes type = json_string(need(out, place, object, "type"));
    struct bytes digits;

    admin->type = bytes_equal_str(type, "ed25519") ? APPROVE_ED25519 : APPROVE_P256;
    ENSURE(admin->type == APPROVE_ED25519 || bytes_equal_str(type, "p256"), ERR_MALFORMED,
           "expected ed25519 or p256");
    admin->n = admin->type == APPROVE_ED25519 ? 32 : 33;
    digits = json_string(need(out, place, object, "key"));
    ENSURE(!hex_decode(admin->key, admin->n, digits).code, ERR_MALFORMED,
           "expected 32 bytes (ed25519) or 33 bytes (p256, compressed) in hex");
    return approve_check_key(admin->type, bytes_of(admin->key, admin->n));
}

static FALLIBLE read_admin(struct confjson *out, const struct json *object, const char *folder)
{
    static const char *const by_hex[] = { "type", "key", NULL };
    static const char *const by_file[] = { "pem", NULL };
    struct config *config = &out->config;
    struct pempub *admin = &out->admin[config->admins];
    bool is_file = json_get(object, "pem") != NULL;
    char place[48];

    (void)snprintf(place, sizeof(place), "administrators.keys[%u]", config->admins);
    TRY(only(out, place, object, is_file ? by_file : by_hex));
    if (is_file)
        TRY(read_admin_file(admin, need(out, place, object, "pem"), folder));
    else
        TRY(read_admin_hex(out, admin, place, object));
    config->admin[config->admins++] = (struct config_key) {
        .type = admin->type == APPROVE_ED25519 ? CONFIG_ADMIN_ED25519 : CONFIG_ADMIN_P256,
        .key = bytes_of(admin->key, admin->n),
    };
    return OK;
}

static FALLIBLE read_administrators(struct confjson *out, const struct json *root,
                                    const char *folder)
{
    static const char *const known[] = { "threshold", "keys", NULL };
    const struct json *object = json_get(root, "administrators");
    const struct json *keys;
    uint64_t threshold = 0;

    TRY(only(out, "administrators", object, known));
    keys = need(out, "administrators", object, "keys");
    ENSURE(keys && keys->type == JSON_ARRAY && keys->count <= CONFIG_ADMINS, ERR_MALFORMED,
           "expected an array of at most 16 keys");
    for (const struct json *key = keys->child; key; key = key->next)
        TRY(read_admin(out, key, folder));
    ENSURE(!json_u64(&threshold, need(out, "administrators", object, "threshold")).code &&
               threshold <= keys->count && (threshold > 0 || keys->count == 0),
           ERR_MALFORMED, "expected 1 to the number of keys, or 0 and no keys");
    out->config.admin_threshold = (uint8_t)threshold;
    return OK;
}

static FALLIBLE add_host(struct confjson *out, struct bytes host)
{
    struct config *config = &out->config;

    if (config_find_host(config, host) >= 0)
        return OK;
    ENSURE(config->hosts < CONFIG_HOSTS, ERR_MALFORMED,
           "expected at most 16 hosts (Regions, anchor) in all");
    config->host[config->hosts++] = host;
    return OK;
}

static FALLIBLE add_kms_host(struct confjson *out, const struct arn *arn)
{
    size_t from = out->hosts_wr.len;

    arn_write_host(&out->hosts_wr, arn);
    TRY(wr_end(&out->hosts_wr));
    return add_host(out, bytes_of(out->hosts + from, out->hosts_wr.len - from));
}

static FALLIBLE read_arns(struct confjson *out, struct config_keyset *keyset, const char *place,
                          const struct json *object)
{
    const struct json *keys = need(out, place, object, "keys");
    struct arn arn;

    ENSURE(keys && keys->type == JSON_ARRAY && keys->count >= 1 && keys->count <= CONFIG_CMKS,
           ERR_MALFORMED, "expected an array of 1 to 5 key ARNs");
    for (const struct json *key = keys->child; key; key = key->next) {
        (void)snprintf(out->where, sizeof(out->where), "%s.keys[%u]", place, keyset->n);
        ENSURE(key->type == JSON_STRING, ERR_MALFORMED, "expected the ARN of a KMS key");
        TRY(arn_parse(&arn, key->text));
        TRY(add_kms_host(out, &arn));
        keyset->cmk[keyset->n++] = key->text;
    }
    return OK;
}

static FALLIBLE read_purpose(enum config_purpose *purpose, const struct json *value)
{
    for (int p = CONFIG_ACCOUNTS; p <= CONFIG_TLS; p++)
        if (bytes_equal_str(json_string(value), config_purpose_name((enum config_purpose)p))) {
            *purpose = (enum config_purpose)p;
            return OK;
        }
    return FAIL(ERR_MALFORMED, "expected accounts, validators or tls");
}

static FALLIBLE read_name(struct bytes *name, const struct json *value)
{
    *name = json_string(value);
    ENSURE(config_name_ok(*name), ERR_MALFORMED, "expected 1 to 32 of a-z 0-9 - _");
    return OK;
}

static FALLIBLE read_keyset(struct confjson *out, struct config_keyset *keyset, const char *place,
                            const struct json *object)
{
    static const char *const known[] = { "name", "purpose", "threshold", "keys", NULL };
    uint64_t threshold = 0;

    TRY(only(out, place, object, known));
    TRY(read_name(&keyset->name, need(out, place, object, "name")));
    TRY(read_purpose(&keyset->purpose, need(out, place, object, "purpose")));
    TRY(read_arns(out, keyset, place, object));
    ENSURE(json_u64(&threshold, need(out, place, object, "threshold")).code == 0 &&
               threshold >= 1 && threshold <= keyset->n,
           ERR_MALFORMED, "expected 1 to the number of keys");
    keyset->k = (uint8_t)threshold;
    return OK;
}

static FALLIBLE read_keysets(struct confjson *out, const struct json *root)
{
    const struct json *array = need(out, "", root, "keysets");
    struct config *config = &out->config;
    char place[32];

    ENSURE(array && array->type == JSON_ARRAY && array->count >= 1 &&
               array->count <= CONFIG_KEYSETS,
           ERR_MALFORMED, "expected an array of 1 to 16 keysets");
    for (const struct json *item = array->child; item; item = item->next) {
        (void)snprintf(place, sizeof(place), "keysets[%u]", config->keysets);
        TRY(read_keyset(out, &config->keyset[config->keysets], place, item));
        config->keysets++;
    }
    return OK;
}

static FALLIBLE read_networks(struct confjson *out, const struct json *root)
{
    static const char *const known[] = { "name", "chain_id", NULL };
    const struct json *array = need(out, "", root, "networks");
    struct config *config = &out->config;
    char place[32];

    ENSURE(array && array->type == JSON_ARRAY && array->count <= CONFIG_NETWORKS, ERR_MALFORMED,
           "expected an array of at most 32 networks");
    for (const struct json *item = array->child; item; item = item->next) {
        struct config_network *network = &config->network[config->networks];

        (void)snprintf(place, sizeof(place), "networks[%u]", config->networks);
        TRY(only(out, place, item, known));
        TRY(read_name(&network->name, need(out, place, item, "name")));
        ENSURE(json_u64(&network->chain_id, need(out, place, item, "chain_id")).code == 0 &&
                   network->chain_id >= 1 && network->chain_id <= CONFIG_CHAIN_ID_MAX,
               ERR_MALFORMED, "expected a number of at least 1");
        config->networks++;
    }
    return OK;
}

static FALLIBLE read_anchor(struct confjson *out, const struct json *root)
{
    static const char *const known[] = { "kind", NULL };
    const struct json *object = json_get(root, "anchor");
    struct bytes kind;

    TRY(only(out, "anchor", object, known));
    kind = json_string(need(out, "anchor", object, "kind"));
    if (bytes_equal_str(kind, "none"))
        return OK;
    ENSURE(bytes_equal_str(kind, "file"), ERR_UNSUPPORTED,
           "expected none, or file for development: this version knows no other");
    out->config.anchor = CONFIG_ANCHOR_FILE;
    return add_host(out, BYTES_LIT(ANCHOR_HOST));
}
