// SPDX-License-Identifier: Apache-2.0
// One request, one answer. The node is not trusted: answers are bounded and strict JSON, its words
// are cleaned before they are shown, and a wrong answer can at most make a send fail or wait. What
// is signed does not depend on it but for nonce, gas and fees that the client left open.
#include "parent/rpc.h"

#include "base/must.h"

#include <stdlib.h>
#include <string.h>

#define RPC_ANSWER_MAX (2U << 20)
#define RPC_NODES_MAX  65536U
#define RPC_CALL_MS    10000

struct err rpc_open(struct rpc *rpc, const char *url, struct tls_context *tls)
{
    struct addr addr;
    bool https;
    char host[256];

    *rpc = (struct rpc) { 0 };
    TRY(client_parse_url(url, &addr, &https, host, rpc->path));
    client_init(&rpc->client, &addr, host, https ? tls : NULL);
    rpc->buf = malloc(HTTP_HEAD_MAX + RPC_ANSWER_MAX);
    rpc->nodes = malloc(RPC_NODES_MAX * sizeof(*rpc->nodes));
    ENSURE(rpc->buf && rpc->nodes, ERR_FULL, "node: no memory");
    return OK;
}

void rpc_close(struct rpc *rpc)
{
    client_done(&rpc->client);
    free(rpc->buf);
    free(rpc->nodes);
    rpc->buf = NULL;
    rpc->nodes = NULL;
}

static struct err rpc_exchange(struct rpc *rpc, struct client_response *response, struct bytes body)
{
    const struct http_field type = { BYTES_LIT("Content-Type"), BYTES_LIT("application/json") };
    const struct client_request request = {
        .method = "POST", .target = rpc->path, .field = &type, .fields = 1, .body = body
    };
    struct err err = client_call(&rpc->client, &request, rpc->buf, HTTP_HEAD_MAX + RPC_ANSWER_MAX,
                                 response, deadline_in(RPC_CALL_MS));

    ENSURE(err.code != ERR_IO && err.code != ERR_UNREACHABLE, ERR_UNREACHABLE,
           "node: cannot be reached (key `node` of the settings)");
    ENSURE(err.code != ERR_TIMEOUT, ERR_TIMEOUT, "node: no answer in time");
    ENSURE(err.code != ERR_CLOSED, ERR_CLOSED, "node: it closed the connection");
    ENSURE(err.code != ERR_UNTRUSTED, ERR_UNREACHABLE, "node: its certificate does not verify");
    ENSURE(!err.code, ERR_UNREACHABLE, "node: expected an HTTP answer of at most 2 MiB");
    return OK;
}

static struct err rpc_read(struct rpc *rpc, const struct json **result,
                           const struct client_response *response)
{
    const struct json *root, *error;
    uint8_t *text = rpc->buf + (response->body.p - rpc->buf);
    bool success = response->head.status >= 200 && response->head.status <= 299;

    ENSURE(response->body.n > 0, ERR_UNREACHABLE, "node: expected JSON-RPC");
    ENSURE(!json_parse(&root, rpc->nodes, RPC_NODES_MAX, text, response->body.n).code,
           ERR_UNREACHABLE, "node: expected JSON-RPC");
    error = json_get(root, "error");
    if (error && error->type != JSON_NULL) {
        detail_set(&rpc->detail, "node: ", json_string(json_get(error, "message")));
        return FAIL(ERR_DENIED, "the node refused");
    }
    *result = json_get(root, "result");
    ENSURE(success && *result, ERR_UNREACHABLE, "node: expected a JSON-RPC result");
    return OK;
}

struct err rpc_call(struct rpc *rpc, const struct json **result, const char *method,
                    struct bytes params)
{
    size_t cap = params.n + strlen(method) + 80;
    uint8_t *body = malloc(cap);
    struct wr wr = wr_of(body, cap);
    struct client_response response;
    struct err err;

    rpc->detail = (struct detail) { 0 };
    ENSURE(body, ERR_FULL, "node: no memory");
    wr_str(&wr, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"");
    wr_str(&wr, method);
    wr_str(&wr, "\",\"params\":");
    wr_bytes(&wr, params);
    wr_str(&wr, "}");
    err = rpc_exchange(rpc, &response, wr_done(&wr));
    free(body);
    TRY(err);
    return rpc_read(rpc, result, &response);
}

struct err rpc_quantity(struct rpc *rpc, struct u256 *out, const char *method, struct bytes params)
{
    const struct json *result;

    TRY(rpc_call(rpc, &result, method, params));
    ENSURE(result->type == JSON_STRING && !json_u256(out, result).code, ERR_UNREACHABLE,
           "node: expected a quantity");
    return OK;
}
