// SPDX-License-Identifier: Apache-2.0
// The data plane's surface. Duty: refuse, in this order, a Host that is not ours (a page of another
// name that leads here), an Origin that the manifest does not name, what the table does not have,
// who may not, what the phase or the size forbids, and what comes while too much is under way.
// Only then a handler looks at the request. Health checks need nothing of the vault and are
// answered always.
#include "front/routes.h"

#include "front/service.h"
#include "front/signing.h"
#include "front/tlscert.h"

#include <string.h>

#define PHASE_BOUND (PHASE_CONFIGURED | PHASE_READY | PHASE_SEALED)
#define PHASE_ANY   (PHASE_UNCONFIGURED | PHASE_BOUND)
#define OPEN        0

// Requests under way. Strangers have few places, so that they cannot fill the vault's queue.
#define CALLS_KNOWN_MAX    512U
#define CALLS_STRANGER_MAX 64U

struct route {
    const char *method;
    const char *path; // `*` stands for one id
    unsigned phases;  // bits of enum receipt_phase
    size_t body_max;
    uint16_t operation; // of enum clients_operation; OPEN: for everybody
    bool asks;          // the vault: not while too much is under way
    struct err (*run)(struct call *call, const struct routes_request *request);
};

static const struct route routes[] = {
    { "GET", "/upcheck", PHASE_ANY, 0, OPEN, false, service_upcheck },
    { "GET", "/healthcheck", PHASE_ANY, 0, OPEN, false, service_healthcheck },
    { "GET", "/version", PHASE_ANY, 0, OPEN, false, service_version },
    { "GET", "/attestation", PHASE_BOUND, 0, OPEN, true, service_attestation },
    { "GET", "/metrics", PHASE_ANY, 0, CLIENTS_METRICS, false, service_metrics },
    { "POST", "/v1/accounts/*/sign-transaction", PHASE_READY, DATA_BODY_MAX, CLIENTS_SIGN_TX, true,
      signing_route },
};
#define ROWS (sizeof(routes) / sizeof(routes[0]))
_Static_assert(ROWS + 1 == ROUTES_ALL, "routes_path knows every row");
_Static_assert(ROUTES_ALL <= COUNTERS_ROUTES, "every row is counted");

const char *routes_path(size_t route)
{
    return route < ROWS ? routes[route].path : "other";
}

// True when the path is the row's; what stands for `*` goes to *id.
static bool routes_fits(const struct route *route, struct bytes path, struct bytes *id)
{
    struct bytes pattern = bytes_str(route->path);
    const char *star = strchr(route->path, '*');
    size_t before = star ? (size_t)(star - route->path) : pattern.n;
    struct bytes after = bytes_skip(pattern, before + 1);

    *id = BYTES_NONE;
    if (!star || path.n < before + after.n)
        return bytes_equal(path, pattern);
    *id = bytes_of(path.p + before, path.n - before - after.n);
    return bytes_equal(bytes_take(path, before), bytes_take(pattern, before)) &&
           bytes_equal(bytes_skip(path, path.n - after.n), after) && id->n > 0 &&
           !memchr(id->p, '/', id->n);
}

// Paths have one method each.
static size_t routes_find(struct routes_request *request)
{
    struct bytes target = request->head->target;
    const uint8_t *mark = memchr(target.p, '?', target.n);
    struct bytes path = mark ? bytes_take(target, (size_t)(mark - target.p)) : target;
    size_t i = 0;

    request->query = bytes_skip(target, path.n + 1);
    while (i < ROWS && !routes_fits(&routes[i], path, &request->id))
        i++;
    return i;
}

// The host of a Host field in lower case, without its port (RFC 9110 7.2); nothing when what
// follows it is no port.
static struct bytes routes_host(char *space, size_t cap, struct bytes field)
{
    const uint8_t *end = field.n && field.p[0] == '[' ? memchr(field.p, ']', field.n) : NULL;
    size_t n = end ? (size_t)(end - field.p) + 1 : 0, digits;

