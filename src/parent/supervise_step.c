// SPDX-License-Identifier: Apache-2.0
// hello, status, configure, set_credentials, manifest.apply, keyset.open or keyset.create for each
// keyset of the configuration, and tls.open. The enclave's answers are only checked for belonging
// to this deployment: who needs to trust it verifies its attestation elsewhere, since nobody can
// trust this program.
#include "parent/supervise_step.h"

#include "base/base64.h"
#include "base/ct.h"
#include "base/hex.h"
#include "base/must.h"
#include "parent/imds.h"
#include "parent/log.h"
#include "parent/stamp.h"
#include "parent/store_manifest.h"
#include "parent/tls_keys.h"
#include "proto/keyset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define STEP_CALL_MS    10000
#define STEP_KMS_MS     60000  // two KMS calls for each wrapping, or one of the anchor for a keyset
#define STEP_REFRESH_MS 600000 // before expiry; IMDS has new credentials by then (EC2 User Guide)
#define STEP_AGAIN_MS   60000

// A call that keeps the enclave's words when it refuses.
static struct err step_call(struct supervise_step *step, struct enclave_link_reply *reply,
                            const char *method, struct bytes params, int ms)
{
    struct err err = enclave_link_call(step->options.link, reply, method, params, deadline_in(ms));
    char prefix[64];

    if (err.code && reply->detail.text[0]) {
        (void)snprintf(prefix, sizeof(prefix), "%s: ", method);
        detail_set(&step->detail, prefix, bytes_str(reply->detail.text));
    }
    return err;
}

static struct err step_hello(struct supervise_step *step)
{
    AUTO(enclave_link_free_reply) struct enclave_link_reply reply = { 0 };
    uint64_t protocol;

    TRY(step_call(step, &reply, "hello", BYTES_LIT("{\"protocol\":[1]}"), STEP_CALL_MS));
    step->connected = true;
    TRY(json_u64(&protocol, json_get(reply.result, "protocol")));
    ENSURE(protocol == 1, ERR_UNSUPPORTED, "hello: expected protocol 1");
    return OK;
}

static struct err step_status(struct supervise_step *step, struct enclave_link_reply *reply)
{
    struct bytes phase;

    enclave_link_free_reply(reply);
    TRY(step_call(step, reply, "status", BYTES_NONE, STEP_CALL_MS));
    phase = json_string(json_get(reply->result, "phase"));
    ENSURE(phase.n > 0 && bytes_to_str(phase, step->phase, sizeof(step->phase)), ERR_MALFORMED,
           "status: expected a phase");
    return OK;
}

static struct err step_configure(struct supervise_step *step)
{
    AUTO(enclave_link_free_reply) struct enclave_link_reply reply = { 0 };
    struct wr wr = WR_OF(step->params);
    struct jw jw = jw_of(&wr);

    jw_object(&jw);
    jw_key(&jw, "config_b64");
    jw_base64(&jw, step->options.configuration);
    jw_object_end(&jw);
    TRY(step_call(step, &reply, "configure", wr_done(&wr), STEP_CALL_MS));
    log_event(LOG_INFO, "supervise", "configured", NULL, NULL);
    return OK;
}

// Another deployment's enclave would fail on every record of this store: better said at once.
static struct err step_check_deployment(struct supervise_step *step, const struct json *status)
{
    char id[ID_TEXT], pcr16[97];
    uint8_t expected[48];
    struct bytes seen = json_string(json_get(status, "pcr16"));

    id_text(id, &step->options.config->deployment);
    ENSURE(bytes_equal_str(json_string(json_get(status, "deployment")), id), ERR_MISMATCH,
           "status: the enclave serves another deployment");
    config_pcr16(expected, step->options.configuration);
    hex_encode(pcr16, BYTES_OF(expected));
    if (seen.n > 2 && seen.p[0] == '0' && seen.p[1] == 'x')
        seen = bytes_skip(seen, 2);
    ENSURE(bytes_equal_str(seen, pcr16), ERR_MISMATCH,
           "status: the enclave has another configuration of this deployment");
    return OK;
}

static void step_write_credentials(struct wr *wr, const struct imds_credentials *c)
{
    struct jw jw = jw_of(wr);

    jw_object(&jw);
    jw_key(&jw, "aws_access_key_id");
    jw_cstring(&jw, c->access_key);
    jw_key(&jw, "aws_secret_access_key");
    jw_cstring(&jw, c->secret_key);
    jw_key(&jw, "aws_session_token");
    jw_cstring(&jw, c->token);
    jw_key(&jw, "expiration");
    jw_cstring(&jw, c->expiration);
    jw_object_end(&jw);
}

