// SPDX-License-Identifier: Apache-2.0
// Methods about the enclave itself. The configuration is checked here for the sake of the message
// only: the vault measures and decodes the same bytes again.
#include "front/admin.h"

#include "front/keysets.h"
#include "front/params.h"
#include "front/report.h"
#include "net/when.h"
#include "proto/approval.h"
#include "proto/manifest.h"

static struct err admin_check_versions(const struct json *versions)
{
    if (!versions)
        return OK;
    ENSURE(versions->type == JSON_ARRAY, ERR_MALFORMED, "protocol: expected a list of versions");
    for (const struct json *at = versions->child; at; at = at->next) {
        uint64_t version = 0;

        ENSURE(!json_u64(&version, at).code, ERR_MALFORMED, "protocol: expected integers");
        if (version == 1)
            return OK;
    }
    return FAIL(ERR_UNSUPPORTED, "protocol: only version 1 is spoken here");
}

struct err admin_hello(struct call *call, const struct json *params)
{
    struct jw *jw;

    TRY(admin_check_versions(json_get(params, "protocol")));
    jw = call_begin(call);
    jw_u64(jw_key(jw, "protocol"), 1);
    jw_cstring(jw_key(jw, "program"), "cloister-enclave");
    jw_cstring(jw_key(jw, "version"), CORE_VERSION);
    jw_cstring(jw_key(jw, "anchors"), call->core->anchors->name);
    jw_cstring(jw_key(jw, "phase"), core_phase_name(call->core->phase));
    call_end(call);
    return OK;
}

struct err admin_status(struct call *call, const struct json *params)
{
    (void)params;
    call->tell = report_status;
    return call_ask(call, MSG_STATUS, BYTES_NONE, report_asked);
}

struct err admin_configure(struct call *call, const struct json *params)
{
    static const struct params_blob canonical =
        PARAMS_BLOB("config_b64", CONFIG_BYTES_MAX, "16384");
    struct config config;
    struct bytes bytes;

    TRY(params_read_blob(&bytes, params, &canonical));
    TRY(config_read(&config, bytes));
    TRY(call_keep(call, bytes));
    return call_ask(call, MSG_CONFIGURE, bytes, report_configured);
}

struct err admin_ask_manifest(struct call *call, const struct json *params)
{
    static const struct params_blob manifest =
        PARAMS_BLOB("manifest_b64", MANIFEST_SIGNED_MAX, "133120");
    struct bytes bytes;

    TRY(params_read_blob(&bytes, params, &manifest));
    return keysets_administer(call, MSG_MANIFEST, bytes);
}

struct err admin_ask_seal(struct call *call, const struct json *params)
{
    (void)params;
    return keysets_administer(call, MSG_SEAL, BYTES_NONE);
}

struct err admin_ask_unseal(struct call *call, const struct json *params)
{
    static const struct params_blob approvals =
        PARAMS_BLOB("approvals_b64", 1 + CONFIG_ADMINS * APPROVAL_BYTES, "1041");
    struct bytes bytes;

    TRY(params_read_blob(&bytes, params, &approvals));
    return call_ask(call, MSG_UNSEAL, bytes, report_changed);
}

struct err admin_set_credentials(struct call *call, const struct json *params)
{
    struct core *core = call->core;
    const struct json *token = json_get(params, "aws_session_token");
    const struct json *expiration = json_get(params, "expiration");
    struct sigv4_credentials given = {
        .access_key = json_string(json_get(params, "aws_access_key_id")),
        .secret_key = json_string(json_get(params, "aws_secret_access_key")),
        .token = json_string(token),
    };
    uint64_t expires_s, now_s = core_now_s(&core->clock);
    struct jw *jw;

    ENSURE(!token || given.token.p, ERR_MALFORMED, "aws_session_token: expected a string");
    ENSURE(!json_u64(&expires_s, expiration).code ||
               !when_rfc3339(&expires_s, json_string(expiration)).code,
           ERR_MALFORMED, "expiration: expected an RFC 3339 time or Unix seconds");
    TRY(credentials_set(core->credentials, &given, expires_s, now_s));
    core_event(CORE_EVENT_CREDENTIALS, (int64_t)((expires_s - now_s) / 60), 0);
    jw = call_begin(call);
    jw_u64(jw_key(jw, "expires"), expires_s);
    call_end(call);
    return OK;
}

struct err admin_attestation(struct call *call, const struct json *params)
{
    struct bytes nonce;
    struct wr *wr;

    TRY(params_read_nonce(&nonce, params));
    TRY(link_begin(call->core->link, &wr, MSG_ATTESTATION, 2 + NONCE_BYTES_MAX));
    msg_write_attestation(wr, &(struct msg_attestation) { .nonce = nonce });
    return link_end(call->core->link, (struct link_done) { report_attestation, call });
}
