// SPDX-License-Identifier: Apache-2.0
// Routes of accounts. Who may include it: parent/rest.c.
#pragma once

#include "parent/accounts.h"
#include "parent/rest_call.h"

// What `POST /v1/accounts` and `POST /v1/imports` are asked with.
struct rest_account_wish {
    char user[STORE_TEXT_MAX + 1], name[STORE_TEXT_MAX + 1];
    struct accounts_request request; // views into this object and the body
};

FALLIBLE rest_account_read_wish(struct rest_call *call, struct rest_account_wish *out);
// "0x" and at most 64 bytes of hex, or absent (*n is 0 then).
FALLIBLE rest_account_read_nonce(uint8_t nonce[static NONCE_BYTES_MAX], size_t *n,
                                 const struct json *value);
// Writes the members of the account without the braces.
void rest_account_write(struct jw *jw, const struct store_account *account);

FALLIBLE rest_account_create(struct rest_call *call);
FALLIBLE rest_account_list(struct rest_call *call);
FALLIBLE rest_account_show(struct rest_call *call);
