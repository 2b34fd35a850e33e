// SPDX-License-Identifier: Apache-2.0
// A KMS call: TLS to the exact host, SigV4, further attempts when they may help (KMS is busy or
// broken, the connection was cut), one deadline over everything. What AWS refuses is reported in
// AWS's words, since the operator has to act on them. Everything that a sandboxed process cannot
// make later is made in kmscall_new.
#include "front/kmscall.h"

#include "base/ct.h"
#include "base/must.h"
#include "crypto/openssl/libcrypto.h"
#include "front/anchor.h"
#include "net/client.h"
#include "net/when.h"
#include "proto/arn.h"

#include <poll.h>
#include <stdlib.h>
#include <string.h>

#define CALL_MS      15000
#define ATTEMPTS     6   // with the pauses between them 3 s at most
#define BACKOFF_MS   100 // the first pause at most; each further one twice as long
#define SKEW_S       300
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

// The header fields of a request; views into `call` and `date`.
struct kmscall_fields {
    struct http_field field[5];
    size_t n;
    char date[SIGV4_DATE];
};

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
    request.now_s = core_now_s(&job->clock);
    TRY(credentials_sign(call->credentials, &auth, &token, &request));
    sigv4_date(fields->date, request.now_s);
    fields->n = token.len > 0 ? 5 : 4;
    fields->field[0] =
        (struct http_field) { BYTES_LIT("Content-Type"), BYTES_LIT("application/x-amz-json-1.1") };
    fields->field[1] = (struct http_field) { BYTES_LIT("X-Amz-Target"), request.target };
    fields->field[2] = (struct http_field) { BYTES_LIT("X-Amz-Date"), bytes_str(fields->date) };
    fields->field[3] = (struct http_field) { BYTES_LIT("Authorization"), wr_done(&auth) };
    fields->field[4] = (struct http_field) { BYTES_LIT("X-Amz-Security-Token"), wr_done(&token) };
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
    client->now_s = core_now_s(&job->clock);
    return client_call(client, &request, call->response, sizeof(call->response), response, until);
}

// What AWS names when the same call may succeed a moment later (KMS API reference, "Common
// errors").
static bool kmscall_may_help(unsigned status, const char *type)
{
    static const char *const types[] = { "ThrottlingException", "KMSInternalException",
                                         "DependencyTimeoutException" };
    bool is_known = false;

    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        is_known = is_known || strcmp(type, types[i]) == 0;
    return is_known || status >= 500 || status == 429;
}

// What time it is for AWS: the answer's Date, or what stands in the parentheses of "Signature
// expired: 20260101T000000Z is now earlier than 20260101T001000Z (20260101T001500Z - 5 min.)".
static bool kmscall_their_time(uint64_t *out, const struct client_response *response,
                               struct bytes text)
{
    const uint8_t *at = memmem(text.p, text.n, "Z (", 3);
    struct bytes named = at ? bytes_skip(text, (size_t)(at - text.p) + 3) : BYTES_NONE;

    return !when_http(out, http_field_get(&response->head, "Date")).code ||
           !when_basic(out, bytes_take(named, SIGV4_DATE - 1)).code;
}

// AWS takes signatures of 5 minutes before and after; beyond, the clock is the reason for whatever
// it refuses, and its words do not say so to everybody.
static void kmscall_tell_skew(struct wr *text, const struct kms_job *job,
                              const struct client_response *response)
{
    uint64_t ours = core_now_s(&job->clock), theirs;
    uint64_t skew;

    if (!kmscall_their_time(&theirs, response, wr_done(text)))
        return;
    skew = ours > theirs ? ours - theirs : theirs - ours;
    if (skew <= SKEW_S)
        return;
    wr_str(text, " (the enclave's clock is ");
    u256_write_decimal(text, u256_of(skew));
    wr_str(text, ours > theirs ? " s ahead of AWS's)" : " s behind AWS's)");
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
    kmscall_tell_skew(&text, job, response);
    job->text_len = wr_done(&text).n;
    job->err = strcmp(type, "ExpiredTokenException") == 0
                   ? FAIL(ERR_EXPIRED, "AWS KMS: the credentials have expired")
                   : FAIL(ERR_KMS, "AWS KMS refused");
    return kmscall_may_help(response->head.status, type);
}

// Exponential backoff with full jitter: callers that failed together do not come back together.
static int kmscall_backoff_ms(unsigned attempt)
{
    uint32_t random;

    libcrypto_random((uint8_t *)&random, sizeof(random));
    return (int)(random % ((uint32_t)BACKOFF_MS << attempt));
}

static struct err kmscall_anchor(struct kmscall *call, struct kms_job *job, struct deadline until)
{
    return anchor_exchange(kmscall_client(call, job), job, call->response, sizeof(call->response),
                           until);
}

void kmscall_run(struct kmscall *call, struct kms_job *job)
{
    struct deadline until = deadline_in(CALL_MS);
    unsigned status = 0;
    bool again = true;

    for (unsigned attempt = 0; again && attempt < ATTEMPTS; attempt++) {
        struct client_response response;

        if (attempt > 0)
            (void)poll(NULL, 0, kmscall_backoff_ms(attempt - 1));
        job->text_len = 0;
        job->attempts++;
        if (job->request.kind >= MSG_STEP_ANCHOR_READ) {
            job->err = kmscall_anchor(call, job, until);
            break; // once: the vault decides what then
        }
        job->err = kmscall_once(call, job, &response, until);
        status = job->err.code ? 0 : response.head.status;
        again = job->err.code ? job->err.code == ERR_CLOSED : kmscall_judge(job, &response);
        again = again && deadline_left_ms(until) > BACKOFF_MS << attempt;
    }
    if (job->err.code)
        core_event(CORE_EVENT_KMS_FAILED, job->err.code, status);
    ct_wipe(call->auth, sizeof(call->auth));
    ct_wipe(call->token, sizeof(call->token));
}
