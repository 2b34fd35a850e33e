// SPDX-License-Identifier: Apache-2.0
// A KMS call: TLS to the exact host, SigV4, one retry when KMS says that it may help, one deadline
// over everything. What AWS refuses is reported in AWS's words, since the operator has to act on
// them. Everything that a sandboxed process cannot make later is made in kmscall_new.
#include "front/kmscall.h"

#include "base/ct.h"
#include "base/must.h"
#include "net/client.h"
#include "proto/arn.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define CALL_MS      15000
#define BACKOFF_MS   500
#define REQUEST_MAX  (48U << 10) // document and blob as base64, and the rest
#define RESPONSE_MAX (48U << 10)
#define AUTH_MAX     1024U
#define TOKEN_MAX    8192U

// How to reach the host: its vsock port, or what stands in its place.
struct kmscall_dial {
    const struct front_env *env;
    uint32_t port;
};

struct kmscall {
    const struct front_env *env;
    struct credentials *credentials;
    struct tls_context *tls;
    struct client client[CONFIG_HOSTS];
    struct kmscall_dial dial[CONFIG_HOSTS];
    uint8_t request[REQUEST_MAX];
    uint8_t response[RESPONSE_MAX];
    uint8_t auth[AUTH_MAX];
    uint8_t token[TOKEN_MAX];
};

struct err kmscall_new(struct kmscall **out, struct credentials *credentials,
                       const struct front_env *env)
{
    struct kmscall *call = calloc(1, sizeof(*call));
    struct err err;

    *out = call;
    ENSURE(call, ERR_FULL, "KMS client: out of memory");
    call->env = env;
    call->credentials = credentials;
    err = tls_client_new(&call->tls, env->anchors->tls_root, env->anchors->tls_roots);
    if (err.code)
        kmscall_free(out);
    return err;
}

void kmscall_free(struct kmscall **call)
{
    if (!*call)
        return;
    for (size_t i = 0; i < CONFIG_HOSTS; i++)
        client_done(&(*call)->client[i]);
    tls_context_free(&(*call)->tls);
    ct_wipe(*call, sizeof(**call));
    free(*call);
    *call = NULL;
}

static struct err kmscall_dial(void *context, int *fd, struct deadline until)
{
    const struct kmscall_dial *dial = context;

    return dial->env->dial(dial->env->dial_fd, dial->port, fd, until);
}

// The configuration is fixed for the vault's life, so a host's connection can be kept.
static struct client *kmscall_client(struct kmscall *call, const struct kms_job *job)
{
    struct client *client = &call->client[job->host];
    struct kmscall_dial *dial = &call->dial[job->host];

    must(job->host < CONFIG_HOSTS);
    if (!client->dial) {
        *dial = (struct kmscall_dial) { call->env, EGRESS_PORT_BASE + job->host };
        client_init(client, NULL, job->host_name, call->tls);
        client->dial = kmscall_dial;
        client->dial_context = dial;
    }
    return client;
}

static uint64_t kmscall_now_s(const struct kms_job *job)
{
    return (job->wall_ms + (uint64_t)(deadline_now_ms() - job->boot_ms)) / 1000;
}

// The header fields of a request; views into `call` and `date`.
struct kmscall_fields {
    struct http_field field[5];
    size_t n;
    char date[SIGV4_DATE];
};

static void kmscall_field(struct kmscall_fields *fields, const char *name, struct bytes value)
{
    must(fields->n < ARRAY_LEN(fields->field));
    fields->field[fields->n++] = (struct http_field) { bytes_str(name), value };
}

static struct err kmscall_sign(struct kmscall *call, const struct kms_job *job,
                               struct kmscall_fields *fields, struct bytes body)
{
    struct wr auth = WR_OF(call->auth), token = WR_OF(call->token);
    struct sigv4_request request = { .host = bytes_str(job->host_name), .body = body };
    struct arn arn;

    TRY(arn_parse(&arn, job->request.cmk));
    request.region = arn.region;
    request.service = BYTES_LIT("kms");
    request.target = bytes_str(kmsjson_target(job->request.kind));
    request.now_s = kmscall_now_s(job);
    TRY(credentials_sign(call->credentials, &auth, &token, &request));
    sigv4_date(fields->date, request.now_s);
    kmscall_field(fields, "Content-Type", BYTES_LIT("application/x-amz-json-1.1"));
    kmscall_field(fields, "X-Amz-Target", request.target);
    kmscall_field(fields, "X-Amz-Date", bytes_str(fields->date));
    kmscall_field(fields, "Authorization", wr_done(&auth));
    if (token.len > 0)
        kmscall_field(fields, "X-Amz-Security-Token", wr_done(&token));
    return OK;
}

// One request and its answer, whatever its status.
static struct err kmscall_once(struct kmscall *call, const struct kms_job *job,
                               struct client_response *response, struct deadline until)
{
    struct client *client = kmscall_client(call, job);
    struct client_request request = { .method = "POST", .target = "/" };
    struct kmscall_fields fields = { .n = 0 };
    struct wr body = WR_OF(call->request);

    kmsjson_write(&body, &job->request);
    TRY(wr_end(&body));
    TRY(kmscall_sign(call, job, &fields, wr_done(&body)));
    request.body = wr_done(&body);
    request.field = fields.field;
    request.fields = fields.n;
    client->now_s = kmscall_now_s(job);
    return client_call(client, &request, call->response, sizeof(call->response), response, until);
}

static bool kmscall_may_help(unsigned status, const char *type)
{
    return status >= 500 || status == 429 || strcmp(type, "ThrottlingException") == 0 ||
           strcmp(type, "DependencyTimeoutException") == 0;
}

// True when the call is worth another try.
static bool kmscall_judge(struct kms_job *job, const struct client_response *response)
{
    struct wr text = WR_OF(job->text);
    char type[KMSJSON_TYPE_MAX];

    if (response->head.status == 200) {
        job->err = kmsjson_read(&job->answer, &job->request, response->body);
        return false;
    }
    kmsjson_read_error(type, &text, response->body);
    job->text_len = text.len;
    job->err = FAIL(ERR_KMS, "AWS KMS refused");
    return kmscall_may_help(response->head.status, type);
}

void kmscall_run(struct kmscall *call, struct kms_job *job)
{
    struct deadline until = deadline_in(CALL_MS);
    struct client_response response;
    unsigned status = 0;
    bool again = false;

    for (int attempt = 0; attempt < 2; attempt++) {
        if (attempt > 0)
            (void)poll(NULL, 0, BACKOFF_MS);
        job->text_len = 0;
        job->err = kmscall_once(call, job, &response, until);
        status = job->err.code ? 0 : response.head.status;
        again = !job->err.code && kmscall_judge(job, &response);
        if (!again || deadline_left_ms(until) <= BACKOFF_MS)
            break;
    }
    if (job->err.code)
        core_event(CORE_EVENT_KMS_FAILED, job->err.code, status);
    ct_wipe(call->auth, sizeof(call->auth));
    ct_wipe(call->token, sizeof(call->token));
}
