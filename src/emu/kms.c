// SPDX-License-Identifier: Apache-2.0
// One KMS request from signature to answer. Everything in it is hostile until it is verified; a
// refusal changes nothing and names what AWS would name. Lines in the log say which measurements
// were presented and what was decided, and contain no secret.
#include "emu/kms.h"

#include "base/hex.h"
#include "base/must.h"
#include "crypto/openssl/libcrypto.h"
#include "emu/journal.h"
#include "emu/kms_auth.h"
#include "emu/kms_condition.h"
#include "emu/kms_op.h"
#include "emu/kms_recipient.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static FALLIBLE kms_suffer(struct kms_call *call, const struct kms_op *op);
static FALLIBLE kms_decide(struct kms_call *call, const struct kms_op *op,
                           const struct server_request *request, struct wr *out);
static FALLIBLE kms_parse(struct kms_call *call, struct bytes body);
static void kms_write_error(const struct kms_call *call, struct err e,
                            struct server_response *response);
static void kms_log(const struct kms_call *call, struct err e);

static void call_free(struct kms_call **call)
{
    if (*call)
        ct_wipe(*call, sizeof(**call));
    free(*call);
    *call = NULL;
}

// Every answer has an id of its own, which AWS's clients log.
static void kms_request_id(struct server_response *response)
{
    uint8_t random[16];
    char hex[2 * sizeof(random) + 1];
    char *out = (char *)response->scratch;
    int n;

    libcrypto_random(random, sizeof(random));
    hex_encode(hex, BYTES_OF(random));
    n = snprintf(out, sizeof(response->scratch), "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8,
                 hex + 12, hex + 16, hex + 20);
    response->field[response->fields++] =
        (struct http_field) { BYTES_LIT("x-amzn-RequestId"), bytes_of(out, (size_t)n) };
}

void kms_handle(const struct server_request *request, struct server_response *response)
{
    AUTO(call_free) struct kms_call *call = calloc(1, sizeof(*call));
    const struct kms_op *op = kms_op_find(http_field_get(request->head, "X-Amz-Target"));
    struct err e;

    response->content_type = "application/x-amz-json-1.1";
    response->status = 200;
    if (!call) {
        response->status = 503;
        return;
    }
    call->kms = request->context;
    call->now_s = (uint64_t)time(NULL);
    call->operation = op ? op->name : "?";
    kms_request_id(response);
    e = kms_suffer(call, op);
    if (!e.code)
        e = kms_decide(call, op, request, &response->body);
    if (e.code)
        kms_write_error(call, e, response);
    response->cut = call->fault.cut;
    kms_log(call, e);
}

// Ordered faults of the service itself come before anything that the request says.
static struct err kms_suffer(struct kms_call *call, const struct kms_op *op)
{
    TRY(fault_take(&call->fault, call->kms->dir, op ? op->name : ""));
    if (call->fault.latency_ms)
        (void)poll(NULL, 0, (int)call->fault.latency_ms);
    ENSURE(!call->fault.throttle, ERR_KMS, "ThrottlingException: Rate exceeded");
    ENSURE(!call->fault.internal_status, ERR_KMS,
           "KMSInternalException: The request was rejected because an internal exception occurred");
    return OK;
}

static struct err kms_decide(struct kms_call *call, const struct kms_op *op,
                             const struct server_request *request, struct wr *out)
{
    const struct http_head *head = request->head;
    struct bytes region;

    ENSURE(bytes_equal_str(head->method, "POST") && bytes_equal_str(head->target, "/"), ERR_KMS,
           "UnknownOperationException: expected POST /");
    TRY(kms_auth_verify(&call->caller, &region,
                        &(struct kms_auth) { head, request->body, call->kms->dir, call->now_s }));
    ENSURE(bytes_to_str(region, call->region, sizeof(call->region)), ERR_KMS,
           "InvalidSignatureException: Credential should be scoped to a valid region.");
    creds_session(call->session, &call->caller);
    ENSURE(op, ERR_KMS, "UnknownOperationException: the emulator does not have this operation");
    TRY(kms_parse(call, request->body));
    if (op->check)
        TRY(op->check(call));
    if (op->attested)
        TRY(kms_recipient_verify(call));
    return op->run(call, out);
}

