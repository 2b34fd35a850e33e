// SPDX-License-Identifier: Apache-2.0
// The configuration says what there is, the store what was made of it. Both are this program's own
// and prove nothing to anybody else.
#include "parent/keysets.h"

#include "base/base64.h"
#include "base/must.h"

#include <string.h>

struct err keysets_name(const struct keysets *keysets, enum config_purpose purpose,
                        struct bytes *name)
{
    const struct config *config = keysets->config;
    const struct config_keyset *found;

    for (size_t i = 0; !name->n && i < config->keysets; i++)
        if (config->keyset[i].purpose == purpose)
            *name = config->keyset[i].name;
    ENSURE(name->n, ERR_NOT_FOUND, "keyset: the configuration has none of this purpose");
    found = config_find_keyset(config, *name);
    ENSURE(found, ERR_NOT_FOUND, "keyset: the configuration has none of this name");
    ENSURE(found->purpose == purpose || purpose != CONFIG_ACCOUNTS, ERR_MISMATCH,
           "keyset: expected one for accounts");
    ENSURE(found->purpose == purpose, ERR_MISMATCH, "keyset: expected one of the purpose tls");
    return OK;
}

struct err keysets_find(const struct keysets *keysets, enum config_purpose purpose,
                        struct bytes name, char id[static ID_TEXT])
{
    AUTO(store_free_keyset) struct store_keyset keyset = { 0 };
    char text[NAME_BYTES_MAX + 1];
    struct err err;

    TRY(keysets_name(keysets, purpose, &name));
    ENSURE(bytes_to_str(name, text, sizeof(text)), ERR_MALFORMED, "keyset: name is too long");
    err = store_get_keyset(keysets->store, &keyset, text);
    ENSURE(err.code != ERR_NOT_FOUND, ERR_PHASE, "keyset: not created yet; try again");
    TRY(err);
    memcpy(id, keyset.id, ID_TEXT);
    return OK;
}

bool keysets_record_fits(const struct keysets *keysets, const struct keysets_key *key,
                         struct bytes bytes)
{
    char id[ID_TEXT], keyset[ID_TEXT];
    struct record record;

    if (record_read(&record, bytes).code)
        return false;
    id_text(id, &record.id);
    id_text(keyset, &record.keyset);
    return strcmp(id, key->id) == 0 && strcmp(keyset, key->keyset) == 0 &&
           record.purpose == key->purpose && record.key_type == key->type &&
           id_equal(&record.deployment, &keysets->config->deployment);
}

struct err keysets_hold(const struct keysets_given *given, const struct json *result,
                        struct bytes nonce)
{
    struct bytes *const views[] = { given->record, given->receipt, given->nonce };
    uint8_t record[RECORD_BYTES_MAX], receipt[DOCUMENT_MAX];
    size_t record_len, receipt_len;

    TRY(base64_decode(record, sizeof(record), &record_len,
                      json_string(json_get(result, "record_b64"))));
    TRY(base64_decode(receipt, sizeof(receipt), &receipt_len,
                      json_string(json_get(result, "receipt_b64"))));
    *given->record = bytes_of(record, record_len);
    *given->receipt = bytes_of(receipt, receipt_len);
    *given->nonce = nonce;
    return store_hold(given->block, views, ARRAY_LEN(views));
}
