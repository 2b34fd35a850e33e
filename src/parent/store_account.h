// SPDX-License-Identifier: Apache-2.0
// Accounts in the store: the sealed record and the receipt of each, unique by (user, name). A
// record is deleted by store_account_delete_due only, at the time that was announced. Who may
// include it: parent.
#pragma once

#include "eth/address.h"
#include "parent/store.h"

#define STORE_POLICY_TEXT 16

struct store_account {
    char id[ID_TEXT];
    char user[STORE_TEXT_MAX + 1];
    char name[STORE_TEXT_MAX + 1];
    uint8_t request_hash[32]; // of the request that created it
    char keyset[ID_TEXT];
    char address[ADDRESS_TEXT];
    char policy[STORE_POLICY_TEXT]; // "unrestricted"
    uint64_t created_ms;
    uint64_t seq;       // set when read; grows with creation
    bool disabled;      // set when read, as the next: signs and sends nothing
    uint64_t delete_ms; // 0: stays; else it signs and sends nothing and is deleted at this time
    struct bytes record, receipt;
    struct bytes nonce; // of the receipt; may be empty
    void *block;
};

// ERR_EXISTS when there is an account of this (user, name) or id: nothing changes then.
FALLIBLE store_account_add(struct store *store, const struct store_account *account);
// By id, and by (user, name). ERR_NOT_FOUND. Release with store_account_free.
FALLIBLE store_account_get(struct store *store, struct store_account *out, const char *id);
FALLIBLE store_account_find(struct store *store, struct store_account *out, const char *user,
                            const char *name);
void store_account_free(struct store_account *account);

// ERR_NOT_FOUND. Takes effect on disk before it returns.
FALLIBLE store_account_disable(struct store *store, const char *id, bool disabled);
// `delete_ms` 0 takes a deletion back. ERR_NOT_FOUND.
FALLIBLE store_account_schedule(struct store *store, const char *id, uint64_t delete_ms);
// ERR_DENIED when the account is disabled or to be deleted, ERR_NOT_FOUND when it is not there.
FALLIBLE store_account_usable(struct store *store, const char *id);
// Deletes one account whose time has come, with its sends, for good: its bytes are overwritten.
// `id` tells which. ERR_NOT_FOUND when there is none.
FALLIBLE store_account_delete_due(struct store *store, uint64_t now_ms, char id[static ID_TEXT]);

struct store_account_query {
    const char *user; // "": of every user
    uint64_t after;   // seq of the last one seen, 0 for the first page
    unsigned limit;   // at least 1
    // Called for each row in order of creation, with views valid during the call only; false ends.
    bool (*each)(void *context, const struct store_account *account);
    void *context;
};
FALLIBLE store_account_list(struct store *store, const struct store_account_query *query);
