// SPDX-License-Identifier: Apache-2.0
// One table of routes; everything else is the same for all of them: the token is checked before
// anything else is looked at, the body is strict JSON, and an error leaves as a code and a text.
// Clients are those who hold the token; what they send is hostile all the same.
#include "parent/rest.h"

#include "base/ct.h"
#include "base/must.h"
#include "parent/log.h"
#include "parent/metrics.h"
#include "parent/rest_account.h"
#include "parent/rest_admin.h"
#include "parent/rest_call.h"
#include "parent/rest_custody.h"
#include "parent/rest_import.h"
#include "parent/rest_metrics.h"
#include "parent/rest_query.h"
#include "parent/rest_status.h"
#include "parent/rest_tls.h"
#include "parent/rest_tx.h"

#include <stdlib.h>
#include <string.h>

#define REST_NODES_MAX 16384U
#define REST_QUERY_MAX 3

enum rest_token { REST_OPEN, REST_TOKEN, REST_METRICS }; // METRICS: as the settings say

struct rest_route {
    const char *method;
    const char *path;                      // `*` stands for one id, `@` for one name
    enum rest_token token;                 // who may ask
    const char *query[REST_QUERY_MAX + 1]; // known parameters
    struct err (*handle)(struct rest_call *call);
};

static const struct rest_route rest_routes[] = {
    { "GET", "/healthz", REST_OPEN, { NULL }, rest_status_health },
    { "GET", "/v1/status", REST_TOKEN, { NULL }, rest_status_show },
    { "GET", "/v1/attestation", REST_TOKEN, { "nonce" }, rest_status_attestation },
    { "GET", "/v1/keysets", REST_TOKEN, { NULL }, rest_status_keysets },
    { "POST", "/v1/accounts", REST_TOKEN, { NULL }, rest_account_create },
    { "GET", "/v1/accounts", REST_TOKEN, { "user", "after", "limit" }, rest_account_list },
    { "GET", "/v1/accounts/*", REST_TOKEN, { NULL }, rest_account_show },
    { "POST", "/v1/accounts/*/sign-transaction", REST_TOKEN, { NULL }, rest_tx_sign },
    { "POST", "/v1/accounts/*/send-transaction", REST_TOKEN, { NULL }, rest_tx_send },
    { "POST", "/v1/accounts/*/disable", REST_TOKEN, { NULL }, rest_custody_disable },
    { "POST", "/v1/accounts/*/enable", REST_TOKEN, { NULL }, rest_custody_enable },
    { "POST", "/v1/accounts/*/delete", REST_TOKEN, { NULL }, rest_custody_delete },
    { "POST", "/v1/accounts/*/undelete", REST_TOKEN, { NULL }, rest_custody_undelete },
    { "POST", "/v1/imports", REST_TOKEN, { NULL }, rest_import_begin },
    { "POST", "/v1/imports/*", REST_TOKEN, { NULL }, rest_import_finish },
    { "POST", "/v1/tls-keys", REST_TOKEN, { NULL }, rest_tls_create },
    { "GET", "/v1/tls-keys", REST_TOKEN, { NULL }, rest_tls_list },
    { "GET", "/v1/tls-keys/@", REST_TOKEN, { NULL }, rest_tls_show },
    { "DELETE", "/v1/tls-keys/@", REST_TOKEN, { NULL }, rest_tls_drop },
    { "POST", "/v1/tls-keys/@/csr", REST_TOKEN, { NULL }, rest_tls_csr },
    { "PUT", "/v1/tls-keys/@/certificate", REST_TOKEN, { NULL }, rest_tls_install },
    { "POST", "/v1/tls-imports", REST_TOKEN, { NULL }, rest_tls_import_begin },
    { "POST", "/v1/tls-imports/*", REST_TOKEN, { NULL }, rest_tls_import_finish },
    { "GET", "/v1/manifest", REST_TOKEN, { NULL }, rest_admin_get_manifest },
    { "PUT", "/v1/manifest", REST_TOKEN, { NULL }, rest_admin_put_manifest },
    { "POST", "/v1/seal", REST_TOKEN, { NULL }, rest_admin_seal },
    { "POST", "/v1/unseal", REST_TOKEN, { NULL }, rest_admin_unseal },
    { "GET", "/metrics", REST_METRICS, { NULL }, rest_metrics_show },
};

// Every code has its status: 4xx is for the client to mend, 502 and 504 for who runs the other
// side, 503 passes by itself, 500 is for who runs this one.
static const unsigned rest_statuses[ERR_CODES] = {
    [ERR_NONE] = 200,      [ERR_MALFORMED] = 400,   [ERR_UNSUPPORTED] = 400,
    [ERR_PHASE] = 503,     [ERR_DENIED] = 403,      [ERR_NOT_FOUND] = 404,
    [ERR_EXISTS] = 409,    [ERR_MISMATCH] = 409,    [ERR_CORRUPT] = 500,
    [ERR_FULL] = 503,      [ERR_BUSY] = 503,        [ERR_TOO_LARGE] = 413,
    [ERR_TIMEOUT] = 504,   [ERR_UNREACHABLE] = 502, [ERR_CLOSED] = 502,
    [ERR_UNTRUSTED] = 403, [ERR_EXPIRED] = 502,     [ERR_KMS] = 502,
    [ERR_DEVICE] = 500,    [ERR_IO] = 500,          [ERR_UNAUTHORIZED] = 401,
    [ERR_INTERNAL] = 500,
};