static FALLIBLE kms_parse_context(struct kms_call *call)
{
    const struct json *context = json_get(call->root, "EncryptionContext");

    if (!context || context->type == JSON_NULL)
        return OK;
    ENSURE(context->type == JSON_OBJECT, ERR_KMS,
           "SerializationException: EncryptionContext: expected an object");
    for (const struct json *member = context->child; member; member = member->next)
        ENSURE(member->type == JSON_STRING, ERR_KMS,
               "SerializationException: EncryptionContext: expected strings");
    ENSURE(!kms_condition_check_context(context).code, ERR_KMS,
           "ValidationException: EncryptionContext: expected at most 64 names that differ by more "
           "than their case");
    call->context = context;
    return OK;
}

static struct err kms_parse(struct kms_call *call, struct bytes body)
{
    const struct json *key, *grants;

    ENSURE(body.n > 0 && body.n <= sizeof(call->text), ERR_KMS,
           "SerializationException: expected a body of at most 131072 bytes");
    memcpy(call->text, body.p, body.n);
    ENSURE(!json_parse(&call->root, call->nodes, ARRAY_LEN(call->nodes), call->text, body.n).code &&
               call->root->type == JSON_OBJECT,
           ERR_KMS, "SerializationException: expected a JSON object");
    key = json_get(call->root, "KeyId");
    ENSURE(!key || key->type == JSON_STRING, ERR_KMS,
           "SerializationException: KeyId: expected a string");
    ENSURE(!key || (key->text.n >= 1 && key->text.n <= 2048), ERR_KMS,
           "ValidationException: KeyId: expected 1 to 2048 characters");
    grants = json_get(call->root, "GrantTokens");
    ENSURE(!grants || !grants->child, ERR_KMS,
           "InvalidGrantTokenException: The emulator issues no grants");
    return kms_parse_context(call);
}

// The name and the message of a refusal; what is not one is this program's own failure.
static struct bytes kms_error_name(const struct kms_call *call, struct err e, const char **message)
{
    const char *colon = e.what ? strstr(e.what, ": ") : NULL;

    if (e.code == ERR_DENIED) {
        *message = call->detail;
        return bytes_str(call->refusal);
    }
    if (e.code == ERR_KMS && colon) {
        *message = colon + 2;
        return bytes_of(e.what, (size_t)(colon - e.what));
    }
    *message = "The request processing has failed because of an unknown error";
    return BYTES_LIT("KMSInternalException");
}

static void kms_write_error(const struct kms_call *call, struct err e,
                            struct server_response *response)
{
    bool is_refusal = e.code == ERR_KMS || e.code == ERR_DENIED;
    const char *message;
    struct bytes name = kms_error_name(call, e, &message);
    struct jw jw;

    response->status = is_refusal ? 400 : 500;
    if (call->fault.internal_status)
        response->status = call->fault.internal_status;
    response->body.len = 0;
    response->body.bad = false;
    jw = jw_of(&response->body);
    jw_object(&jw);
    jw_key(&jw, "__type");
    jw_string(&jw, name);
    if (*message) {
        jw_key(&jw, "message");
        jw_cstring(&jw, message);
    }
    jw_object_end(&jw);
}

// " PCR0 ab12cd34.." for the measurements that policies name.
static void kms_log_pcrs(const struct kms_call *call, char *out, size_t cap)
{
    static const unsigned shown[] = { 0, 3, 16 };
    int used = 0;

    out[0] = 0;
    if (!call->has_recipient)
        (void)snprintf(out, cap, " no recipient");
    for (size_t i = 0; call->has_recipient && i < ARRAY_LEN(shown); i++) {
        const uint8_t *pcr = call->attest.pcr[shown[i]];

        if (call->attest.pcr_present >> shown[i] & 1)
            used += snprintf(out + used, cap - (size_t)used, " PCR%u %02x%02x%02x%02x..", shown[i],
                             pcr[0], pcr[1], pcr[2], pcr[3]);
    }
}

static void kms_log(const struct kms_call *call, struct err e)
{
    const char *key = strstr(call->cmk.arn, "key/");
    char pcrs[96];

    kms_log_pcrs(call, pcrs, sizeof(pcrs));
    if (!e.code)
        journal("kms %s %s allowed:%s context ok", call->operation, key ? key : "?", pcrs);
    else if (e.code == ERR_DENIED)
        journal("kms %s %s refused:%s: %s: %s", call->operation, key ? key : "?", pcrs,
                call->refusal, err_text(e));
    else
        journal("kms %s %s refused:%s: %s", call->operation, key ? key : "-", pcrs, err_text(e));
}
