// SPDX-License-Identifier: Apache-2.0
// The HTTP side of fake_parent.h: IMDSv2 and an Ethereum node. The node knows as much as a send
// asks of it: chain id, pending nonce, fees, which transactions it took, and receipts.
#include "base/hex.h"
#include "base/must.h"
#include "net/addr.h"
#include "net/json.h"

#include <stdio.h>
#include <string.h>

#include "fake_parent.h"

static void start_http(struct fake_http *http,
                       void (*handle)(const struct server_request *request,
                                      struct server_response *response),
                       void *context)
{
    struct server_options options = { .workers = 4,
                                      .connections_max = 64,
                                      .queue_max = 64,
                                      .request_max = 1 << 20,
                                      .response_max = 1 << 16,
                                      .handle = handle,
                                      .context = context };
    struct addr addr = { .kind = ADDR_TCP, .host = "127.0.0.1" }, bound;
    int fd = -1;

    must(addr_listen(&fd, &addr, &bound).code == ERR_NONE);
    must(server_start(&http->server, fd, &options).code == ERR_NONE);
    (void)snprintf(http->url, sizeof(http->url), "http://127.0.0.1:%u", (unsigned)bound.port);
}

void fake_http_stop(struct fake_http *http)
{
    server_stop(&http->server);
}

static void serve_imds(const struct server_request *request, struct server_response *response)
{
    struct bytes target = request->head->target;
    struct bytes token = http_field_get(request->head, "X-aws-ec2-metadata-token");

    response->status = 200;
    if (bytes_equal_str(request->head->method, "PUT"))
        wr_str(&response->body, "session");
    else if (!bytes_equal_str(token, "session"))
        response->status = 401;
    else if (bytes_equal_str(target, "/latest/meta-data/iam/security-credentials/"))
        wr_str(&response->body, "role");
    else if (bytes_equal_str(target, "/latest/meta-data/iam/security-credentials/role"))
        wr_str(&response->body, "{\"Code\":\"Success\",\"AccessKeyId\":\"AKIA\","
                                "\"SecretAccessKey\":\"the secret\",\"Token\":\"token\","
                                "\"Expiration\":\"2099-01-01T00:00:00Z\"}");
    else
        response->status = 404;
}

void fake_imds_start(struct fake_http *http)
{
    start_http(http, serve_imds, NULL);
}

static int node_find(const struct fake_node *node, const struct json *value)
{
    struct bytes text = bytes_skip(json_string(value), 2);
    uint8_t hash[32];

    if (hex_decode(hash, 32, text).code)
        return -1;
    for (unsigned i = 0; i < node->taken; i++)
        if (memcmp(node->hash[i], hash, 32) == 0)
            return (int)i;
    return -1;
}

static void node_raw(struct fake_node *node, struct jw *jw, const struct json *value)
{
    static uint8_t raw[TX_BYTES_MAX];
    uint8_t signature[TX_SIGNATURE_BYTES];
    struct tx tx;
    size_t n;

    node->raw_calls++;
    must(!hex_decode_0x(raw, sizeof(raw), &n, json_string(value)).code);
    must(!tx_read_signed(&tx, signature, bytes_of(raw, n)).code);
    if (node->refuse[0]) {
        jw_key(jw, "error");
        jw_object(jw);
        jw_key(jw, "code");
        jw_value(jw, &(struct json) { .type = JSON_NUMBER, .text = BYTES_LIT("-32000") });
        jw_key(jw, "message");
        jw_cstring(jw, node->refuse);
        jw_object_end(jw);
        return;
    }
    must(node->taken < 64);
    tx_hash(node->hash[node->taken], bytes_of(raw, n));
    node->nonce[node->taken] = tx.nonce;
    if (node->automatic && tx.nonce >= node->count)
        node->count = tx.nonce + 1;
    jw_key(jw, "result");
    jw_hex(jw, BYTES_OF(node->hash[node->taken]));
    node->taken++;
}

static void node_receipt(const struct fake_node *node, struct jw *jw, const struct json *value)
{
    jw_key(jw, "result");
    if (node_find(node, value) < 0 || !node->mines) {
        jw_null(jw);
        return;
    }
    jw_object(jw);
    jw_key(jw, "status");
    jw_cstring(jw, node->reverts ? "0x0" : "0x1");
    jw_object_end(jw);
}

static void node_empty(struct jw *jw)
{
    jw_object(jw);
    jw_object_end(jw);
}

static void node_fees(struct jw *jw)
{
    jw_object(jw);
    jw_key(jw, "baseFeePerGas");
    jw_array(jw);
    jw_cstring(jw, "0x5");
    jw_cstring(jw, "0x7");
    jw_array_end(jw);
    jw_object_end(jw);
}

static void node_answer(struct fake_node *node, struct jw *jw, const struct json *root)
{
    struct bytes method = json_string(json_get(root, "method"));
    const struct json *first = json_get(root, "params")->child;

    if (bytes_equal_str(method, "eth_sendRawTransaction")) {
        node_raw(node, jw, first);
        return;
    }
    if (bytes_equal_str(method, "eth_getTransactionReceipt")) {
        node_receipt(node, jw, first);
        return;
    }
    jw_key(jw, "result");
    if (bytes_equal_str(method, "eth_chainId"))
        jw_quantity(jw, u256_of(FAKE_CHAIN));
    else if (bytes_equal_str(method, "eth_getTransactionCount"))
        jw_quantity(jw, u256_of(node->count));
    else if (bytes_equal_str(method, "eth_estimateGas"))
        jw_cstring(jw, "0x5208");
    else if (bytes_equal_str(method, "eth_maxPriorityFeePerGas"))
        jw_cstring(jw, "0x1");
    else if (bytes_equal_str(method, "eth_getTransactionByHash") && node_find(node, first) >= 0)
        node_empty(jw);
    else if (bytes_equal_str(method, "eth_getTransactionByHash"))
        jw_null(jw);
    else
        node_fees(jw);
}

static void serve_node(const struct server_request *request, struct server_response *response)
{
    struct fake_node *node = request->context;
    struct jw jw = jw_of(&response->body);
    struct json nodes[256];
    const struct json *root;
    uint8_t text[8192];

    must(request->body.n <= sizeof(text) && request->body.n > 0);
    memcpy(text, request->body.p, request->body.n);
    must(json_parse(&root, nodes, ARRAY_LEN(nodes), text, request->body.n).code == ERR_NONE);
    must(pthread_mutex_lock(&node->lock) == 0);
    response->status = node->down ? 500 : 200;
    if (!node->down) {
        jw_object(&jw);
        jw_key(&jw, "id");
        jw_u64(&jw, 1);
        node_answer(node, &jw, root);
        jw_object_end(&jw);
    }
    must(pthread_mutex_unlock(&node->lock) == 0);
}

void fake_node_start(struct fake_node *node)
{
    *node = (struct fake_node) { .count = 7 };
    must(pthread_mutex_init(&node->lock, NULL) == 0);
    start_http(&node->http, serve_node, node);
}