static struct err rest_serve(struct rest_call *call, const struct rest_route **route);
static void rest_answer_error(struct rest_call *call, struct err err);

bool rest_goes_first(const struct http_head *head)
{
    return bytes_equal_str(head->target, "/healthz");
}

void rest_handle(const struct server_request *request, struct server_response *response)
{
    struct rest_call call = { .rest = request->context,
                              .request = request,
                              .response = response,
                              .jw = jw_of(&response->body),
                              .status = 200 };
    const struct rest_route *route = NULL;
    uint64_t start_ns = metrics_clock_ns();
    struct err err = rest_serve(&call, &route);

    if (!err.code && response->body.bad)
        err = FAIL(ERR_INTERNAL, "the answer is too long");
    response->status = call.status;
    if (err.code)
        rest_answer_error(&call, err);
    metrics_request(route ? route->method : "other", route ? route->path : "other",
                    response->status, metrics_clock_ns() - start_ns);
}

unsigned rest_call_status_of(enum err_code code)
{
    return (unsigned)code < ERR_CODES ? rest_statuses[code] : 500;
}

static void rest_add_field(struct server_response *response, const char *name, struct bytes value)
{
    must(response->fields < ARRAY_LEN(response->field));
    response->field[response->fields++] = (struct http_field) { bytes_str(name), value };
}

// The enclave's words about its phase are for its own client, who is cloisterd: what stands in the
// way is what a client of REST can use.
static void rest_say_not_ready(struct rest_call *call)
{
    struct supervise_view view;

    supervise_look(call->rest->supervise, &view);
    if (view.ready)
        return;
    detail_set(&call->detail, "the enclave is not ready: ",
               bytes_str(view.problem[0] ? view.problem : "it is being set up"));
}

static void rest_answer_error(struct rest_call *call, struct err err)
{
    struct server_response *response = call->response;
    struct jw jw;

    if (err.code == ERR_PHASE && call->rest->supervise)
        rest_say_not_ready(call);

    response->status = call->refusal ? call->refusal : rest_call_status_of(err.code);
    response->body.len = 0;
    response->body.bad = false;
    jw = jw_of(&response->body);
    jw_object(&jw);
    jw_key(&jw, "error");
    jw_object(&jw);
    jw_key(&jw, "code");
    jw_cstring(&jw, err_name(err.code));
    jw_key(&jw, "message");
    jw_cstring(&jw, detail_text(&call->detail, err));
    jw_object_end(&jw);
    jw_object_end(&jw);
    if (response->status == 503)
        rest_add_field(response, "Retry-After", BYTES_LIT("1"));
    if (response->status == 401)
        rest_add_field(response, "WWW-Authenticate", BYTES_LIT("Bearer"));
    if (response->status >= 500)
        log_event(LOG_WARN, "rest", "error", "text", detail_text(&call->detail, err));
}

// True when `path` has the form of `pattern`; the segment at its `*` or `@` is *segment.
static bool rest_matches(const char *pattern, struct bytes path, struct bytes *segment)
{
    *segment = BYTES_NONE;
    for (; *pattern; pattern++) {
        size_t n = 1;

        if (*pattern == '*' || *pattern == '@') {
            const uint8_t *slash = path.n ? memchr(path.p, '/', path.n) : NULL;

            n = slash ? (size_t)(slash - path.p) : path.n;
            *segment = bytes_take(path, n);
        } else if (path.n == 0 || path.p[0] != (uint8_t)*pattern) {
            return false;
        }
        path = bytes_skip(path, n);
    }
    return path.n == 0;
}

static const struct rest_route *rest_find(struct bytes path, struct bytes method)
{
    struct bytes segment;

    for (size_t i = 0; i < ARRAY_LEN(rest_routes); i++)
        if (rest_matches(rest_routes[i].path, path, &segment) &&
            (!method.p || bytes_equal_str(method, rest_routes[i].method)))
            return &rest_routes[i];
    return NULL;
}

// The route of the request; when the path has none for its method, another one of the path.
static const struct rest_route *rest_route_of(bool *fits, struct bytes path, struct bytes method)
{
    const struct rest_route *route;

    if (bytes_equal_str(method, "HEAD")) // RFC 9110 9.3.2; httpd/server leaves the body out
        method = BYTES_LIT("GET");
    route = rest_find(path, method);
    *fits = route != NULL;
    return route ? route : rest_find(path, BYTES_NONE);
}

