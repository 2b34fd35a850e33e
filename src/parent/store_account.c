// SPDX-License-Identifier: Apache-2.0
// Rows of the table `accounts`. A row is written once and never changed. What is read is bounded;
// the enclave authenticates the record whenever it is used.
#include "parent/store_account.h"

#include "base/must.h"
#include "parent/store_db.h"

#include <string.h>

struct err store_account_add(struct store *store, const struct store_account *account)
{
    AUTO(store_unlock) struct store *held = store_lock(store);
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, STORE_ACCOUNT_ADD);

    store_bind_text(stmt, 1, account->id);
    store_bind_text(stmt, 2, account->user);
    store_bind_text(stmt, 3, account->name);
    store_bind_blob(stmt, 4, BYTES_OF(account->request_hash));
    store_bind_text(stmt, 5, account->keyset);
    store_bind_text(stmt, 6, account->address);
    store_bind_text(stmt, 7, account->policy);
    store_bind_blob(stmt, 8, account->record);
    store_bind_blob(stmt, 9, account->receipt);
    store_bind_blob(stmt, 10, account->nonce);
    store_bind_u64(stmt, 11, account->created_ms);
    return store_run(stmt);
}

static struct err store_account_read(struct store_account *out, sqlite3_stmt *stmt)
{
    struct bytes hash = store_column(stmt, 3);

    *out = (struct store_account) { 0 };
    TRY(store_column_text(stmt, 0, out->id, sizeof(out->id)));
    TRY(store_column_text(stmt, 1, out->user, sizeof(out->user)));
    TRY(store_column_text(stmt, 2, out->name, sizeof(out->name)));
    TRY(store_column_text(stmt, 4, out->keyset, sizeof(out->keyset)));
    TRY(store_column_text(stmt, 5, out->address, sizeof(out->address)));
    TRY(store_column_text(stmt, 6, out->policy, sizeof(out->policy)));
    ENSURE(hash.n == sizeof(out->request_hash), ERR_CORRUPT, "store: a hash is not 32 bytes");
    memcpy(out->request_hash, hash.p, hash.n);
    out->record = store_column(stmt, 7);
    out->receipt = store_column(stmt, 8);
    out->nonce = store_column(stmt, 9);
    out->created_ms = store_column_u64(stmt, 10);
    out->seq = store_column_u64(stmt, 11);
    ENSURE(out->record.n <= RECORD_BYTES_MAX && out->receipt.n <= DOCUMENT_MAX &&
               out->nonce.n <= NONCE_BYTES_MAX,
           ERR_CORRUPT, "store: an account's record, receipt or nonce is too long");
    return OK;
}

static struct err store_account_one(struct store_account *out, sqlite3_stmt *stmt)
{
    struct bytes *const views[] = { &out->record, &out->receipt, &out->nonce };
    bool row;

    *out = (struct store_account) { 0 };
    TRY(store_step(stmt, &row));
    ENSURE(row, ERR_NOT_FOUND, "account: there is none with this id");
    TRY(store_account_read(out, stmt));
    return store_hold(&out->block, views, ARRAY_LEN(views));
}

struct err store_account_get(struct store *store, struct store_account *out, const char *id)
{
    AUTO(store_unlock) struct store *held = store_lock(store);
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, STORE_ACCOUNT_GET);

    store_bind_text(stmt, 1, id);
    return store_account_one(out, stmt);
}

struct err store_account_find(struct store *store, struct store_account *out, const char *user,
                              const char *name)
{
    AUTO(store_unlock) struct store *held = store_lock(store);
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, STORE_ACCOUNT_FIND);

    store_bind_text(stmt, 1, user);
    store_bind_text(stmt, 2, name);
    return store_account_one(out, stmt);
}

void store_account_free(struct store_account *account)
{
    store_free_block(&account->block);
}

struct err store_account_list(struct store *store, const struct store_account_query *query)
{
    AUTO(store_unlock) struct store *held = store_lock(store);
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, STORE_ACCOUNT_LIST);
    struct store_account account;
    bool more = true;

    store_bind_text(stmt, 1, query->user);
    store_bind_u64(stmt, 2, query->after);
    store_bind_u64(stmt, 3, query->limit);
    while (more) {
        bool row;

        TRY(store_step(stmt, &row));
        if (!row)
            return OK;
        TRY(store_account_read(&account, stmt));
        more = query->each(query->context, &account);
    }
    return OK;
}
