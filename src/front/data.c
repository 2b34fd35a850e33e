// SPDX-License-Identifier: Apache-2.0
// From HTTP requests to calls and back. The peers are clients of the deployment and everybody who
// reaches the parent's port: attackers. Sizes, times and places are httpd's to bound; who may do
// what is judged here for every request, by the manifest in force. Never logs a byte of them.
#include "front/data.h"

#include "base/must.h"
#include "front/routes.h"
#include "front/tlscert.h"
#include "net/accept.h"

#include <stdlib.h>
#include <string.h>

#define CONNS_MAX 4096U
#define BEARER    "Bearer "

// So many at once, and one more each so many milliseconds.
#define DENIAL_BURST   20 // denials that are told to the vault
#define DENIAL_MS      100
#define DOCUMENT_BURST 100 // documents of strangers: half of what the vault makes
#define DOCUMENT_MS    20

struct data {
    struct core *core;
    struct server_port *port;
    int64_t denials_ms, documents_ms; // when the last one would have had its turn
};

static void data_dispatch(void *context, struct server_conn *conn);
static void data_gone(void *context, struct server_conn *conn);

struct err data_new(struct data **out, struct core *core, int listen_fd)
{
    struct data *data = calloc(1, sizeof(*data));
    struct server_port_options options = { .loop = core->loop,
                                           .connections_max = CONNS_MAX,
                                           .request_max = DATA_BODY_MAX,
                                           .needs_tls = true,
                                           .has_source = true,
                                           .dispatch = data_dispatch,
                                           .gone = data_gone,
                                           .context = data };

    *out = data;
    ENSURE(data, ERR_FULL, "data plane: out of memory");
    data->core = core;
    return server_port_new(&data->port, listen_fd, &options);
}

void data_free(struct data **data)
{
    if (!*data)
        return;
    server_port_free(&(*data)->port);
    free(*data);
    *data = NULL;
}

void data_set_tls(struct data *data, struct tls_context *tls)
{
    server_port_set_tls(data->port, tls);
}

unsigned data_connections(const struct data *data)
{
    return server_port_count(data->port);
}

void data_count(const struct data *data, struct counters *counters)
{
    struct server_port_counts counts;
    uint64_t *row = counters->row;

    server_port_counts(data->port, &counts);
    row[COUNTERS_HANDSHAKES_FULL] = counts.handshakes_full;
    row[COUNTERS_HANDSHAKES_RESUMED] = counts.handshakes_resumed;
    row[COUNTERS_HANDSHAKES_FAILED] = counts.handshakes_failed;
    row[COUNTERS_CONNECTIONS_ACCEPTED] = counts.accepted;
    row[COUNTERS_CONNECTIONS_EVICTED] = counts.evicted;
    row[COUNTERS_CONNECTIONS_REFUSED] = counts.refused;
    row[COUNTERS_CONNECTIONS] = data_connections(data);
}

static void data_dispatch(void *context, struct server_conn *conn)
{
    struct data *data = context;
    struct call *call;

    if (call_new_data(&call, data->core, conn).code) {
        server_conn_answer_error(conn, 503, FAIL(ERR_FULL, "out of memory; try again"));
        return;
    }
    server_conn_set_context(conn, call);
    routes_run(call);
}

// Nobody waits for the answer any more.
static void data_gone(void *context, struct server_conn *conn)
{
    struct call *call = server_conn_context(conn);

    (void)context;
    if (call)
        call->data = NULL;
}

const struct server_request *data_request(const struct call *call)
{
    return server_conn_request(call->data);
}

// RFC 6750 2.1; the scheme's name in any case (RFC 9110 11.1).
static struct bytes data_token(const struct http_head *head)
{
    struct bytes field = http_field_get(head, "Authorization");
    size_t n = sizeof(BEARER) - 1;

    if (field.n <= n || strncasecmp((const char *)field.p, BEARER, n) != 0)
        return BYTES_NONE;
    return bytes_skip(field, n);
}

void data_identify(struct call *call, struct permits_who *out)
{
    const struct tls_peer *peer = server_conn_peer(call->data);
    struct permits_shown shown = { .token = data_token(data_request(call)->head) };

    if (peer && peer->has_certificate) {
        shown.leaf = peer->leaf;
        shown.authority = peer->authority;
    }
    permits_identify(call->core->permits, out, &shown);
    if (out->known)
        server_conn_set_trusted(call->data);
}

const struct id *data_key(const struct call *call)
{
    const struct tls_peer *peer = server_conn_peer(call->data);

    return peer ? tlscert_key(call->core->tlscert, peer->server) : NULL;
}

