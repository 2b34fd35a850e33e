// SPDX-License-Identifier: Apache-2.0
// What the enclave says about itself passes through unchanged; what cloisterd says stands beside
// it, so that nobody takes one for the other. Nothing here proves anything: the attestation
// document does, to whoever verifies it.
#include "parent/rest_status.h"

#include "parent/rest_query.h"
#include "parent/stamp.h"
#include "parent/tunnel.h"

#define STATUS_CALL_MS 5000

// Without a token: the phase only.
struct err rest_status_health(struct rest_call *call)
{
    struct supervise_view view;

    supervise_look(call->rest->supervise, &view);
    jw_object(&call->jw);
    jw_key(&call->jw, "status");
    jw_cstring(&call->jw, view.ready ? "ok" : "unavailable");
    jw_key(&call->jw, "phase");
    jw_cstring(&call->jw, view.phase);
    jw_object_end(&call->jw);
    if (view.ready)
        return OK;
    call->status = 503;
    call->response->field[call->response->fields++] =
        (struct http_field) { BYTES_LIT("Retry-After"), BYTES_LIT("1") };
    return OK;
}

static void status_time(struct jw *jw, const char *key, uint64_t ms)
{
    char text[STAMP_TEXT];

    stamp_text(text, ms);
    jw_key(jw, key);
    if (ms)
        jw_cstring(jw, text);
    else
        jw_null(jw);
}

static void status_tunnel(struct jw *jw, const struct tunnel *tunnel)
{
    struct addr bound;
    size_t connections;
    char text[300];

    if (!tunnel) {
        jw_null(jw);
        return;
    }
    tunnel_look(tunnel, &bound, &connections);
    addr_format(text, sizeof(text), &bound);
    jw_object(jw);
    jw_key(jw, "address");
    jw_cstring(jw, text);
    jw_key(jw, "connections");
    jw_u64(jw, connections);
    jw_object_end(jw);
}

static void status_own(struct rest_call *call)
{
    struct jw *jw = &call->jw;
    struct supervise_view view;
    char deployment[ID_TEXT];

    supervise_look(call->rest->supervise, &view);
    id_text(deployment, &call->rest->config->deployment);
    jw_object(jw);
    jw_key(jw, "version");
    jw_cstring(jw, call->rest->version);
    jw_key(jw, "deployment");
    jw_cstring(jw, deployment);
    jw_key(jw, "connected");
    jw_bool(jw, view.connected);
    jw_key(jw, "ready");
    jw_bool(jw, view.ready);
    jw_key(jw, "problem");
    if (view.problem[0])
        jw_cstring(jw, view.problem);
    else
        jw_null(jw);
    status_time(jw, "since", view.since_ms);
    status_time(jw, "credentials_expire", view.expires_ms);
    jw_key(jw, "broadcast");
    jw_bool(jw, call->rest->broadcast != NULL);
    jw_key(jw, "tunnel");
    status_tunnel(jw, call->rest->tunnel);
    jw_object_end(jw);
}

struct err rest_status_show(struct rest_call *call)
{
    struct enclave_link_reply reply;
    struct err err = enclave_link_call(call->rest->link, &reply, "status", BYTES_NONE,
                                       deadline_in(STATUS_CALL_MS));

    jw_object(&call->jw);
    jw_key(&call->jw, "enclave");
    if (err.code)
        jw_null(&call->jw);
    else
        jw_value(&call->jw, reply.result);
    jw_key(&call->jw, "cloisterd");
    status_own(call);
    jw_object_end(&call->jw);
    enclave_link_free_reply(&reply);
    return OK;
}

struct err rest_status_attestation(struct rest_call *call)
{
    char nonce[2 + 2 * NONCE_BYTES_MAX + 1];
    uint8_t params[256];
    struct wr wr = WR_OF(params);
    struct jw jw = jw_of(&wr);
    struct enclave_link_reply reply;
    struct err err;

    TRY(rest_query_get(call->query, "nonce", nonce, sizeof(nonce)));
    jw_object(&jw);
    if (nonce[0]) {
        jw_key(&jw, "nonce");
        jw_cstring(&jw, nonce);
    }
    jw_object_end(&jw);
    err = enclave_link_call(call->rest->link, &reply, "attestation", wr_done(&wr),
                            deadline_in(STATUS_CALL_MS));
    call->detail = reply.detail;
    if (!err.code)
        jw_value(&call->jw, reply.result);
    enclave_link_free_reply(&reply);
    return err;
}

static void status_keyset(void *context, const struct store_keyset *keyset)
{
    struct jw *jw = context;

    jw_object(jw);
    jw_key(jw, "keyset");
    jw_cstring(jw, keyset->id);
    jw_key(jw, "name");
    jw_cstring(jw, keyset->name);
    jw_key(jw, "record_b64");
    jw_base64(jw, keyset->record);
    jw_key(jw, "receipt_b64");
    jw_base64(jw, keyset->receipt);
    status_time(jw, "created", keyset->created_ms);
    jw_object_end(jw);
}

struct err rest_status_keysets(struct rest_call *call)
{
    jw_object(&call->jw);
    jw_key(&call->jw, "keysets");
    jw_array(&call->jw);
    TRY(store_list_keysets(call->rest->store, status_keyset, &call->jw));
    jw_array_end(&call->jw);
    jw_object_end(&call->jw);
    return OK;
}
