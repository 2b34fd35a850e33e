// SPDX-License-Identifier: Apache-2.0
// What clients of REST say about TLS keys, checked for form; what it means is judged in the
// enclave, and what is shown is a claim: who needs to trust a key verifies its receipt, or the
// attestation of the connection that is served with it.
#include "parent/rest_tls.h"

#include "base/must.h"
#include "parent/keysets.h"
#include "parent/log.h"
#include "parent/rest_account.h"
#include "parent/rest_import.h"
#include "parent/stamp.h"
#include "parent/store_import.h"
#include "parent/tls_keys.h"

#include <stdio.h>
#include <string.h>

#define TLS_NAMES_MAX 16U
#define TLS_NAME_MAX  253U // RFC 1035 2.3.4, as text

// -- a key as JSON -------------------------------------------------------------------------------

static void tls_write_certificate(struct jw *jw, const struct store_tls_certificate *certificate)
{
    jw_string(jw_key(jw, "certificate_pem"), certificate->chain);
    jw_cstring(jw_key(jw, "certificate_sha256"), certificate->sha256);
    jw_u64(jw_key(jw, "not_after"), certificate->not_after_s);
    jw_bool(jw_key(jw, "self_signed"), certificate->days > 0);
    tls_keys_write_names(jw_key(jw, "names"), certificate->names);
}

static void tls_write_record(struct jw *jw, const struct store_tls *key)
{
    static const char *const provenances[] = { [RECORD_GENERATED] = "generated",
                                               [RECORD_IMPORTED] = "imported",
                                               [RECORD_EXPOSED] = "exposed" };
    struct record record = { 0 };

    // A row that somebody edited may hold anything; it is shown, and refused when it is used.
    if (record_read(&record, key->record).code)
        record = (struct record) { .provenance = RECORD_EXPOSED };
    jw_hex(jw_key(jw, "public_key"), record.public_key);
    jw_cstring(jw_key(jw, "provenance"), provenances[record.provenance]);
    jw_base64(jw_key(jw, "record_b64"), key->record);
    jw_base64(jw_key(jw, "receipt_b64"), key->receipt);
}

static void tls_write(struct jw *jw, const struct store_tls *key)
{
    char created[STAMP_TEXT];

    stamp_text(created, key->created_ms);
    jw_object(jw);
    jw_cstring(jw_key(jw, "key"), key->id);
    jw_cstring(jw_key(jw, "name"), key->name);
    jw_cstring(jw_key(jw, "keyset"), key->keyset);
    jw_cstring(jw_key(jw, "spki_sha256"), key->spki);
    tls_write_record(jw, key);
    jw_key(jw, "nonce");
    if (key->nonce.n)
        jw_hex(jw, key->nonce);
    else
        jw_null(jw);
    jw_cstring(jw_key(jw, "created"), created);
    jw_key(jw, "state");
    if (key->in_use)
        jw_cstring(jw, "in_use");
    else
        jw_cstring(jw, key->certificate.chain.n ? "installed" : "new");
    jw_bool(jw_key(jw, "in_use"), key->in_use);
    if (key->certificate.chain.n)
        tls_write_certificate(jw, &key->certificate);
    jw_object_end(jw);
}

static void tls_write_row(void *context, const struct store_tls *key)
{
    tls_write(context, key);
}

struct err rest_tls_list(struct rest_call *call)
{
    jw_object(&call->jw);
    jw_array(jw_key(&call->jw, "tls_keys"));
    TRY(store_tls_list(call->rest->store, tls_write_row, &call->jw));
    jw_array_end(&call->jw);
    jw_object_end(&call->jw);
    return OK;
}

struct err rest_tls_show(struct rest_call *call)
{
    AUTO(store_tls_free) struct store_tls key = { 0 };

    TRY(store_tls_get(call->rest->store, &key, call->name));
    tls_write(&call->jw, &key);
    return OK;
}

struct err rest_tls_drop(struct rest_call *call)
{
    static const char *const known[] = { NULL };

    TRY(rest_call_only(call, known));
    TRY(store_tls_drop(call->rest->store, call->name));
    log_event(LOG_INFO, "tls", "key_deleted", "name", call->name);
    jw_object(&call->jw);
    jw_object_end(&call->jw);
    return OK;
}

// -- creation and import -------------------------------------------------------------------------

