// SPDX-License-Identifier: Apache-2.0
// Strict: unknown fields are refused by name and nothing has a default, since administrators sign
// what comes out of it.
#include "cli/clientsjson.h"

#include "base/fd.h"
#include "base/must.h"
#include "cli/openssl/pemcert.h"
#include "cli/trust.h"
#include "crypto/openssl/sha2.h"

#include <stdio.h>

struct reader {
    struct roster *roster;
    char *where;
    const char *folder;
    size_t index;           // of the client
    struct pemcert pemcert; // its certificate, which the entry points into
    struct roster_patterns patterns;
};

static FALLIBLE read_sha256(struct reader *r, struct clients_entry *entry, const struct json *value)
{
    (void)r;
    return roster_fingerprint(entry->identity, json_string(value));
}

static FALLIBLE read_pem(struct reader *r, const struct json *value)
{
    static uint8_t text[PEMCERT_TEXT_MAX];
    char path[TRUST_PATH_MAX];
    struct bytes name = json_string(value);
    size_t len, count;
    int n;

    ENSURE(r->folder, ERR_UNSUPPORTED, "no file is read here");
    ENSURE(name.n > 0, ERR_MALFORMED, "expected the path of a PEM file");
    n = snprintf(path, sizeof(path), "%s%.*s", name.p[0] == '/' ? "" : r->folder, (int)name.n,
                 (const char *)name.p);
    ENSURE(n > 0 && (size_t)n < sizeof(path), ERR_TOO_LARGE, "path is too long");
    TRY(fd_read_file(path, text, sizeof(text), &len));
    TRY(pemcert_read(&r->pemcert, &count, bytes_of(text, len)));
    ENSURE(count == 1, ERR_MALFORMED, "expected one certificate, not several");
    return OK;
}

static FALLIBLE read_certificate(struct reader *r, struct clients_entry *entry,
                                 const struct json *value)
{
    TRY(read_pem(r, value));
    sha2_256(entry->identity, bytes_of(r->pemcert.der, r->pemcert.n));
    return OK;
}

static FALLIBLE read_authority(struct reader *r, struct clients_entry *entry,
                               const struct json *value)
{
    TRY(read_certificate(r, entry, value));
    ENSURE(r->pemcert.is_authority, ERR_MALFORMED,
           "expected a CA's certificate (basicConstraints CA:TRUE, keyUsage keyCertSign)");
    entry->certificate = bytes_of(r->pemcert.der, r->pemcert.n);
    return OK;
}

static FALLIBLE read_anyone(struct reader *r, struct clients_entry *entry, const struct json *value)
{
    (void)r;
    (void)entry; // its identity is zero
    ENSURE(json_is_true(value), ERR_MALFORMED, "expected true");
    return OK;
}

// Who it is: one of these.
static const struct identity {
    const char *field;
    uint8_t kind;
    struct err (*read)(struct reader *r, struct clients_entry *entry, const struct json *value);
} identities[] = {
    { "certificate_sha256", CLIENTS_CERTIFICATE, read_sha256 },
    { "certificate_pem_file", CLIENTS_CERTIFICATE, read_certificate },
    { "token_sha256", CLIENTS_TOKEN, read_sha256 },
    { "authority_pem_file", CLIENTS_AUTHORITY, read_authority },
    { "anyone", CLIENTS_ANYONE, read_anyone },
};

// Errors are about this field from now on.
static void set_where(struct reader *r, const char *field)
{
    (void)snprintf(r->where, CLIENTSJSON_WHERE, "[%zu]%s%s", r->index, field[0] ? "." : "", field);
}

static void set_where_element(struct reader *r, const char *field, size_t index)
{
    (void)snprintf(r->where, CLIENTSJSON_WHERE, "[%zu].%s[%zu]", r->index, field, index);
}

