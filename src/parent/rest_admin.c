// SPDX-License-Identifier: Apache-2.0
// Carries what administrators signed to the enclave, which alone verifies it. A manifest is kept
// only when the enclave took it: one that it refuses must not stand in the way of the right one.
// From then on the supervisor applies it again after every restart.
#include "parent/rest_admin.h"

#include "base/base64.h"
#include "base/must.h"
#include "parent/log.h"
#include "parent/store_manifest.h"

#include <stdlib.h>

#define ADMIN_CALL_MS 25000 // a silent anchor has 15 s; `cloister` waits 30

// One call with one string member; `reply` is the caller's to free.
static struct err admin_call(struct rest_call *call, struct enclave_link_reply *reply,
                             const char *method, const char *key)
{
    size_t cap = call->request->body.n + 256;
    uint8_t *params = malloc(cap);
    struct wr wr = wr_of(params, cap);
    struct jw jw = jw_of(&wr);
    struct err err;

    ENSURE(params, ERR_FULL, "no memory");
    jw_object(&jw);
    if (key) {
        jw_key(&jw, key);
        jw_string(&jw, json_string(json_get(call->body, key)));
    }
    jw_object_end(&jw);
    err = wr_end(&wr);
    if (!err.code)
        err = enclave_link_call(call->rest->link, reply, method, wr_done(&wr),
                                deadline_in(ADMIN_CALL_MS));
    free(params);
    if (err.code)
        call->detail = reply->detail;
    return err;
}

static struct err admin_read_manifest(struct rest_call *call, uint8_t *space,
                                      struct store_manifest *out)
{
    struct manifest_signed whole;
    struct manifest manifest;
    struct bytes text = json_string(json_get(call->body, "manifest_b64"));
    size_t n;

    ENSURE(text.n > 0 && !base64_decode(space, MANIFEST_SIGNED_MAX, &n, text).code, ERR_MALFORMED,
           "manifest_b64: expected a signed manifest in base64");
    out->bytes = bytes_of(space, n);
    TRY(manifest_signed_read(&whole, out->bytes));
    TRY(manifest_read(&manifest, whole.manifest));
    ENSURE(manifest.serial <= INT64_MAX, ERR_MALFORMED, "manifest.serial: expected below 2^63");
    ENSURE(id_equal(&manifest.deployment, &call->rest->config->deployment), ERR_MISMATCH,
           "manifest.deployment: is another one than this daemon's");
    out->serial = manifest.serial;
    return OK;
}

static void admin_copy(struct jw *jw, const struct json *result, const char *name)
{
    const struct json *value = json_get(result, name);

    jw_key(jw, name);
    if (value)
        jw_value(jw, value);
    else
        jw_null(jw);
}

// Whether what was done outlasts a restart, and where.
static void admin_copy_anchor(struct rest_call *call, const struct json *result)
{
    jw_key(&call->jw, "anchor");
    jw_cstring(&call->jw, config_anchor_name(call->rest->config->anchor));
    admin_copy(&call->jw, result, "anchored");
}

static struct err admin_keep(struct rest_call *call, uint8_t *space)
{
    AUTO(enclave_link_free_reply) struct enclave_link_reply reply = { 0 };
    struct store_manifest manifest = { 0 };
    char serial[24];
    struct wr wr = wr_of(serial, sizeof(serial) - 1);

    TRY(admin_read_manifest(call, space, &manifest));
    TRY(admin_call(call, &reply, "manifest.apply", "manifest_b64"));
    TRY(store_manifest_put(call->rest->store, &manifest));
    supervise_wake(call->rest->supervise);
    u256_write_decimal(&wr, u256_of(manifest.serial));
    serial[wr.len] = 0;
    log_event(LOG_INFO, "admin", "manifest_stored", "serial", serial);
    jw_object(&call->jw);
    jw_key(&call->jw, "serial");
    jw_u64(&call->jw, manifest.serial);
    admin_copy_anchor(call, reply.result);
    jw_object_end(&call->jw);
    return OK;
}

struct err rest_admin_put_manifest(struct rest_call *call)
{
    static const char *const known[] = { "manifest_b64", NULL };
    uint8_t *space;
    struct err err;

    TRY(rest_call_only(call, known));
    space = malloc(MANIFEST_SIGNED_MAX);
    ENSURE(space, ERR_FULL, "no memory");
    err = admin_keep(call, space);
    free(space);
    return err;
}

struct err rest_admin_get_manifest(struct rest_call *call)
{
    AUTO(store_manifest_free) struct store_manifest manifest = { 0 };

    TRY(store_manifest_get(call->rest->store, &manifest));
    jw_object(&call->jw);
    jw_key(&call->jw, "manifest_b64");
    jw_base64(&call->jw, manifest.bytes);
    jw_key(&call->jw, "serial");
    jw_u64(&call->jw, manifest.serial);
    jw_object_end(&call->jw);
    return OK;
}

// What an administrator needs for unsealing comes along.
struct err rest_admin_seal(struct rest_call *call)
{
    static const char *const known[] = { NULL };
    AUTO(enclave_link_free_reply) struct enclave_link_reply sealed = { 0 };
    AUTO(enclave_link_free_reply) struct enclave_link_reply status = { 0 };

    TRY(rest_call_only(call, known));
    TRY(admin_call(call, &sealed, "seal", NULL));
    log_event(LOG_WARN, "admin", "sealed", NULL, NULL);
    supervise_wake(call->rest->supervise);
    TRY(admin_call(call, &status, "status", NULL));
    jw_object(&call->jw);
    admin_copy(&call->jw, status.result, "phase");
    admin_copy(&call->jw, status.result, "seals");
    admin_copy(&call->jw, status.result, "boot");
    admin_copy_anchor(call, sealed.result);
    jw_object_end(&call->jw);
    return OK;
}

struct err rest_admin_unseal(struct rest_call *call)
{
    static const char *const known[] = { "approvals_b64", NULL };
    AUTO(enclave_link_free_reply) struct enclave_link_reply reply = { 0 };

    TRY(rest_call_only(call, known));
    ENSURE(json_string(json_get(call->body, "approvals_b64")).n > 0, ERR_MALFORMED,
           "approvals_b64: expected approvals in base64");
    TRY(admin_call(call, &reply, "unseal", "approvals_b64"));
    log_event(LOG_WARN, "admin", "unsealed", NULL, NULL);
    supervise_wake(call->rest->supervise);
    jw_object(&call->jw);
    admin_copy(&call->jw, reply.result, "phase");
    jw_object_end(&call->jw);
    return OK;
}
