// SPDX-License-Identifier: Apache-2.0
// Sends in the store: a signed transaction is here, on disk, before the node sees it, so that a
// crash or a retry sends the same bytes again and never a second transaction.
// Who may include it: parent.
#pragma once

#include "parent/store.h"

#define STORE_RECEIPT_MAX 262144U // a longer receipt is not kept: status and hash still are
#define STORE_REASON_TEXT 256

// The numbers are stored: never change them.
enum store_send_status {
    STORE_SEND_STORED = 0,  // signed; not known to have reached the node
    STORE_SEND_SENT = 1,    // the node took it
    STORE_SEND_MINED = 2,   // in a block, executed
    STORE_SEND_FAILED = 3,  // in a block, reverted
    STORE_SEND_REFUSED = 4, // the node refused it for good; its nonce is free again
};

struct store_send {
    char account[ID_TEXT];
    char key[STORE_TEXT_MAX + 1]; // idempotency key
    uint8_t request_hash[32];
    uint64_t chain_id;
    uint64_t nonce; // at most INT64_MAX
    bool assigned;  // the nonce was chosen here, not by the client
    uint8_t hash[32];
    enum store_send_status status;
    char reason[STORE_REASON_TEXT]; // STORE_SEND_REFUSED: what the node said
    uint64_t created_ms;
    uint64_t seq; // set when read
    struct bytes raw_tx;
    struct bytes receipt; // the node's JSON, or none
    void *block;
};

// ERR_EXISTS when the key is used, or when an assigned nonce is taken: nothing changes then.
FALLIBLE store_send_add(struct store *store, const struct store_send *send);
// ERR_NOT_FOUND. Release with store_send_free.
FALLIBLE store_send_get(struct store *store, struct store_send *out, const char *account,
                        const char *key);
void store_send_free(struct store_send *send);
// Writes status, reason and receipt of a stored send. A status only moves on: what is mined, failed
// or refused stays so, and what was sent does not become stored again.
FALLIBLE store_send_mark(struct store *store, const struct store_send *send);
// The least nonce, `pending` or above, that no send of the account uses on the chain.
FALLIBLE store_send_free_nonce(struct store *store, uint64_t *nonce, const char *account,
                               uint64_t chain_id, uint64_t pending);
// The oldest send with status STORED and a seq above `after`. ERR_NOT_FOUND at the end.
FALLIBLE store_send_next_stored(struct store *store, struct store_send *out, uint64_t after);