static struct err step_hand_over(struct supervise_step *step)
{
    AUTO(enclave_link_free_reply) struct enclave_link_reply reply = { 0 };
    AUTO(imds_wipe) struct imds_credentials credentials = { 0 };
    struct wr wr = WR_OF(step->params);
    struct err err;

    TRY(imds_fetch(&credentials, step->options.imds, step->options.role));
    step_write_credentials(&wr, &credentials);
    err = step_call(step, &reply, "set_credentials", wr_done(&wr), STEP_CALL_MS);
    ct_wipe(step->params, wr.len);
    TRY(err);
    step->expires_ms = credentials.expires_ms;
    log_event(LOG_INFO, "supervise", "credentials_set", "expires", credentials.expiration);
    return OK;
}

// Credentials are due when the enclave has none (its front was restarted) or before they expire.
static struct err step_credentials(struct supervise_step *step, const struct json *status)
{
    const struct json *now = json_get(status, "credentials");
    uint64_t now_ms = stamp_now_ms();
    bool has = now && now->type == JSON_OBJECT;

    if (has && now_ms < step->refresh_ms)
        return step->refresh_err;
    step->detail = (struct detail) { 0 };
    step->refresh_err = step_hand_over(step);
    step->refresh_detail = step->detail;
    step->refresh_ms = has ? now_ms + STEP_AGAIN_MS : 0;
    if (step->refresh_err.code)
        log_event(LOG_WARN, "supervise", "credentials_failed", "error",
                  detail_text(&step->detail, step->refresh_err));
    else
        step->refresh_ms = now_ms + STEP_AGAIN_MS;
    if (!step->refresh_err.code && step->expires_ms > step->refresh_ms + STEP_REFRESH_MS)
        step->refresh_ms = step->expires_ms - STEP_REFRESH_MS;
    return step->refresh_err;
}

static struct err step_decode(uint8_t *out, size_t cap, struct bytes *bytes,
                              const struct json *value)
{
    size_t n;

    TRY(base64_decode(out, cap, &n, json_string(value)));
    *bytes = bytes_of(out, n);
    return OK;
}

// A new keyset's record must be the one that was asked for before it is kept for good.
static struct err step_check_record(struct supervise_step *step, const struct store_keyset *row)
{
    struct keyset keyset;
    char id[ID_TEXT];

    TRY(keyset_read(&keyset, row->record));
    id_text(id, &keyset.id);
    ENSURE(id_equal(&keyset.deployment, &step->options.config->deployment) &&
               bytes_equal_str(keyset.name, row->name) && strcmp(id, row->id) == 0,
           ERR_MISMATCH, "keyset.create: the record is another keyset's");
    return OK;
}

static struct err step_create(struct supervise_step *step, const char *name)
{
    AUTO(enclave_link_free_reply) struct enclave_link_reply reply = { 0 };
    struct store_keyset row = { .created_ms = stamp_now_ms() };
    uint8_t record[KEYSET_BYTES_MAX], receipt[DOCUMENT_MAX];
    struct wr wr = WR_OF(step->params);
    struct jw jw = jw_of(&wr);

    jw_object(&jw);
    jw_key(&jw, "name");
    jw_cstring(&jw, name);
    jw_object_end(&jw);
    TRY(step_call(step, &reply, "keyset.create", wr_done(&wr), STEP_KMS_MS));
    (void)snprintf(row.name, sizeof(row.name), "%s", name);
    ENSURE(bytes_to_str(json_string(json_get(reply.result, "keyset")), row.id, sizeof(row.id)),
           ERR_MALFORMED, "keyset.create: expected a keyset id");
    TRY(step_decode(record, sizeof(record), &row.record, json_get(reply.result, "record_b64")));
    TRY(step_decode(receipt, sizeof(receipt), &row.receipt, json_get(reply.result, "receipt_b64")));
    TRY(step_check_record(step, &row));
    TRY(store_add_keyset(step->options.store, &row));
    log_event(LOG_INFO, "supervise", "keyset_created", "keyset", row.id);
    return OK;
}

static struct err step_open(struct supervise_step *step, const struct store_keyset *row)
{
    AUTO(enclave_link_free_reply) struct enclave_link_reply reply = { 0 };
    struct wr wr = WR_OF(step->params);
    struct jw jw = jw_of(&wr);

    jw_object(&jw);
    jw_key(&jw, "record_b64");
    jw_base64(&jw, row->record);
    jw_object_end(&jw);
    TRY(step_call(step, &reply, "keyset.open", wr_done(&wr), STEP_KMS_MS));
    ENSURE(bytes_equal_str(json_string(json_get(reply.result, "keyset")), row->id), ERR_MISMATCH,
           "keyset.open: the enclave opened another keyset");
    log_event(LOG_INFO, "supervise", "keyset_opened", "keyset", row->id);
    return OK;
}

