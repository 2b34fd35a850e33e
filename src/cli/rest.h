// SPDX-License-Identifier: Apache-2.0
// Calls to cloisterd (PROTOCOL.md section 8). What it answers is the claim of an untrusted machine:
// it is bounded, parsed strictly, and believed by nobody but the terminal. Who may include it: cli.
#pragma once

#include "cli/trust.h"
#include "net/client.h"
#include "net/json.h"

#define REST_ANSWER_MAX (8U << 20) // 100 accounts with records and receipts need less than 2 MiB
#define REST_NODES_MAX  65536U
#define REST_BODY_MAX   (1U << 20)

struct rest {
    struct client client;
    char authorization[300]; // "Bearer TOKEN"; wiped by rest_done
    unsigned status;         // of the last answer
    char message[512];       // the service's own words about an error; empty: none
    uint8_t answer[REST_ANSWER_MAX];
    struct json nodes[REST_NODES_MAX];
    uint8_t body[REST_BODY_MAX]; // for the caller to write a request's body into
};

struct rest_request {
    const char *method, *target;
    struct bytes body;           // JSON, or none
    const char *idempotency_key; // NULL: none
    unsigned timeout_ms;         // 0: 30 s
};

// Reads the token and prepares a connection; dials at the first call. ERR_MALFORMED when the trust
// file names no service, ERR_DENIED when the URL would carry the token over a network.
FALLIBLE rest_open(struct rest *rest, const struct trust *trust);
void rest_done(struct rest *rest);
// One call. *answer is valid until the next one. A status of 400 or more is an error with the
// service's own code, and its words in rest->message.
FALLIBLE rest_call(struct rest *rest, const struct rest_request *request,
                   const struct json **answer);
// Percent-encodes everything but RFC 3986's unreserved characters, for a query's values.
void rest_write_escaped(struct wr *wr, struct bytes text);
