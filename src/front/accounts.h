// SPDX-License-Identifier: Apache-2.0
// Accounts, made in the vault or imported: handlers of the table in methods.c. Who may include it:
// front.
#pragma once

#include "front/call.h"
#include "proto/policy.h"

FALLIBLE accounts_create(struct call *call, const struct json *params);
FALLIBLE accounts_open(struct call *call, const struct json *params);
FALLIBLE accounts_import_begin(struct call *call, const struct json *params);
FALLIBLE accounts_import_finish(struct call *call, const struct json *params);

// How a key comes to be: the vault's message, and what reports its answer.
struct accounts_way {
    uint16_t type; // MSG_ACCOUNT_CREATE or MSG_IMPORT_BEGIN
    void (*done)(void *call, struct link_answer *answer);
};
// For keys of any purpose, which is the keyset's: reads `keyset` and `nonce`, asks the vault.
FALLIBLE accounts_ask(struct call *call, const struct json *params, enum policy_kind kind,
                      const struct accounts_way *way);