static bool step_is_open(const struct json *status, const char *id)
{
    const struct json *list = json_get(status, "keysets");

    for (const struct json *at = list ? list->child : NULL; at; at = at->next)
        if (bytes_equal_str(json_string(json_get(at, "id")), id))
            return true;
    return false;
}

static struct err step_keyset(struct supervise_step *step, const struct json *status,
                              struct bytes name)
{
    AUTO(store_free_keyset) struct store_keyset row = { 0 };
    char text[NAME_BYTES_MAX + 1];
    struct err err;

    ENSURE(bytes_to_str(name, text, sizeof(text)), ERR_MALFORMED, "keyset: name is too long");
    err = store_get_keyset(step->options.store, &row, text);
    if (err.code == ERR_NOT_FOUND) {
        TRY(step_create(step, text));
        err = store_get_keyset(step->options.store, &row, text);
    }
    TRY(err);
    return step_is_open(status, row.id) ? OK : step_open(step, &row);
}

// One keyset that does not open (a CMK is disabled) must not keep the others closed.
static struct err step_keysets(struct supervise_step *step, const struct json *status)
{
    const struct config *config = step->options.config;
    struct detail detail = { 0 };
    struct err first = OK;

    for (size_t i = 0; i < config->keysets; i++) {
        struct err err = step_keyset(step, status, config->keyset[i].name);

        if (!err.code || first.code)
            continue;
        first = err;
        detail = step->detail;
    }
    step->detail = detail;
    return first;
}

static struct err step_apply(struct supervise_step *step, struct bytes manifest)
{
    AUTO(enclave_link_free_reply) struct enclave_link_reply reply = { 0 };
    size_t cap = base64_len(manifest.n) + 64;
    uint8_t *params = malloc(cap);
    struct wr wr = wr_of(params, cap);
    struct jw jw = jw_of(&wr);
    struct err err;

    ENSURE(params, ERR_FULL, "manifest.apply: no memory");
    jw_object(&jw);
    jw_key(&jw, "manifest_b64");
    jw_base64(&jw, manifest);
    jw_object_end(&jw);
    err = wr_end(&wr);
    if (!err.code)
        err = step_call(step, &reply, "manifest.apply", wr_done(&wr), STEP_KMS_MS);
    free(params);
    TRY(err);
    log_event(LOG_INFO, "supervise", "manifest_applied", NULL, NULL);
    return OK;
}

// A vault that was started again knows no manifest; it must have the stored one before a keyset is
// opened. A newer one, which came to the vault by another way, is left alone.
static struct err step_manifest(struct supervise_step *step, const struct json *status)
{
    AUTO(store_manifest_free) struct store_manifest stored = { 0 };
    uint64_t serial = 0;
    struct err err = store_manifest_get(step->options.store, &stored);

    if (err.code == ERR_NOT_FOUND)
        return OK;
    TRY(err);
    ENSURE(!json_u64(&serial, json_get(status, "manifest_serial")).code, ERR_MALFORMED,
           "status: expected manifest_serial");
    return serial < stored.serial ? step_apply(step, stored.bytes) : OK;
}

static struct err step_refresh_result(struct supervise_step *step)
{
    step->detail = step->refresh_detail;
    return step->refresh_err;
}

struct err supervise_step(struct supervise_step *step)
{
    AUTO(enclave_link_free_reply) struct enclave_link_reply status = { 0 };
    struct detail detail = { 0 };
    struct err refreshed, keysets, tls = OK;

    step->detail = (struct detail) { 0 };
    step->connected = step->ready = false;
    step->phase[0] = 0;
    TRY(step_hello(step));
    TRY(step_status(step, &status));
    if (strcmp(step->phase, "UNCONFIGURED") == 0) {
        TRY(step_configure(step));
        TRY(step_status(step, &status));
    }
    TRY(step_check_deployment(step, status.result));
    TRY(step_manifest(step, status.result));
    ENSURE(strcmp(step->phase, "SEALED") != 0, ERR_PHASE,
           "the enclave is sealed and has no key; administrators unseal it");
    refreshed = step_credentials(step, status.result);
    TRY(step_status(step, &status)); // a manifest may have closed keysets
    keysets = step_keysets(step, status.result);
    TRY(step_status(step, &status));
    if (strcmp(step->phase, "READY") == 0)
        tls = tls_keys_keep(step->options.tls, status.result, &detail);
    // Without credentials no keyset opens: then their error is the cause and the other the effect.
    if (refreshed.code && keysets.code)
        return step_refresh_result(step);
    TRY(keysets);
    ENSURE(strcmp(step->phase, "READY") == 0, ERR_PHASE, "status: the enclave is not READY yet");
    step->ready = true;
    TRY(step_refresh_result(step));
    step->detail = detail;
    return tls;
}