// Which methods the path has (RFC 9110 10.2.1), for 405 and for OPTIONS.
static void rest_allow(struct rest_call *call, struct bytes path)
{
    struct wr wr = WR_OF(call->response->scratch);
    struct bytes segment;

    wr_str(&wr, "OPTIONS");
    for (size_t i = 0; i < ARRAY_LEN(rest_routes); i++) {
        if (!rest_matches(rest_routes[i].path, path, &segment))
            continue;
        wr_str(&wr, ", ");
        wr_str(&wr, rest_routes[i].method);
        if (strcmp(rest_routes[i].method, "GET") == 0)
            wr_str(&wr, ", HEAD");
    }
    rest_add_field(call->response, "Allow", wr_done(&wr));
}

static struct err rest_check_id(struct rest_call *call, const struct rest_route *route,
                                struct bytes path)
{
    struct bytes segment;
    struct id id;

    if (!rest_matches(route->path, path, &segment) || !segment.p)
        return OK;
    if (strchr(route->path, '@')) {
        ENSURE(config_name_ok(segment) && bytes_to_str(segment, call->name, sizeof(call->name)),
               ERR_MALFORMED, "name: expected 1 to 32 of a-z 0-9 - _");
        return OK;
    }
    ENSURE(!id_parse(&id, segment).code, ERR_MALFORMED,
           "account: expected an id of 32 lower-case hex digits");
    id_text(call->id, &id);
    return OK;
}

// RFC 6750 2.1, the scheme in any case (RFC 9110 11.1).
static struct err rest_authorize(const struct rest_call *call)
{
    struct bytes value = http_field_get(call->request->head, "Authorization");
    char scheme[8];

    ENSURE(bytes_to_str(bytes_take(value, 7), scheme, sizeof(scheme)) &&
               strcasecmp(scheme, "Bearer ") == 0 &&
               ct_equal(bytes_skip(value, 7), call->rest->token),
           ERR_UNAUTHORIZED, "Authorization: expected the bearer token");
    return OK;
}

static struct err rest_run(struct rest_call *call, const struct rest_route *route)
{
    struct bytes body = call->request->body;
    uint8_t *text;
    struct json *nodes = malloc(REST_NODES_MAX * sizeof(*nodes));
    struct err err = FAIL(ERR_FULL, "no memory");

    // Some requests have nothing to say; those that need fields miss them by name.
    if (body.n == 0)
        body = BYTES_LIT("{}");
    text = malloc(body.n);
    if (text && nodes) {
        memcpy(text, body.p, body.n);
        err = json_parse(&call->body, nodes, REST_NODES_MAX, text, body.n);
        if (!err.code && call->body->type != JSON_OBJECT)
            err = FAIL(ERR_MALFORMED, "body: expected a JSON object");
        if (!err.code)
            err = route->handle(call);
    }
    free(text);
    free(nodes);
    return err;
}

static bool rest_needs_token(const struct rest_call *call, const struct rest_route *route)
{
    if (route && route->token == REST_METRICS)
        return !call->rest->metrics_open;
    // Without the token nobody learns which paths exist.
    return !route || route->token == REST_TOKEN;
}

static struct err rest_other_method(struct rest_call *call, struct bytes path)
{
    rest_allow(call, path);
    call->status = 204;
    call->refusal = 405;
    ENSURE(bytes_equal_str(call->request->head->method, "OPTIONS"), ERR_UNSUPPORTED,
           "method: not one of this path (the header Allow lists them)");
    return OK;
}

static struct err rest_serve(struct rest_call *call, const struct rest_route **out)
{
    struct bytes target = call->request->head->target;
    const uint8_t *mark = target.n ? memchr(target.p, '?', target.n) : NULL;
    struct bytes path = mark ? bytes_take(target, (size_t)(mark - target.p)) : target;
    bool fits;
    const struct rest_route *route = rest_route_of(&fits, path, call->request->head->method);

    *out = fits ? route : NULL;
    if (rest_needs_token(call, route))
        TRY(rest_authorize(call));
    ENSURE(route, ERR_NOT_FOUND, "path: there is no such resource");
    if (!fits)
        return rest_other_method(call, path);
    TRY(rest_check_id(call, route, path));
    call->query = bytes_skip(target, path.n + 1);
    TRY(rest_query_only(call->query, route->query, &call->detail));
    if (strcmp(route->method, "GET") != 0)
        return rest_run(call, route);
    ENSURE(call->request->body.n == 0, ERR_MALFORMED, "body: expected none");
    return route->handle(call);
}

struct err rest_call_only(struct rest_call *call, const char *const *known)
{
    const struct json *unknown = json_unknown(call->body, known);

    if (!unknown)
        return OK;
    detail_set(&call->detail, "unknown field: ", bytes_take(unknown->key, 64));
    return FAIL(ERR_MALFORMED, "unknown field");
}
