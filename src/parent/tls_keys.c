// SPDX-License-Identifier: Apache-2.0
// The store says which key and certificate are in use, the enclave's status which ones are. Changes
// hold a lock from the enclave's answer to the row that says so, or the supervisor would put back
// the old key in between. Whether a certificate is any good is judged in the enclave and by
// clients.
#include "parent/tls_keys.h"

#include "base/must.h"
#include "parent/keysets.h"
#include "parent/log.h"
#include "parent/stamp.h"
#include "proto/tag.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CALL_MS     10000
#define PARAMS_MAX  131072U // a record, a chain with its newlines escaped
#define TAG_REQUEST "cloisterd-tls-1"
#define DAY_S       86400U
#define WARN_DAYS   14U
#define AGAIN_S     3600U // a wrong clock must not make certificates in a circle

struct tls_keys {
    struct store *store;
    struct enclave_link *link;
    const struct config *config;
    pthread_mutex_t lock; // of everything that changes which key is in use, and of what follows
    uint64_t renewed_s, warned_s;
};

static void tls_keys_unlock(struct tls_keys **keys)
{
    must(pthread_mutex_unlock(&(*keys)->lock) == 0);
}

static struct tls_keys *tls_keys_lock(struct tls_keys *keys)
{
    must(pthread_mutex_lock(&keys->lock) == 0);
    return keys;
}

struct err tls_keys_new(struct tls_keys **out, struct store *store, struct enclave_link *link,
                        const struct config *config)
{
    struct tls_keys *keys = *out = calloc(1, sizeof(*keys));

    ENSURE(keys, ERR_FULL, "no memory");
    keys->store = store;
    keys->link = link;
    keys->config = config;
    must(pthread_mutex_init(&keys->lock, NULL) == 0);
    return OK;
}

void tls_keys_free(struct tls_keys **keys)
{
    if (!*keys)
        return;
    (void)pthread_mutex_destroy(&(*keys)->lock);
    free(*keys);
    *keys = NULL;
}

// -- calls ---------------------------------------------------------------------------------------

struct tls_keys_params {
    uint8_t *text;
    struct wr wr;
    struct jw jw;
};

static void tls_keys_free_params(struct tls_keys_params *params)
{
    free(params->text);
}

static struct err tls_keys_begin(struct tls_keys_params *params)
{
    params->text = malloc(PARAMS_MAX);
    ENSURE(params->text, ERR_FULL, "no memory");
    params->wr = wr_of(params->text, PARAMS_MAX);
    params->jw = jw_of(&params->wr);
    jw_object(&params->jw);
    return OK;
}

static struct err tls_keys_call(const struct tls_keys *keys, struct enclave_link_reply *reply,
                                const char *method, struct tls_keys_params *params,
                                struct detail *detail)
{
    struct err err;

    jw_object_end(&params->jw);
    TRY(wr_end(&params->wr));
    err = enclave_link_call(keys->link, reply, method, wr_done(&params->wr), deadline_in(CALL_MS));
    if (err.code)
        *detail = reply->detail;
    return err;
}

static bool tls_keys_fits(const struct tls_keys *keys, const struct store_tls *row)
{
    const struct keysets keysets = { keys->store, keys->config };

    return keysets_record_fits(
        &keysets, &(struct keysets_key) { row->id, row->keyset, RECORD_TLS, RECORD_P256 },
        row->record);
}

void tls_keys_write_names(struct jw *jw, struct bytes names)
{
    jw_array(jw);
    while (names.n > 0) {
        const uint8_t *end = memchr(names.p, '\n', names.n);
        size_t n = end ? (size_t)(end - names.p) : names.n;

        jw_string(jw, bytes_take(names, n));
        names = bytes_skip(names, n + 1);
    }
    jw_array_end(jw);
}

// -- creation ------------------------------------------------------------------------------------

// 64 hex digits, as text.
static bool tls_keys_hash(char out[static STORE_TLS_HEX], const struct json *value)
{
    struct bytes text = json_string(value);

    for (size_t i = 0; i < text.n; i++)
        if (!memchr("0123456789abcdef", text.p[i], 16))
            return false;
    return text.n == STORE_TLS_HEX - 1 && bytes_to_str(text, out, STORE_TLS_HEX);
}

struct err tls_keys_take(struct tls_keys *keys, struct store_tls *row, const struct json *result,
                         struct bytes nonce)
{
    struct bytes id = json_string(json_get(result, "key"));

