// SPDX-License-Identifier: Apache-2.0
// The store of cloisterd: one SQLite file with keyset records, accounts, sends, TLS keys and the
// manifest. It holds public bytes and ciphertexts only, but losing it loses the accounts: every
// change is on disk (WAL, synchronous=FULL) before a function returns. One process at a time. Any
// thread may call. Who may include it: parent.
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "proto/id.h"
#include "proto/limits.h"

#define STORE_TEXT_MAX 128U // bytes of user, name and idempotency key

struct store;

// Opens the file (made with mode 0600 when there is none) and brings its schema up to date.
// ERR_BUSY: another process has it open. ERR_UNSUPPORTED: written by a newer program.
FALLIBLE store_open(struct store **out, const char *path);
// Accepts NULL inside.
void store_close(struct store **store);
// Bytes of the database, without its log.
FALLIBLE store_size(struct store *store, uint64_t *bytes);

// A row of any table: the views of what was read lie in `block`, which store_free_block frees; for
// rows to be written the views are the caller's and `block` is NULL.
void store_free_block(void **block);
// Copies the views into one new block, so that they outlive what they pointed at.
FALLIBLE store_hold(void **block, struct bytes *const *view, size_t views);

struct store_keyset {
    char id[ID_TEXT];
    char name[NAME_BYTES_MAX + 1];
    uint64_t created_ms;
    struct bytes record, receipt;
    void *block;
};

// ERR_EXISTS when there is a keyset of this name or id: a stored record is never overwritten.
FALLIBLE store_add_keyset(struct store *store, const struct store_keyset *keyset);
// ERR_NOT_FOUND. Release with store_free_keyset.
FALLIBLE store_get_keyset(struct store *store, struct store_keyset *out, const char *name);
void store_free_keyset(struct store_keyset *keyset);
// Calls `each` for every keyset in order of creation, at most CONFIG_KEYSETS; views are valid
// during the call only.
FALLIBLE store_list_keysets(struct store *store,
                            void (*each)(void *context, const struct store_keyset *keyset),
                            void *context);