// `name` holds what request->name points at.
static struct err tls_read_wish(struct rest_call *call, struct tls_keys_request *out,
                                char name[static NAME_BYTES_MAX + 1])
{
    static const char *const known[] = { "name", "keyset", "nonce", NULL };
    struct bytes text = json_string(json_get(call->body, "name"));
    const struct json *keyset = json_get(call->body, "keyset");

    TRY(rest_call_only(call, known));
    ENSURE(config_name_ok(text) && bytes_to_str(text, name, NAME_BYTES_MAX + 1), ERR_MALFORMED,
           "name: expected 1 to 32 of a-z 0-9 - _");
    *out = (struct tls_keys_request) { .name = name, .keyset = json_string(keyset) };
    ENSURE(!keyset || out->keyset.n, ERR_MALFORMED, "keyset: expected the name of a keyset");
    return rest_account_read_nonce(out->nonce, &out->nonce_len, json_get(call->body, "nonce"));
}

struct err rest_tls_create(struct rest_call *call)
{
    AUTO(store_tls_free) struct store_tls key = { 0 };
    struct tls_keys_request request;
    char name[NAME_BYTES_MAX + 1];
    bool created;

    TRY(tls_read_wish(call, &request, name));
    TRY(tls_keys_create(call->rest->tls, &request, &key, &created, &call->detail));
    tls_write(&call->jw, &key);
    call->status = created ? 201 : 200;
    return OK;
}

static struct err tls_check_free(struct rest_call *call, const char *name)
{
    AUTO(store_tls_free) struct store_tls key = { 0 };
    struct err err = store_tls_get(call->rest->store, &key, name);

    ENSURE(err.code, ERR_EXISTS, "name: there is a TLS key of this name");
    return err.code == ERR_NOT_FOUND ? OK : err;
}

static struct err tls_remember(struct rest_call *call, const char *name, struct bytes key,
                               const char *keyset)
{
    struct store_import import = { .created_ms = stamp_now_ms() };
    struct id id;

    ENSURE(!id_parse(&id, key).code, ERR_MISMATCH, "tls.import: expected the key's id");
    id_text(import.account, &id);
    (void)snprintf(import.name, sizeof(import.name), "%s", name);
    (void)snprintf(import.keyset, sizeof(import.keyset), "%s", keyset);
    return store_import_add(call->rest->store, &import);
}

struct err rest_tls_import_begin(struct rest_call *call)
{
    AUTO(enclave_link_free_reply) struct enclave_link_reply reply = { 0 };
    const struct keysets keysets = { call->rest->store, call->rest->config };
    struct tls_keys_request request;
    char name[NAME_BYTES_MAX + 1], keyset[ID_TEXT];
    uint8_t params[256];
    struct wr wr = WR_OF(params);
    struct jw jw = jw_of(&wr);

    TRY(tls_read_wish(call, &request, name));
    TRY(tls_check_free(call, name));
    TRY(keysets_find(&keysets, CONFIG_TLS, request.keyset, keyset));
    jw_object(&jw);
    jw_cstring(jw_key(&jw, "keyset"), keyset);
    if (request.nonce_len)
        jw_hex(jw_key(&jw, "nonce"), bytes_of(request.nonce, request.nonce_len));
    jw_object_end(&jw);
    TRY(rest_import_call(call, &reply, "tls.import", &wr));
    TRY(tls_remember(call, name, json_string(json_get(reply.result, "account")), keyset));
    jw_object(&call->jw);
    jw_string(jw_key(&call->jw, "key"), json_string(json_get(reply.result, "account")));
    rest_import_copy(&call->jw, reply.result, "public_key");
    rest_import_copy(&call->jw, reply.result, "document_b64");
    jw_cstring(jw_key(&call->jw, "keyset"), keyset);
    jw_object_end(&call->jw);
    return OK;
}

static struct err tls_import_make(struct rest_call *call,
                                  const struct rest_import_envelope *envelope)
{
    AUTO(enclave_link_free_reply) struct enclave_link_reply reply = { 0 };
    AUTO(store_tls_free) struct store_tls row = { 0 };
    struct store_import import;
    struct err err;

    TRY(store_import_get(call->rest->store, &import, call->id));
    ENSURE(!import.user[0] && config_name_ok(bytes_str(import.name)), ERR_NOT_FOUND,
           "import: this one is of an account (POST /v1/imports)");
    memcpy(row.id, import.account, sizeof(row.id));
    memcpy(row.keyset, import.keyset, sizeof(row.keyset));
    memcpy(row.request_hash, envelope->hash, sizeof(row.request_hash));
    (void)bytes_to_str(bytes_str(import.name), row.name, sizeof(row.name));
    TRY(rest_import_ask(call, envelope, &reply));
    err = tls_keys_take(call->rest->tls, &row, reply.result,
                        bytes_of(envelope->nonce, envelope->nonce_len));
    ENSURE(err.code != ERR_EXISTS, ERR_EXISTS,
           "name: a TLS key got this name in the meantime; import again");
    TRY(err);
    return store_import_drop(call->rest->store, call->id);
}

