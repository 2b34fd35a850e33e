// SPDX-License-Identifier: Apache-2.0
// JSON-RPC 2.0 over HTTP to an Ethereum node (Execution API). Who may include it: parent.
#pragma once

#include "net/client.h"
#include "net/json.h"
#include "parent/detail.h"

// A connection to the node, kept alive between calls; one thread at a time.
struct rpc {
    struct client client;
    char path[256];
    uint8_t *buf;         // the last answer
    struct json *nodes;   // of it
    struct detail detail; // ERR_DENIED: what the node said
};

// Connects at the first call. `tls` is used for https only and belongs to the caller.
// Release with rpc_close (also after a failure).
FALLIBLE rpc_open(struct rpc *rpc, const char *url, struct tls_context *tls);
void rpc_close(struct rpc *rpc);
// One call with `params`, the text of a JSON array. *result is valid until the next call.
// ERR_DENIED when the node answered with an error (rpc->detail has its words); ERR_TIMEOUT,
// ERR_CLOSED, ERR_UNREACHABLE when it did not answer.
FALLIBLE rpc_call(struct rpc *rpc, const struct json **result, const char *method,
                  struct bytes params);
// A call whose result is a quantity.
FALLIBLE rpc_quantity(struct rpc *rpc, struct u256 *out, const char *method, struct bytes params);
