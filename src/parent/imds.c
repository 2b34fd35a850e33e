// SPDX-License-Identifier: Apache-2.0
// Three requests: a session token (PUT), the role's name, its credentials. The answers are
// untrusted text of bounded size; the buffer that held the secret key is wiped. Version 1 of the
// service (no token) is never used.
#include "parent/imds.h"

#include "base/ct.h"
#include "base/must.h"
#include "net/client.h"
#include "net/json.h"
#include "parent/stamp.h"

#include <stdio.h>
#include <string.h>

#define IMDS_PATH "/latest/meta-data/iam/security-credentials/"

struct imds_call {
    struct client client;
    char session[257];
    uint8_t buf[16384];
    struct deadline until;
};

static void imds_call_done(struct imds_call *call)
{
    client_done(&call->client);
    ct_wipe(call, sizeof(*call));
}

static struct err imds_request(struct imds_call *call, const char *method, const char *target,
                               struct bytes *body)
{
    struct http_field ttl = { BYTES_LIT("X-aws-ec2-metadata-token-ttl-seconds"), BYTES_LIT("300") };
    struct http_field token = { BYTES_LIT("X-aws-ec2-metadata-token"), bytes_str(call->session) };
    bool put = strcmp(method, "PUT") == 0;
    struct client_request request = { .method = method, .target = target, .fields = 1 };
    struct client_response response;

    request.field = put ? &ttl : &token;
    TRY(client_call(&call->client, &request, call->buf, sizeof(call->buf), &response, call->until));
    ENSURE(response.head.status != 404, ERR_NOT_FOUND, "imds: the instance has no such role");
    ENSURE(response.head.status == 200, ERR_UNREACHABLE, "imds: expected status 200");
    *body = response.body;
    return OK;
}

static struct err imds_open(struct imds_call *call, const char *url)
{
    struct addr addr;
    struct bytes body;
    bool https;
    char host[256], path[256];

    TRY(client_parse_url(url, &addr, &https, host, path));
    ENSURE(!https, ERR_UNSUPPORTED, "imds: expected an http URL");
    client_init(&call->client, &addr, host, NULL);
    TRY(imds_request(call, "PUT", "/latest/api/token", &body));
    ENSURE(body.n > 0 && bytes_to_str(body, call->session, sizeof(call->session)) &&
               strcspn(call->session, "\r\n") == body.n,
           ERR_MALFORMED, "imds: expected a session token of one line");
    return OK;
}

static struct err imds_target(struct imds_call *call, char *target, size_t cap, const char *role)
{
    struct bytes body;
    const uint8_t *end;

    if (role[0]) {
        (void)snprintf(target, cap, "%s%s", IMDS_PATH, role);
        return OK;
    }
    TRY(imds_request(call, "GET", IMDS_PATH, &body));
    end = body.n ? memchr(body.p, '\n', body.n) : NULL;
    if (end)
        body = bytes_take(body, (size_t)(end - body.p));
    ENSURE(body.n > 0 && body.n <= 64, ERR_MALFORMED, "imds: expected the name of a role");
    for (size_t i = 0; i < body.n; i++)
        ENSURE(body.p[i] > ' ' && body.p[i] < 0x7f && body.p[i] != '/' && body.p[i] != '?',
               ERR_MALFORMED, "imds: expected the name of a role");
    (void)snprintf(target, cap, "%s%.*s", IMDS_PATH, (int)body.n, (const char *)body.p);
    return OK;
}

static struct err imds_take(const struct json *root, const char *name, char *out, size_t cap)
{
    struct bytes text = json_string(json_get(root, name));

    ENSURE(text.n > 0 && bytes_to_str(text, out, cap), ERR_MALFORMED,
           "imds: expected AccessKeyId, SecretAccessKey, Token and Expiration");
    return OK;
}

static struct err imds_read(struct imds_credentials *out, struct bytes body)
{
    struct json nodes[32];
    const struct json *root;

    TRY(json_parse(&root, nodes, ARRAY_LEN(nodes), (uint8_t *)(uintptr_t)body.p, body.n));
    TRY(imds_take(root, "AccessKeyId", out->access_key, sizeof(out->access_key)));
    TRY(imds_take(root, "SecretAccessKey", out->secret_key, sizeof(out->secret_key)));
    TRY(imds_take(root, "Token", out->token, sizeof(out->token)));
    TRY(imds_take(root, "Expiration", out->expiration, sizeof(out->expiration)));
    return stamp_parse(&out->expires_ms, bytes_str(out->expiration));
}

struct err imds_fetch(struct imds_credentials *out, const char *url, const char *role)
{
    AUTO(imds_call_done) struct imds_call call = { .until = deadline_in(10000) };
    struct bytes body;
    char target[160];

    TRY(imds_open(&call, url));
    TRY(imds_target(&call, target, sizeof(target), role));
    TRY(imds_request(&call, "GET", target, &body));
    return imds_read(out, body);
}

void imds_wipe(struct imds_credentials *credentials)
{
    ct_wipe(credentials, sizeof(*credentials));
}