// The same envelope again, after a lost answer, finds the key that it made.
struct err rest_tls_import_finish(struct rest_call *call)
{
    AUTO(store_tls_free) struct store_tls key = { 0 };
    struct rest_import_envelope envelope;
    struct err err;

    TRY(rest_import_read(call, &envelope));
    err = store_tls_find(call->rest->store, &key, call->id);
    if (err.code == ERR_NOT_FOUND) {
        TRY(tls_import_make(call, &envelope));
        call->status = 201;
        err = store_tls_find(call->rest->store, &key, call->id);
    }
    TRY(err);
    ENSURE(memcmp(key.request_hash, envelope.hash, sizeof(envelope.hash)) == 0, ERR_EXISTS,
           "import: this key was imported with another envelope or nonce");
    tls_write(&call->jw, &key);
    return OK;
}

// -- certificates --------------------------------------------------------------------------------

static bool tls_is_name(struct bytes name)
{
    for (size_t i = 0; i < name.n; i++)
        if (name.p[i] <= 0x20 || name.p[i] >= 0x7f)
            return false;
    return name.n >= 1 && name.n <= TLS_NAME_MAX;
}

// Each followed by a newline.
static struct err tls_read_names(const struct rest_call *call, struct wr *wr)
{
    const struct json *list = json_get(call->body, "names");

    ENSURE(list && list->type == JSON_ARRAY && list->count >= 1 && list->count <= TLS_NAMES_MAX,
           ERR_MALFORMED, "names: expected 1 to 16 DNS names or IP addresses");
    for (const struct json *at = list->child; at; at = at->next) {
        ENSURE(tls_is_name(json_string(at)), ERR_MALFORMED,
               "names: expected DNS names or IP addresses of at most 253 characters");
        wr_bytes(wr, json_string(at));
        wr_u8(wr, '\n');
    }
    return wr_end(wr);
}

struct err rest_tls_csr(struct rest_call *call)
{
    static const char *const known[] = { "names", NULL };
    AUTO(enclave_link_free_reply) struct enclave_link_reply reply = { 0 };
    uint8_t names[STORE_TLS_NAMES_MAX];
    struct wr wr = WR_OF(names);
    struct err err;

    TRY(rest_call_only(call, known));
    TRY(tls_read_names(call, &wr));
    err = tls_keys_csr(call->rest->tls, call->name, wr_done(&wr), &reply);
    call->detail = reply.detail;
    TRY(err);
    jw_object(&call->jw);
    rest_import_copy(&call->jw, reply.result, "csr_pem");
    jw_object_end(&call->jw);
    return OK;
}

static struct err tls_read_self_signed(const struct rest_call *call, struct tls_keys_wish *wish,
                                       struct wr *names)
{
    const struct json *days = json_get(call->body, "days");
    uint64_t n = TLS_KEYS_DAYS;

    TRY(tls_read_names(call, names));
    ENSURE((!days || !json_u64(&n, days).code) && n >= 1 && n <= TLS_KEYS_DAYS_MAX, ERR_MALFORMED,
           "days: expected 1 to 3650");
    wish->names = wr_done(names);
    wish->days = (unsigned)n;
    return OK;
}

struct err rest_tls_install(struct rest_call *call)
{
    static const char *const known[] = { "certificate_pem", "names", "days", NULL };
    AUTO(store_tls_free) struct store_tls key = { 0 };
    const struct json *chain = json_get(call->body, "certificate_pem");
    struct tls_keys_wish wish = { .chain = json_string(chain) };
    uint8_t names[STORE_TLS_NAMES_MAX];
    struct wr wr = WR_OF(names);

    TRY(rest_call_only(call, known));
    ENSURE(!chain || (!json_get(call->body, "names") && !json_get(call->body, "days")),
           ERR_MALFORMED, "certificate_pem: not together with names or days");
    ENSURE(!chain || (wish.chain.n > 0 && wish.chain.n <= STORE_TLS_CHAIN_MAX), ERR_MALFORMED,
           "certificate_pem: expected a chain of at most 32768 bytes");
    if (!chain)
        TRY(tls_read_self_signed(call, &wish, &wr));
    TRY(tls_keys_install(call->rest->tls, call->name, &wish, &key, &call->detail));
    supervise_wake(call->rest->supervise);
    tls_write(&call->jw, &key);
    return OK;
}