static FALLIBLE read_identity(struct reader *r, struct clients_entry *entry,
                              const struct json *client)
{
    const struct identity *found = NULL;

    for (size_t i = 0; i < ARRAY_LEN(identities); i++) {
        if (!json_get(client, identities[i].field))
            continue;
        set_where(r, identities[i].field);
        ENSURE(!found, ERR_MALFORMED, "there is another field that says who it is");
        found = &identities[i];
    }
    set_where(r, found ? found->field : "");
    ENSURE(found, ERR_MALFORMED,
           "expected certificate_sha256, certificate_pem_file, token_sha256, authority_pem_file or "
           "anyone");
    entry->kind = found->kind;
    return found->read(r, entry, json_get(client, found->field));
}

static FALLIBLE read_operations(struct reader *r, struct clients_entry *entry,
                                const struct json *value)
{
    size_t i = 0;

    set_where(r, "operations");
    ENSURE(value && value->type == JSON_ARRAY && value->child, ERR_MALFORMED,
           "expected an array of metrics and sign_transaction");
    for (const struct json *name = value->child; name; name = name->next) {
        uint16_t operation = 0;

        set_where_element(r, "operations", i++);
        TRY(roster_operation(&operation, json_string(name)));
        ENSURE(!(entry->operations & operation), ERR_MALFORMED, "stands there twice");
        entry->operations |= operation;
    }
    return OK;
}

static FALLIBLE read_keys(struct reader *r, struct clients_entry *entry, const struct json *value)
{
    size_t i = 0;

    set_where(r, "keys");
    roster_patterns_init(&r->patterns);
    ENSURE(!value || value->type == JSON_ARRAY, ERR_MALFORMED,
           "expected an array of ids and addresses; * stands for any characters");
    for (const struct json *key = value ? value->child : NULL; key; key = key->next) {
        set_where_element(r, "keys", i++);
        TRY(roster_patterns_add(&r->patterns, json_string(key)));
    }
    set_where(r, "keys");
    ENSURE((r->patterns.count > 0) == ((entry->operations & CLIENTS_SIGN_TX) != 0), ERR_MALFORMED,
           "expected some with sign_transaction, and none without");
    roster_patterns_set(entry, &r->patterns);
    return OK;
}

static FALLIBLE check_fields(struct reader *r, const struct json *client)
{
    static const char *const known[] = { "label",
                                         "certificate_sha256",
                                         "certificate_pem_file",
                                         "token_sha256",
                                         "authority_pem_file",
                                         "anyone",
                                         "operations",
                                         "keys",
                                         NULL };
    const struct json *unknown;
    char key[64] = "";

    set_where(r, "");
    ENSURE(client->type == JSON_OBJECT, ERR_MALFORMED, "expected an object");
    unknown = json_unknown(client, known);
    if (unknown && bytes_to_str(bytes_take(unknown->key, sizeof(key) - 1), key, sizeof(key)))
        set_where(r, key);
    ENSURE(!unknown, ERR_MALFORMED, "unknown field");
    return OK;
}

static FALLIBLE read_client(struct reader *r, const struct json *client)
{
    struct clients_entry entry = { .label = json_string(json_get(client, "label")) };

    TRY(check_fields(r, client));
    TRY(read_identity(r, &entry, client));
    TRY(read_operations(r, &entry, json_get(client, "operations")));
    TRY(read_keys(r, &entry, json_get(client, "keys")));
    set_where(r, "");
    return roster_add(r->roster, &entry);
}

struct err clientsjson_read(struct roster *out, char where[static CLIENTSJSON_WHERE],
                            const struct json *root, const char *folder)
{
    static struct reader r; // a certificate and patterns are much for a stack

    r = (struct reader) { .roster = out, .where = where, .folder = folder };
    where[0] = 0;
    ENSURE(root->type == JSON_ARRAY, ERR_MALFORMED, "expected an array of clients");
    for (const struct json *client = root->child; client; client = client->next, r.index++)
        TRY(read_client(&r, client));
    where[0] = 0;
    return OK;
}
