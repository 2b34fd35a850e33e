// SPDX-License-Identifier: Apache-2.0
// A key that its owner seals to the enclave passes through here as ciphertext. This program chooses
// neither the account's id nor the import key, and cannot put another key in their place: the owner
// verifies the offer before he seals and the receipt afterwards.
#include "parent/rest_import.h"

#include "base/must.h"
#include "parent/keysets.h"
#include "parent/log.h"
#include "parent/rest_account.h"
#include "parent/stamp.h"
#include "parent/store_import.h"
#include "proto/tag.h"

#include <stdio.h>
#include <string.h>

#define IMPORT_CALL_MS     10000
#define IMPORT_TAG_REQUEST "cloisterd-import-1"
#define IMPORT_ENC_MAX     80U
#define IMPORT_SEALED_MAX  512U

struct err rest_import_call(struct rest_call *call, struct enclave_link_reply *reply,
                            const char *method, const struct wr *params)
{
    struct err err;

    TRY(wr_end(params));
    err = enclave_link_call(call->rest->link, reply, method, wr_done(params),
                            deadline_in(IMPORT_CALL_MS));
    if (err.code)
        call->detail = reply->detail;
    return err;
}

// Somebody else's account of this name must not be found out about after the owner sealed his key.
static struct err import_check_free(struct rest_call *call, const struct rest_account_wish *wish)
{
    AUTO(store_account_free) struct store_account account = { 0 };
    struct err err = store_account_find(call->rest->store, &account, wish->user, wish->name);

    ENSURE(err.code, ERR_EXISTS, "name: this user already has an account of this name");
    return err.code == ERR_NOT_FOUND ? OK : err;
}

static struct err import_remember(struct rest_call *call, const struct rest_account_wish *wish,
                                  struct bytes account, const char *keyset)
{
    struct store_import import = { .created_ms = stamp_now_ms() };
    struct id id;

    ENSURE(!id_parse(&id, account).code, ERR_MISMATCH, "import.begin: expected an account id");
    id_text(import.account, &id);
    (void)snprintf(import.user, sizeof(import.user), "%s", wish->user);
    (void)snprintf(import.name, sizeof(import.name), "%s", wish->name);
    (void)snprintf(import.keyset, sizeof(import.keyset), "%s", keyset);
    return store_import_add(call->rest->store, &import);
}

void rest_import_copy(struct jw *jw, const struct json *result, const char *name)
{
    jw_string(jw_key(jw, name), json_string(json_get(result, name)));
}

struct err rest_import_begin(struct rest_call *call)
{
    AUTO(enclave_link_free_reply) struct enclave_link_reply reply = { 0 };
    const struct keysets keysets = { call->rest->store, call->rest->config };
    struct rest_account_wish wish;
    char keyset[ID_TEXT];
    uint8_t params[512];
    struct wr wr = WR_OF(params);
    struct jw jw = jw_of(&wr);

    TRY(rest_account_read_wish(call, &wish));
    TRY(import_check_free(call, &wish));
    TRY(keysets_find(&keysets, CONFIG_ACCOUNTS, wish.request.keyset, keyset));
    jw_object(&jw);
    jw_key(&jw, "keyset");
    jw_cstring(&jw, keyset);
    jw_key(&jw, "unrestricted");
    jw_bool(&jw, true);
    if (wish.request.has_nonce) {
        jw_key(&jw, "nonce");
        jw_hex(&jw, bytes_of(wish.request.nonce, wish.request.nonce_len));
    }
    jw_object_end(&jw);
    TRY(rest_import_call(call, &reply, "import.begin", &wr));
    TRY(import_remember(call, &wish, json_string(json_get(reply.result, "account")), keyset));
    jw_object(&call->jw);
    rest_import_copy(&call->jw, reply.result, "account");
    rest_import_copy(&call->jw, reply.result, "public_key");
    rest_import_copy(&call->jw, reply.result, "document_b64");
    jw_key(&call->jw, "keyset");
    jw_cstring(&call->jw, keyset);
    jw_object_end(&call->jw);
    return OK;
}

struct err rest_import_read(struct rest_call *call, struct rest_import_envelope *out)
{
    static const char *const known[] = { "enc", "ciphertext_b64", "nonce", NULL };
    struct bytes fields[3];