    row->created_ms = stamp_now_ms();
    TRY(keysets_hold(
        &(struct keysets_given) { &row->block, &row->record, &row->receipt, &row->nonce }, result,
        nonce));
    ENSURE((!row->id[0] || bytes_equal_str(id, row->id)) &&
               bytes_to_str(id, row->id, sizeof(row->id)) && tls_keys_fits(keys, row) &&
               tls_keys_hash(row->spki, json_get(result, "spki_sha256")),
           ERR_MISMATCH, "the enclave answered the record of another key");
    TRY(store_tls_add(keys->store, row));
    log_event(LOG_INFO, "tls", "key_stored", "name", row->name);
    return OK;
}

static struct err tls_keys_make(struct tls_keys *keys, const struct tls_keys_request *request,
                                struct store_tls *row, struct detail *detail)
{
    AUTO(enclave_link_free_reply) struct enclave_link_reply reply = { 0 };
    AUTO(tls_keys_free_params) struct tls_keys_params params = { 0 };
    struct bytes nonce = bytes_of(request->nonce, request->nonce_len);

    TRY(tls_keys_begin(&params));
    jw_cstring(jw_key(&params.jw, "keyset"), row->keyset);
    if (nonce.n)
        jw_hex(jw_key(&params.jw, "nonce"), nonce);
    TRY(tls_keys_call(keys, &reply, "tls.create", &params, detail));
    return tls_keys_take(keys, row, reply.result, nonce);
}

static struct err tls_keys_stored(struct tls_keys *keys, struct store_tls *out,
                                  const struct store_tls *row)
{
    TRY(store_tls_get(keys->store, out, row->name));
    if (memcmp(out->request_hash, row->request_hash, sizeof(row->request_hash)) == 0)
        return OK;
    store_tls_free(out);
    return FAIL(ERR_EXISTS,
                "name: there is a TLS key of this name, made with another keyset or nonce");
}

struct err tls_keys_create(struct tls_keys *keys, const struct tls_keys_request *request,
                           struct store_tls *out, bool *created, struct detail *detail)
{
    AUTO(store_tls_free) struct store_tls row = { 0 };
    const struct keysets keysets = { keys->store, keys->config };
    struct bytes fields[] = { bytes_str(request->name), request->keyset,
                              bytes_of(request->nonce, request->nonce_len) };
    struct err err;

    *created = false;
    TRY(keysets_name(&keysets, CONFIG_TLS, &fields[1]));
    (void)snprintf(row.name, sizeof(row.name), "%s", request->name);
    tag_hash(row.request_hash, TAG_REQUEST, fields, ARRAY_LEN(fields));
    err = tls_keys_stored(keys, out, &row);
    if (err.code != ERR_NOT_FOUND)
        return err;
    TRY(keysets_find(&keysets, CONFIG_TLS, fields[1], row.keyset));
    err = tls_keys_make(keys, request, &row, detail);
    *created = !err.code;
    if (err.code && err.code != ERR_EXISTS)
        return err;
    return tls_keys_stored(keys, out, &row); // of two at once, the first one is the key
}

// -- certificates --------------------------------------------------------------------------------

static struct err tls_keys_get(struct tls_keys *keys, struct store_tls *out, const char *name)
{
    TRY(store_tls_get(keys->store, out, name));
    ENSURE(tls_keys_fits(keys, out), ERR_CORRUPT,
           "store: the record of this TLS key is another one's");
    return OK;
}

struct err tls_keys_csr(struct tls_keys *keys, const char *name, struct bytes names,
                        struct enclave_link_reply *reply)
{
    AUTO(store_tls_free) struct store_tls row = { 0 };
    AUTO(tls_keys_free_params) struct tls_keys_params params = { 0 };

    TRY(tls_keys_get(keys, &row, name));
    TRY(tls_keys_begin(&params));
    jw_base64(jw_key(&params.jw, "record_b64"), row.record);
    tls_keys_write_names(jw_key(&params.jw, "names"), names);
    TRY(tls_keys_call(keys, reply, "tls.csr", &params, &reply->detail));
    ENSURE(json_string(json_get(reply->result, "csr_pem")).n > 0, ERR_MALFORMED,
           "tls.csr: expected csr_pem");
    return OK;
}

// What the enclave says that it has put into use.
static struct err tls_keys_read(struct store_tls_certificate *out, const struct store_tls *row,
                                const struct json *result)
{
    char spki[STORE_TLS_HEX];

    ENSURE(bytes_equal_str(json_string(json_get(result, "key")), row->id) &&
               tls_keys_hash(spki, json_get(result, "spki_sha256")) && strcmp(spki, row->spki) == 0,
           ERR_MISMATCH, "tls.open: the enclave opened another key");
    out->chain = json_string(json_get(result, "certificate_pem"));
    ENSURE(out->chain.n > 0 && out->chain.n <= STORE_TLS_CHAIN_MAX &&
               tls_keys_hash(out->sha256, json_get(result, "certificate_sha256")) &&
               !json_u64(&out->not_after_s, json_get(result, "not_after")).code &&
               out->not_after_s <= INT64_MAX,
           ERR_MALFORMED, "tls.open: expected the certificate, its hash and its end");
    return OK;
}

