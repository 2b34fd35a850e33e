// SPDX-License-Identifier: Apache-2.0
// Transactions as JSON, with eth-account's field names (PROTOCOL.md section 1): amounts with units
// become wei before they are sent, and what comes back signed is compared with what was asked for.
// Who may include it: cli.
#pragma once

#include "eth/tx.h"
#include "net/json.h"

// Writes the object again, amounts like "3gwei" as decimal strings. *field is the member that an
// error is about (valid as long as `tx`). Recipient, data and amounts are checked; whether the
// fields make a transaction, the enclave says.
FALLIBLE txjson_write(struct jw *jw, const struct json *tx, struct bytes *field);
// ERR_UNTRUSTED when the signed transaction is another one than `tx` asks for. Members that are
// absent were the service's to choose, except to, value, data and accessList.
FALLIBLE txjson_check(const struct json *tx, const struct tx *got);