    while (!end && n < field.n && field.p[n] != ':')
        n++;
    digits = n + 1;
    while (digits < field.n && field.p[digits] >= '0' && field.p[digits] <= '9')
        digits++;
    if (n > cap || (n < field.n && (field.p[n] != ':' || digits < field.n)))
        return BYTES_NONE;
    for (size_t i = 0; i < n; i++) {
        uint8_t c = field.p[i];

        space[i] = (char)(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
    }
    return bytes_of(space, n);
}

static struct err routes_check_web(struct call *call, const struct routes_request *request)
{
    char space[256];
    struct counters *counters = &call->core->counters;
    struct bytes origin = http_field_get(request->head, "Origin");
    struct bytes host = routes_host(space, sizeof(space), http_field_get(request->head, "Host"));

    if (!tlscert_is_name(call->core->tlscert, host) && !permits_host(call->core->permits, host)) {
        counters->row[COUNTERS_DENIED_HOST]++;
        return FAIL(ERR_DENIED, "Host: expected a name of the certificate or of the manifest");
    }
    if (origin.p && !permits_origin(call->core->permits, origin)) {
        counters->row[COUNTERS_DENIED_ORIGIN]++;
        return FAIL(ERR_DENIED, "Origin: expected one that the manifest names");
    }
    return OK;
}

struct err routes_permit(struct call *call, const struct routes_request *request,
                         uint16_t operation, const struct permits_key *key)
{
    struct err err = permits_check(&request->who, operation, key);

    if (err.code)
        data_deny(call, operation, &request->who, err.code);
    return err;
}

static struct err routes_check_phase(const struct call *call, const struct route *route)
{
    uint8_t phase = call->core->phase;

    ENSURE(route->phases & phase || phase != PHASE_SEALED, ERR_PHASE, "not possible while SEALED");
    ENSURE(route->phases & phase, ERR_PHASE, "not possible before a keyset is open");
    return OK;
}

static struct err routes_check_load(const struct call *call, const struct routes_request *request)
{
    unsigned most = request->who.known ? CALLS_KNOWN_MAX : CALLS_STRANGER_MAX;

    ENSURE(call->core->data_calls <= most, ERR_BUSY, "too many requests at once; try again");
    return OK;
}

static struct err routes_serve(struct call *call, struct routes_request *request,
                               const struct route *route)
{
    data_identify(call, &request->who);
    if (route->operation != OPEN)
        TRY(routes_permit(call, request, route->operation, NULL));
    TRY(routes_check_phase(call, route));
    ENSURE(request->body.n <= route->body_max, ERR_TOO_LARGE, "body: larger than the limit");
    if (route->asks)
        TRY(routes_check_load(call, request));
    return route->run(call, request);
}

static struct err routes_dispatch(struct call *call, struct routes_request *request, size_t row)
{
    struct bytes method = request->head->method;
    bool is_get;

    TRY(routes_check_web(call, request));
    ENSURE(row < ROWS, ERR_NOT_FOUND, "no such path");
    is_get = strcmp(routes[row].method, "GET") == 0;
    if (bytes_equal_str(method, routes[row].method) || (is_get && bytes_equal_str(method, "HEAD")))
        return routes_serve(call, request, &routes[row]);
    call->allow = is_get ? "GET, HEAD, OPTIONS" : "OPTIONS, POST";
    call->status = 405;
    ENSURE(bytes_equal_str(method, "OPTIONS"), ERR_UNSUPPORTED, "method: not one of this path");
    call->status = 204;
    call_end_empty(call);
    return OK;
}

void routes_run(struct call *call)
{
    const struct server_request *got = data_request(call);
    struct routes_request request = { .head = got->head, .body = got->body };
    size_t row = routes_find(&request);
    struct err err;

    call->route = row;
    err = routes_dispatch(call, &request, row);
    if (err.code)
        call_fail(call, err);
}
