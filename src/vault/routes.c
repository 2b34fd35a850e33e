// SPDX-License-Identifier: Apache-2.0
#include "vault/routes.h"

#include "base/must.h"
#include "proto/audit.h"
#include "vault/access.h"
#include "vault/account.h"
#include "vault/admin.h"
#include "vault/ceremony.h"
#include "vault/deployment.h"
#include "vault/import.h"
#include "vault/sign.h"
#include "vault/tls.h"

#include <string.h>

#define CONFIGURED (PHASE_CONFIGURED | PHASE_READY)
#define BOUND      (PHASE_CONFIGURED | PHASE_READY | PHASE_SEALED)
#define ANY        (PHASE_UNCONFIGURED | BOUND)

struct route {
    uint16_t type;
    uint8_t phases;
    bool audited;
    uint32_t body_max;
    struct err (*handle)(struct turn *turn);
};

static const struct route routes[] = {
    { MSG_STATUS, ANY, false, 0, deployment_status },
    { MSG_CONFIGURE, PHASE_UNCONFIGURED, true, CONFIG_BYTES_MAX, deployment_configure },
    { MSG_CONFIG, BOUND, false, 0, deployment_config },
    { MSG_KEYSET_CREATE, CONFIGURED, true, 98, ceremony_create },
    { MSG_KEYSET_OPEN, CONFIGURED, true, KEYSET_BYTES_MAX, ceremony_open },
    { MSG_KMS_ANSWER, CONFIGURED, true, 12558, ceremony_answer },
    { MSG_ACCOUNT_CREATE, PHASE_READY, true, 32853, account_create },
    { MSG_ACCOUNT_OPEN, PHASE_READY, true, RECORD_BYTES_MAX, account_open },
    { MSG_SIGN_TX, PHASE_READY, true, 172058, sign_tx },
    { MSG_ATTESTATION, ANY, false, 82, deployment_attestation },
    { MSG_MANIFEST, BOUND, true, MANIFEST_SIGNED_MAX, admin_manifest },
    { MSG_SEAL, BOUND, true, 0, admin_seal },
    { MSG_UNSEAL, PHASE_SEALED, true, 1041, admin_unseal },
    { MSG_KMS_FAILED, CONFIGURED, true, 8, ceremony_failed },
    { MSG_IMPORT_BEGIN, PHASE_READY, true, 32853, import_begin },
    { MSG_IMPORT_FINISH, PHASE_READY, true, 275, import_finish },
    { MSG_ANCHOR_ANSWER, BOUND, true, 133, ceremony_anchored },
    { MSG_TLS_OPEN, PHASE_READY, true, RECORD_BYTES_MAX, tls_open },
    { MSG_TLS_SIGN, PHASE_READY, false, 183, tls_sign },
    { MSG_TLS_CERTIFY, PHASE_READY, true, 4100, tls_certify },
    { MSG_CLIENTS, BOUND, false, 0, access_clients },
    { MSG_DENIAL, BOUND, true, 98, access_denial },
};

static const struct route *routes_find(uint16_t type)
{
    for (size_t i = 0; i < ARRAY_LEN(routes); i++)
        if (routes[i].type == type)
            return &routes[i];
    return NULL;
}

static struct err routes_call(const struct route *route, struct turn *turn)
{
    ENSURE(route, ERR_UNSUPPORTED, "message: no such type");
    ENSURE(route->phases & turn->state->phase, ERR_PHASE,
           "message: not possible in this phase (configure, then open a keyset)");
    ENSURE(turn->body.n <= route->body_max, ERR_TOO_LARGE, "message: body is longer than allowed");
    return route->handle(turn);
}

// One audit entry for the decision just taken; the verdict carries its position.
static void routes_audit(struct state *state, const struct msg *msg, const struct turn *turn,
                         struct msg_verdict *verdict)
{
    struct audit_entry entry = {
        .sequence = ++state->sequence,
        .boot = state->boot,
        .method = msg->type,
        .account = turn->account,
        .verdict = verdict->code,
    };

    audit_payload_hash(entry.payload_hash, msg->body);
    audit_extend(state->audit_head, &entry);
    verdict->audited = true;
    verdict->sequence = entry.sequence;
    memcpy(verdict->head, state->audit_head, sizeof(verdict->head));
}

void routes_serve(struct state *state, const struct msg *msg, struct wr *out)
{
    static uint8_t result[VAULT_ANSWER_MAX];
    const struct route *route = routes_find(msg->type);
    struct wr body = WR_OF(result);
    struct turn turn = { .state = state, .body = msg->body, .out = &body };
    struct err err = routes_call(route, &turn);
    struct msg_verdict verdict;
    size_t at;

    if (!err.code)
        err = wr_end(&body);
    verdict = (struct msg_verdict) { .code = (uint16_t)err.code };
    if (!route || route->audited)
        routes_audit(state, msg, &turn, &verdict);
    at = msg_begin(out, msg->type | MSG_ANSWER, msg->id);
    msg_write_verdict(out, &verdict);
    if (err.code)
        wr_var8(out, bytes_take(bytes_str(err_text(err)), WHAT_BYTES_MAX));
    else
        wr_bytes(out, wr_done(&body));
    msg_end(out, at);
    must(!out->bad);
}
