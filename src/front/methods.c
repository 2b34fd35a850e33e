// SPDX-License-Identifier: Apache-2.0
// The front's surface. Duty: find the method, refuse what the phase, the table or the request's
// form forbid, by name. The vault checks phase and content again: a refusal here only comes
// earlier and says more.
#include "front/methods.h"

#include "front/accounts.h"
#include "front/admin.h"
#include "front/keysets.h"
#include "front/signing.h"
#include "front/tlskeys.h"

#define NODES_MAX   16384U // JSON values of one frame; an access list of 128 KiB has 4000
#define PHASE_SET   (PHASE_CONFIGURED | PHASE_READY)
#define PHASE_BOUND (PHASE_SET | PHASE_SEALED)
#define PHASE_ANY   (PHASE_UNCONFIGURED | PHASE_BOUND)

#define PARAMS(...) ((const char *const[]) { __VA_ARGS__, NULL })
#define NO_PARAMS   ((const char *const[]) { NULL })
#define CREDENTIALS \
    PARAMS("aws_access_key_id", "aws_secret_access_key", "aws_session_token", "expiration")

#define ACCOUNT  PARAMS("keyset", "unrestricted", "nonce")
#define ENVELOPE PARAMS("account", "enc", "ciphertext_b64", "nonce")
#define TLS_KEY  PARAMS("keyset", "nonce")
#define TLS_OPEN PARAMS("record_b64", "certificate_pem", "names", "days")

struct method {
    const char *name;
    unsigned phases; // bits of enum receipt_phase
    struct err (*run)(struct call *call, const struct json *params);
    const char *const *params; // NULL ends them
};

static const struct method methods[] = {
    { "hello", PHASE_ANY, admin_hello, PARAMS("protocol") },
    { "status", PHASE_ANY, admin_status, NO_PARAMS },
    { "configure", PHASE_UNCONFIGURED, admin_configure, PARAMS("config_b64") },
    { "set_credentials", PHASE_SET, admin_set_credentials, CREDENTIALS },
    { "keyset.create", PHASE_SET, keysets_create, PARAMS("name", "nonce") },
    { "keyset.open", PHASE_SET, keysets_open, PARAMS("record_b64") },
    { "account.create", PHASE_READY, accounts_create, ACCOUNT },
    { "account.open", PHASE_READY, accounts_open, PARAMS("record_b64") },
    { "sign_transaction", PHASE_READY, signing_transaction, PARAMS("account", "record_b64", "tx") },
    { "attestation", PHASE_ANY, admin_attestation, PARAMS("nonce") },
    { "manifest.apply", PHASE_BOUND, admin_ask_manifest, PARAMS("manifest_b64") },
    { "seal", PHASE_BOUND, admin_ask_seal, NO_PARAMS },
    { "unseal", PHASE_SEALED, admin_ask_unseal, PARAMS("approvals_b64") },
    { "import.begin", PHASE_READY, accounts_import_begin, ACCOUNT },
    { "import.finish", PHASE_READY, accounts_import_finish, ENVELOPE },
    { "tls.create", PHASE_READY, tlskeys_create, TLS_KEY },
    { "tls.import", PHASE_READY, tlskeys_import, TLS_KEY },
    { "tls.csr", PHASE_READY, tlskeys_csr, PARAMS("record_b64", "names") },
    { "tls.open", PHASE_READY, tlskeys_open, TLS_OPEN },
    { "metrics", PHASE_ANY, admin_metrics, NO_PARAMS },
};

// The one request that is being read, all in the loop's thread.
static struct json nodes[NODES_MAX];

struct err methods_parse(const struct json **request, struct bytes body)
{
    // The frame stands in a connection's own buffer, which nobody else looks at: strings are
    // unescaped in place.
    TRY(json_parse(request, nodes, NODES_MAX, (uint8_t *)body.p, body.n));
    ENSURE((*request)->type == JSON_OBJECT, ERR_MALFORMED, "request: expected a JSON object");
    return OK;
}

static bool methods_is_integer(struct bytes text)
{
    size_t from = text.n > 0 && text.p[0] == '-';

    for (size_t i = from; i < text.n; i++)
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
    return text.n > from && text.n <= CALL_ID_MAX;
}

const struct json *methods_id(const struct json *request)
{
    const struct json *id = json_get(request, "id");

    if (id && id->type == JSON_STRING && id->text.n <= CALL_ID_MAX)
        return id;
    return id && id->type == JSON_NUMBER && methods_is_integer(id->text) ? id : NULL;
}

static const struct method *methods_find(struct bytes name)
{
    for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++)
        if (bytes_equal_str(name, methods[i].name))
            return &methods[i];
    return NULL;
}

static struct err methods_check_envelope(const struct json *request)
{
    const struct json *params = json_get(request, "params");

    ENSURE(!json_get(request, "id") || methods_id(request), ERR_MALFORMED,
           "id: expected a string of at most 64 bytes or an integer");
    ENSURE(json_string(json_get(request, "method")).p, ERR_MALFORMED, "method: expected a string");
    ENSURE(!params || params->type == JSON_OBJECT, ERR_MALFORMED, "params: expected an object");
    return OK;
}

static struct err methods_check_phase(const struct call *call, const struct method *method)
{
    uint8_t phase = call->core->phase;

    if (method->phases & phase)
        return OK;
    ENSURE(method->phases != PHASE_UNCONFIGURED, ERR_PHASE, "the enclave is configured already");
    ENSURE(phase != PHASE_UNCONFIGURED, ERR_PHASE,
           "not possible while UNCONFIGURED; call configure first");
    ENSURE(phase != PHASE_SEALED, ERR_PHASE, "not possible while SEALED; call unseal first");
    ENSURE(method->phases != PHASE_SEALED, ERR_PHASE, "the enclave is not sealed");
    return FAIL(ERR_PHASE,
                "not possible before a keyset is open; call keyset.open or keyset.create first");
}

void methods_run(struct call *call, const struct json *request)
{
    static const char *const envelope[] = { "id", "method", "params", NULL };
    const struct json *params = json_get(request, "params");
    const struct json *unknown = json_unknown(request, envelope);
    struct err err = methods_check_envelope(request);
    const struct method *method = NULL;

    if (!err.code && !unknown) {
        method = methods_find(json_string(json_get(request, "method")));
        unknown = method && params ? json_unknown(params, method->params) : NULL;
    }
    if (err.code)
        call_fail(call, err);
    else if (unknown)
        call_fail_named(call, ERR_MALFORMED, "unknown field", unknown->key);
    else if (!method)
        call_fail_named(call, ERR_UNSUPPORTED, "unknown method",
                        json_string(json_get(request, "method")));
    else if ((err = methods_check_phase(call, method)).code ||
             (err = method->run(call, params)).code)
        call_fail(call, err);
}
