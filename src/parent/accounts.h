// SPDX-License-Identifier: Apache-2.0
// Creating accounts, once for each (user, name). Who may include it: parent.
#pragma once

#include "parent/enclave_link.h"
#include "parent/store_account.h"
#include "proto/config.h"

struct accounts {
    struct store *store;
    struct enclave_link *link;
    const struct config *config;
};

struct accounts_request {
    const char *user, *name; // checked with accounts_check_text
    struct bytes keyset;     // name; none: the first keyset of the configuration for accounts
    bool has_nonce;
    uint8_t nonce[NONCE_BYTES_MAX]; // for the receipt
    size_t nonce_len;
};

// 1 to 128 bytes without control characters (C0, DEL, C1). UTF-8 was checked by the JSON reader.
bool accounts_check_text(struct bytes text);
// The account of this request: made now (*created), or the stored one when the same request came
// before. ERR_EXISTS when (user, name) was created with other content. It is on disk when this
// returns. `detail` receives the enclave's words. Release *out with store_account_free.
FALLIBLE accounts_create(const struct accounts *accounts, const struct accounts_request *request,
                         struct store_account *out, bool *created, struct detail *detail);
// Fills the row (id, address, policy, record, receipt, creation) from the enclave's answer, which
// must be of row->keyset, and of row->id unless that is empty. `nonce` is the receipt's.
FALLIBLE accounts_take(const struct accounts *accounts, struct store_account *row,
                       const struct json *result, struct bytes nonce);
// The stored account that is to sign: ERR_NOT_FOUND, ERR_DENIED (not active), ERR_CORRUPT when its
// record is not of this account, keyset and deployment. Release *out with store_account_free.
FALLIBLE accounts_use(const struct accounts *accounts, struct store_account *out, const char *id);
// That `from` of the enclave's answer is the address of this row. ERR_CORRUPT: one of them is not
// what was stored together, and what was signed must not go out.
FALLIBLE accounts_check_sender(const struct store_account *row, const struct json *result);