    *out = (struct rest_import_envelope) { 0 };
    TRY(rest_call_only(call, known));
    out->enc = json_string(json_get(call->body, "enc"));
    out->ciphertext = json_string(json_get(call->body, "ciphertext_b64"));
    ENSURE(out->enc.n > 0 && out->enc.n <= IMPORT_ENC_MAX, ERR_MALFORMED,
           "enc: expected 32 bytes in hex");
    ENSURE(out->ciphertext.n > 0 && out->ciphertext.n <= IMPORT_SEALED_MAX, ERR_MALFORMED,
           "ciphertext_b64: expected the sealed key in base64");
    TRY(rest_account_read_nonce(out->nonce, &out->nonce_len, json_get(call->body, "nonce")));
    fields[0] = out->enc;
    fields[1] = out->ciphertext;
    fields[2] = bytes_of(out->nonce, out->nonce_len);
    tag_hash(out->hash, IMPORT_TAG_REQUEST, fields, ARRAY_LEN(fields));
    return OK;
}

struct err rest_import_ask(struct rest_call *call, const struct rest_import_envelope *envelope,
                           struct enclave_link_reply *reply)
{
    uint8_t params[2048];
    struct wr wr = WR_OF(params);
    struct jw jw = jw_of(&wr);

    jw_object(&jw);
    jw_key(&jw, "account");
    jw_cstring(&jw, call->id);
    jw_key(&jw, "enc");
    jw_string(&jw, envelope->enc);
    jw_key(&jw, "ciphertext_b64");
    jw_string(&jw, envelope->ciphertext);
    if (envelope->nonce_len) {
        jw_key(&jw, "nonce");
        jw_hex(&jw, bytes_of(envelope->nonce, envelope->nonce_len));
    }
    jw_object_end(&jw);
    return rest_import_call(call, reply, "import.finish", &wr);
}

static struct err import_make(struct rest_call *call, const struct rest_import_envelope *envelope,
                              struct store_account *row)
{
    AUTO(enclave_link_free_reply) struct enclave_link_reply reply = { 0 };
    const struct accounts accounts = { call->rest->store, call->rest->link, call->rest->config };
    struct store_import import;
    struct err err;

    TRY(store_import_get(call->rest->store, &import, call->id));
    ENSURE(import.user[0], ERR_NOT_FOUND,
           "import: this one is of a TLS key (POST /v1/tls-imports)");
    memcpy(row->id, import.account, sizeof(row->id));
    memcpy(row->user, import.user, sizeof(row->user));
    memcpy(row->name, import.name, sizeof(row->name));
    memcpy(row->keyset, import.keyset, sizeof(row->keyset));
    memcpy(row->request_hash, envelope->hash, sizeof(row->request_hash));
    TRY(rest_import_ask(call, envelope, &reply));
    TRY(accounts_take(&accounts, row, reply.result,
                      bytes_of(envelope->nonce, envelope->nonce_len)));
    err = store_account_add(call->rest->store, row);
    ENSURE(err.code != ERR_EXISTS, ERR_EXISTS,
           "name: this user got an account of this name in the meantime; import again");
    TRY(err);
    log_event(LOG_INFO, "import", "imported", "account", row->id);
    return store_import_drop(call->rest->store, call->id);
}

// The same envelope again, after a lost answer, finds the account that it made.
static struct err import_again(struct rest_call *call, const struct rest_import_envelope *envelope,
                               struct store_account *row)
{
    TRY(store_account_get(call->rest->store, row, call->id));
    ENSURE(memcmp(row->request_hash, envelope->hash, sizeof(envelope->hash)) == 0, ERR_EXISTS,
           "import: this account was imported with another envelope or nonce");
    return OK;
}

struct err rest_import_finish(struct rest_call *call)
{
    AUTO(store_account_free) struct store_account row = { 0 };
    struct rest_import_envelope envelope;
    struct err err;

    TRY(rest_import_read(call, &envelope));
    err = import_again(call, &envelope, &row);
    if (err.code == ERR_NOT_FOUND) {
        TRY(import_make(call, &envelope, &row));
        call->status = 201;
        err = OK;
    }
    TRY(err);
    jw_object(&call->jw);
    rest_account_write(&call->jw, &row);
    jw_object_end(&call->jw);
    return OK;
}
