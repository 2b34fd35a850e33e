// SPDX-License-Identifier: Apache-2.0
// Rows of the table `imports`. They only name the user of an account that does not exist yet;
// losing one means beginning again.
#include "parent/store_import.h"

#include "base/must.h"
#include "parent/store_db.h"

static struct err store_import_expire(struct store *held, uint64_t now_ms)
{
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, STORE_IMPORT_EXPIRE);

    store_bind_u64(stmt, 1, now_ms > STORE_IMPORT_MS ? now_ms - STORE_IMPORT_MS : 0);
    return store_run(stmt);
}

struct err store_import_add(struct store *store, const struct store_import *import)
{
    AUTO(store_unlock) struct store *held = store_lock(store);
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, STORE_IMPORT_ADD);

    TRY(store_import_expire(held, import->created_ms));
    store_bind_text(stmt, 1, import->account);
    store_bind_text(stmt, 2, import->user);
    store_bind_text(stmt, 3, import->name);
    store_bind_text(stmt, 4, import->keyset);
    store_bind_u64(stmt, 5, import->created_ms);
    return store_run(stmt);
}

struct err store_import_get(struct store *store, struct store_import *out, const char *account)
{
    AUTO(store_unlock) struct store *held = store_lock(store);
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, STORE_IMPORT_GET);
    bool row;

    *out = (struct store_import) { 0 };
    store_bind_text(stmt, 1, account);
    TRY(store_step(stmt, &row));
    ENSURE(row, ERR_NOT_FOUND, "import: none with this id has begun within ten minutes");
    TRY(store_column_text(stmt, 0, out->account, sizeof(out->account)));
    TRY(store_column_text(stmt, 1, out->user, sizeof(out->user)));
    TRY(store_column_text(stmt, 2, out->name, sizeof(out->name)));
    TRY(store_column_text(stmt, 3, out->keyset, sizeof(out->keyset)));
    out->created_ms = store_column_u64(stmt, 4);
    return OK;
}

struct err store_import_drop(struct store *store, const char *account)
{
    AUTO(store_unlock) struct store *held = store_lock(store);
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, STORE_IMPORT_DROP);

    store_bind_text(stmt, 1, account);
    return store_run(stmt);
}
