// SPDX-License-Identifier: Apache-2.0
// Signs and sends transactions: each idempotency key becomes one signed transaction, on disk before
// the node sees it, and is sent again until the node has it. Who may include it: parent.
#pragma once

#include "parent/enclave_link.h"
#include "parent/store_account.h"
#include "parent/store_send.h"
#include "proto/config.h"

#define BROADCAST_WAIT_MS_MAX 30000U

struct broadcast;

struct broadcast_options {
    struct store *store;
    struct enclave_link *link;
    const struct config *config;
    const char *node; // URL; must outlive the object
};

struct broadcast_request {
    const struct store_account *account;
    const char *key; // idempotency key, at most STORE_TEXT_MAX bytes
    const struct json *tx;
    uint64_t wait_ms; // for the receipt
};

// Starts the thread that sends again what was stored and is not known to have reached the node.
FALLIBLE broadcast_new(struct broadcast **out, const struct broadcast_options *options);
void broadcast_free(struct broadcast **broadcast);
// Signs and sends, or continues the send with this key. ERR_EXISTS: the key was used for another
// transaction. ERR_DENIED: the node or the enclave refused (in `detail`). ERR_UNREACHABLE,
// ERR_TIMEOUT, ERR_CLOSED: the same request may be repeated; nothing is ever signed twice for it.
// *out tells how far it came; release with store_send_free.
FALLIBLE broadcast_send(struct broadcast *broadcast, const struct broadcast_request *request,
                        struct store_send *out, struct detail *detail);
