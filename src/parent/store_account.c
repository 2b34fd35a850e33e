// SPDX-License-Identifier: Apache-2.0
// Rows of the table `accounts`. Record and receipt are written once and never changed; whether an
// account may be used does change. What is read is bounded; the enclave authenticates the record
// whenever it is used.
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
    out->disabled = store_column_u64(stmt, 12) != 0;
    out->delete_ms = store_column_u64(stmt, 13);
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

static struct err store_account_set(struct store *store, enum store_sql sql, const char *id,
                                    uint64_t value)
{
    AUTO(store_unlock) struct store *held = store_lock(store);
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, sql);

    store_bind_text(stmt, 1, id);
    store_bind_u64(stmt, 2, value);
    TRY(store_run(stmt));
    ENSURE(store_changes(held) == 1, ERR_NOT_FOUND, "account: there is none with this id");
    return OK;
}

struct err store_account_disable(struct store *store, const char *id, bool disabled)
{
    return store_account_set(store, STORE_ACCOUNT_DISABLE, id, disabled);
}

struct err store_account_schedule(struct store *store, const char *id, uint64_t delete_ms)
{
    return store_account_set(store, STORE_ACCOUNT_SCHEDULE, id, delete_ms);
}

struct err store_account_usable(struct store *store, const char *id)
{
    AUTO(store_account_free) struct store_account account = { 0 };

    TRY(store_account_get(store, &account, id));
    ENSURE(account.delete_ms == 0, ERR_DENIED, "account: is to be deleted; undelete it first");
    ENSURE(!account.disabled, ERR_DENIED, "account: is disabled");
    return OK;
}

static struct err store_account_delete(struct store *held, const char *id, uint64_t now_ms)
{
    AUTO(store_reset) sqlite3_stmt *sends = store_use(held, STORE_ACCOUNT_DELETE_SENDS);
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, STORE_ACCOUNT_DELETE);

    store_bind_text(sends, 1, id);
    TRY(store_run(sends));
    store_bind_text(stmt, 1, id);
    store_bind_u64(stmt, 2, now_ms);
    return store_run(stmt);
}

static struct err store_account_due(struct store *held, uint64_t now_ms, char id[static ID_TEXT])
{
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, STORE_ACCOUNT_DUE);
    bool row;

    store_bind_u64(stmt, 1, now_ms);
    TRY(store_step(stmt, &row));
    ENSURE(row, ERR_NOT_FOUND, "account: none is due");
    return store_column_text(stmt, 0, id, ID_TEXT);
}

struct err store_account_delete_due(struct store *store, uint64_t now_ms, char id[static ID_TEXT])
{
    AUTO(store_unlock) struct store *held = store_lock(store);
    struct err err;

    TRY(store_account_due(held, now_ms, id));
    TRY(store_exec(held, "BEGIN IMMEDIATE"));
    err = store_account_delete(held, id, now_ms);
    TRY(store_exec(held, err.code ? "ROLLBACK" : "COMMIT"));
    TRY(err);
    // The log still holds pages with the record until it is written back and cut.
    return store_exec(held, "PRAGMA wal_checkpoint(TRUNCATE)");
}
