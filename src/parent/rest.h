// SPDX-License-Identifier: Apache-2.0
// The REST interface (PROTOCOL.md section 8). Who may include it: parent.
#pragma once

#include "httpd/server.h"
#include "parent/enclave_link.h"
#include "parent/store.h"
#include "parent/supervise.h"

struct broadcast;
struct tls_keys;
struct tunnel;

struct rest {
    struct store *store;
    struct enclave_link *link;
    struct supervise *supervise;
    struct broadcast *broadcast; // NULL: no node is set
    struct tls_keys *tls;
    const struct tunnel *tunnel; // NULL: none
    const struct config *config;
    const char *version;
    struct bytes token; // compared in constant time, never shown
    bool metrics_open;  // `GET /metrics` needs no token
};

#define REST_REQUEST_MAX  (1U << 20)
#define REST_RESPONSE_MAX (2U << 20)

// For server_options: whoever watches this machine is answered however much there is to do.
bool rest_goes_first(const struct http_head *head);
// The handler for server_options; the context is a `const struct rest`.
void rest_handle(const struct server_request *request, struct server_response *response);