// Opens the key with the wish and keeps what came of it. The lock is held.
static struct err tls_keys_open(struct tls_keys *held, const struct store_tls *row,
                                const struct tls_keys_wish *wish, struct detail *detail)
{
    AUTO(enclave_link_free_reply) struct enclave_link_reply reply = { 0 };
    AUTO(tls_keys_free_params) struct tls_keys_params params = { 0 };
    struct store_tls_certificate certificate = { .names = wish->names, .days = wish->days };

    TRY(tls_keys_begin(&params));
    jw_base64(jw_key(&params.jw, "record_b64"), row->record);
    if (wish->chain.n) {
        jw_string(jw_key(&params.jw, "certificate_pem"), wish->chain);
    } else {
        tls_keys_write_names(jw_key(&params.jw, "names"), wish->names);
        jw_u64(jw_key(&params.jw, "days"), wish->days);
    }
    TRY(tls_keys_call(held, &reply, "tls.open", &params, detail));
    TRY(tls_keys_read(&certificate, row, reply.result));
    TRY(store_tls_use(held->store, row->name, &certificate));
    held->warned_s = 0;
    log_event(LOG_INFO, "tls", "in_use", "name", row->name);
    return OK;
}

struct err tls_keys_install(struct tls_keys *keys, const char *name,
                            const struct tls_keys_wish *wish, struct store_tls *out,
                            struct detail *detail)
{
    AUTO(tls_keys_unlock) struct tls_keys *held = tls_keys_lock(keys);
    AUTO(store_tls_free) struct store_tls row = { 0 };

    TRY(tls_keys_get(held, &row, name));
    TRY(tls_keys_open(held, &row, wish, detail));
    return store_tls_get(held->store, out, name);
}

// -- what the supervisor does --------------------------------------------------------------------

static bool tls_keys_is_open(const struct store_tls *row, const struct json *tls)
{
    return bytes_equal_str(json_string(json_get(tls, "key")), row->id) &&
           bytes_equal_str(json_string(json_get(tls, "certificate_sha256")),
                           row->certificate.sha256);
}

// A self-signed certificate of which a third of its time is left or less.
static bool tls_keys_is_due(const struct tls_keys *held, const struct store_tls *row,
                            uint64_t now_s)
{
    uint64_t left_s = (uint64_t)row->certificate.days * DAY_S / 3;

    return row->certificate.days > 0 && now_s + left_s >= row->certificate.not_after_s &&
           (held->renewed_s == 0 || now_s >= held->renewed_s + AGAIN_S);
}

static struct err tls_keys_check_end(struct tls_keys *held, const struct store_tls *row,
                                     uint64_t now_s)
{
    char end[STAMP_TEXT];

    ENSURE(now_s < row->certificate.not_after_s, ERR_EXPIRED,
           "the certificate of the data plane has expired; install another one");
    if (now_s + WARN_DAYS * DAY_S < row->certificate.not_after_s ||
        (held->warned_s && now_s < held->warned_s + DAY_S))
        return OK;
    held->warned_s = now_s;
    stamp_text(end, row->certificate.not_after_s * 1000);
    log_event(LOG_WARN, "tls", "certificate_expires", "not_after", end);
    return OK;
}

struct err tls_keys_keep(struct tls_keys *keys, const struct json *status, struct detail *detail)
{
    AUTO(tls_keys_unlock) struct tls_keys *held = tls_keys_lock(keys);
    AUTO(store_tls_free) struct store_tls row = { 0 };
    struct err err = store_tls_used(held->store, &row);
    const struct store_tls_certificate *certificate = &row.certificate;
    uint64_t now_s = stamp_now_ms() / 1000;
    struct tls_keys_wish same = { certificate->chain, certificate->names, certificate->days };
    struct tls_keys_wish fresh = { BYTES_NONE, certificate->names, certificate->days };

    if (err.code == ERR_NOT_FOUND)
        return OK;
    TRY(err);
    ENSURE(tls_keys_fits(held, &row), ERR_CORRUPT,
           "store: the record of the TLS key in use is another one's");
    if (tls_keys_is_due(held, &row, now_s)) {
        err = tls_keys_open(held, &row, &fresh, detail);
        held->renewed_s = err.code ? 0 : now_s;
        if (!err.code)
            return OK;
    }
    if (!tls_keys_is_open(&row, json_get(status, "tls")))
        TRY(tls_keys_open(held, &row, &same, detail));
    TRY(err); // of the renewal: what there is serves meanwhile
    return tls_keys_check_end(held, &row, now_s);
}
