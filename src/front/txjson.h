// SPDX-License-Identifier: Apache-2.0
// A transaction as JSON with eth-account's field names, into struct tx. Who may include it: front.
#pragma once

#include "eth/tx.h"
#include "net/json.h"
#include "proto/limits.h"

// Where decoded bytes live, for as long as the tx is used.
struct txjson_space {
    uint8_t data[TX_PAYLOAD_MAX];
    uint8_t access_list[TX_PAYLOAD_MAX];
};

// Reads `value`. Unknown, missing and contradicting fields are refused by name; for an unknown one
// *unknown is its name (a view of the JSON) and the error says only that. ERR_MALFORMED,
// ERR_UNSUPPORTED (another transaction type) or ERR_TOO_LARGE.
FALLIBLE txjson_read(struct tx *out, struct txjson_space *space, struct bytes *unknown,
                     const struct json *value);