// A bucket of `burst`, filled by one each `each_ms`.
static bool data_has_turn(int64_t *last_ms, int64_t each_ms, int64_t burst)
{
    int64_t now_ms = deadline_now_ms();

    if (*last_ms < now_ms - burst * each_ms)
        *last_ms = now_ms - burst * each_ms;
    if (*last_ms + each_ms > now_ms)
        return false;
    *last_ms += each_ms;
    return true;
}

struct err data_admit_document(const struct call *call, const struct permits_who *who)
{
    ENSURE(who->known ||
               data_has_turn(&call->core->data->documents_ms, DOCUMENT_MS, DOCUMENT_BURST),
           ERR_BUSY, "attestation: more than 50 documents a second for strangers; try again");
    return OK;
}

static void data_told(void *context, struct link_answer *answer)
{
    struct core *core = context;

    core->counters.row[COUNTERS_DENIALS_REPORTED] += answer->verdict.code == ERR_NONE;
}

static struct err data_tell(struct core *core, const struct msg_denial *denial)
{
    struct wr *wr;

    TRY(link_begin(core->link, &wr, MSG_DENIAL, sizeof(*denial) + DENIAL_SOURCE_MAX));
    msg_write_denial(wr, denial);
    return link_end(core->link, (struct link_done) { data_told, core });
}

void data_deny(struct call *call, uint16_t operation, const struct permits_who *who,
               enum err_code code)
{
    struct core *core = call->core;
    struct msg_denial denial = { .operation = (uint8_t)operation };
    bool is_known = code == ERR_DENIED;

    core->counters.row[is_known ? COUNTERS_DENIED_KNOWN : COUNTERS_DENIED_UNKNOWN]++;
    if (!data_has_turn(&core->data->denials_ms, DENIAL_MS, DENIAL_BURST))
        return;
    memcpy(denial.identity, who->identity, sizeof(denial.identity));
    denial.source = bytes_take(server_conn_source(call->data), DENIAL_SOURCE_MAX);
    core_event(CORE_EVENT_DENIED, operation, is_known ? 403 : 401);
    (void)data_tell(core, &denial); // when the vault is too busy the denial is only counted
}

bool data_wants_text(const struct call *call)
{
    return !accept_json(http_field_get(data_request(call)->head, "Accept"));
}

static void data_add(struct server_response *response, const char *name, struct bytes value)
{
    must(response->fields < ARRAY_LEN(response->field));
    response->field[response->fields++] = (struct http_field) { bytes_str(name), value };
}

// CORS (Fetch standard, 3.2): scripts of origins that the manifest names may read the answer, and
// hear what they may ask.
static void data_add_cors(struct server_response *response, const struct call *call)
{
    const char *allow = call->allow;
    struct bytes origin = http_field_get(data_request(call)->head, "Origin");

    if (!origin.p || !permits_origin(call->core->permits, origin))
        return;
    data_add(response, "Access-Control-Allow-Origin", origin);
    data_add(response, "Vary", BYTES_LIT("Origin"));
    if (!allow)
        return;
    data_add(response, "Access-Control-Allow-Methods", bytes_str(allow));
    data_add(response, "Access-Control-Allow-Headers",
             BYTES_LIT("Authorization, Content-Type, X-Request-Id"));
    data_add(response, "Access-Control-Max-Age", BYTES_LIT("600"));
}

static void data_count_answer(const struct call *call, const struct call_answer *answer)
{
    struct counters *counters = &call->core->counters;

    counters_request(counters, call->route, answer->status);
    counters->row[COUNTERS_BYTES_RECEIVED] += data_request(call)->body.n;
    counters->row[COUNTERS_BYTES_SENT] += answer->body->len;
}

void data_send(struct call *call, const struct call_answer *answer)
{
    static const char *const types[] = {
        [CALL_JSON] = "application/json",
        [CALL_TEXT] = "text/plain; charset=utf-8",
        [CALL_METRICS] = "text/plain; version=0.0.4; charset=utf-8",
    };
    struct server_response response = { .status = answer->status, .body = *answer->body };

    data_count_answer(call, answer);
    response.content_type = types[answer->content];
    if (call->allow)
        data_add(&response, "Allow", bytes_str(call->allow));
    if (answer->status == 401)
        data_add(&response, "WWW-Authenticate", BYTES_LIT("Bearer realm=\"cloister\""));
    if (answer->status == 503)
        data_add(&response, "Retry-After", BYTES_LIT("1"));
    data_add_cors(&response, call);
    server_conn_set_context(call->data, NULL); // from here on the connection goes its own way
    server_conn_answer(call->data, &response);
}
