// SPDX-License-Identifier: Apache-2.0
// Rows of the table `tls_keys`. Record and receipt are written once; certificates come and go. That
// at most one key is in use is the database's rule, not this code's.
#include "parent/store_tls.h"

#include "base/must.h"
#include "parent/store_db.h"

#include <string.h>

struct err store_tls_add(struct store *store, const struct store_tls *key)
{
    AUTO(store_unlock) struct store *held = store_lock(store);
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, STORE_TLS_ADD);

    store_bind_text(stmt, 1, key->id);
    store_bind_text(stmt, 2, key->name);
    store_bind_blob(stmt, 3, BYTES_OF(key->request_hash));
    store_bind_text(stmt, 4, key->keyset);
    store_bind_text(stmt, 5, key->spki);
    store_bind_blob(stmt, 6, key->record);
    store_bind_blob(stmt, 7, key->receipt);
    store_bind_blob(stmt, 8, key->nonce);
    store_bind_u64(stmt, 9, key->created_ms);
    store_bind_u64(stmt, 10, STORE_TLS_MAX);
    TRY(store_run(stmt));
    ENSURE(store_changes(held) == 1, ERR_DENIED, "tls-keys: there are 32; delete one first");
    return OK;
}

static struct err store_tls_read_certificate(struct store_tls_certificate *out, sqlite3_stmt *stmt)
{
    out->chain = store_column(stmt, 9);
    out->names = store_column(stmt, 10);
    out->days = (unsigned)store_column_u64(stmt, 11);
    TRY(store_column_text(stmt, 12, out->sha256, sizeof(out->sha256)));
    out->not_after_s = store_column_u64(stmt, 13);
    ENSURE(out->chain.n <= STORE_TLS_CHAIN_MAX && out->names.n <= STORE_TLS_NAMES_MAX, ERR_CORRUPT,
           "store: a certificate or its names are too long");
    return OK;
}

static struct err store_tls_read(struct store_tls *out, sqlite3_stmt *stmt)
{
    struct bytes hash = store_column(stmt, 2);

    *out = (struct store_tls) { 0 };
    TRY(store_column_text(stmt, 0, out->id, sizeof(out->id)));
    TRY(store_column_text(stmt, 1, out->name, sizeof(out->name)));
    TRY(store_column_text(stmt, 3, out->keyset, sizeof(out->keyset)));
    TRY(store_column_text(stmt, 4, out->spki, sizeof(out->spki)));
    ENSURE(hash.n == sizeof(out->request_hash), ERR_CORRUPT, "store: a hash is not 32 bytes");
    memcpy(out->request_hash, hash.p, hash.n);
    out->record = store_column(stmt, 5);
    out->receipt = store_column(stmt, 6);
    out->nonce = store_column(stmt, 7);
    out->created_ms = store_column_u64(stmt, 8);
    out->in_use = store_column_u64(stmt, 14) != 0;
    ENSURE(out->record.n <= RECORD_BYTES_MAX && out->receipt.n <= DOCUMENT_MAX &&
               out->nonce.n <= NONCE_BYTES_MAX,
           ERR_CORRUPT, "store: a TLS key's record, receipt or nonce is too long");
    return store_tls_read_certificate(&out->certificate, stmt);
}

static struct err store_tls_one(struct store_tls *out, sqlite3_stmt *stmt)
{
    struct bytes *const views[] = { &out->record, &out->receipt, &out->nonce,
                                    &out->certificate.chain, &out->certificate.names };
    bool row;

    *out = (struct store_tls) { 0 };
    TRY(store_step(stmt, &row));
    ENSURE(row, ERR_NOT_FOUND, "tls-keys: there is none of this name");
    TRY(store_tls_read(out, stmt));
    return store_hold(&out->block, views, ARRAY_LEN(views));
}

static struct err store_tls_by(struct store *store, struct store_tls *out, enum store_sql sql,
                               const char *text)
{
    AUTO(store_unlock) struct store *held = store_lock(store);
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, sql);

    if (text)
        store_bind_text(stmt, 1, text);
    return store_tls_one(out, stmt);
}

struct err store_tls_get(struct store *store, struct store_tls *out, const char *name)
{
    return store_tls_by(store, out, STORE_TLS_GET, name);
}

struct err store_tls_find(struct store *store, struct store_tls *out, const char *id)
{
    return store_tls_by(store, out, STORE_TLS_FIND, id);
}

struct err store_tls_used(struct store *store, struct store_tls *out)
{
    return store_tls_by(store, out, STORE_TLS_USED, NULL);
}

void store_tls_free(struct store_tls *key)
{
    store_free_block(&key->block);
}

static struct err store_tls_change(struct store *held, const char *name,
                                   const struct store_tls_certificate *certificate)
{
    AUTO(store_reset) sqlite3_stmt *none = store_use(held, STORE_TLS_USE_NONE);
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, STORE_TLS_USE);

    TRY(store_run(none));
    store_bind_text(stmt, 1, name);
    store_bind_blob(stmt, 2, certificate->chain);
    store_bind_blob(stmt, 3, certificate->names);
    store_bind_u64(stmt, 4, certificate->days);
    store_bind_text(stmt, 5, certificate->sha256);
    store_bind_u64(stmt, 6, certificate->not_after_s);
    TRY(store_run(stmt));
    ENSURE(store_changes(held) == 1, ERR_NOT_FOUND, "tls-keys: there is none of this name");
    return OK;
}

struct err store_tls_use(struct store *store, const char *name,
                         const struct store_tls_certificate *certificate)
{
    AUTO(store_unlock) struct store *held = store_lock(store);
    struct err err;

    TRY(store_exec(held, "BEGIN IMMEDIATE"));
    err = store_tls_change(held, name, certificate);
    TRY(store_exec(held, err.code ? "ROLLBACK" : "COMMIT"));
    return err;
}

static struct err store_tls_drop_unused(struct store *store, const char *name, bool *dropped)
{
    AUTO(store_unlock) struct store *held = store_lock(store);
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, STORE_TLS_DROP);

    store_bind_text(stmt, 1, name);
    TRY(store_run(stmt));
    *dropped = store_changes(held) == 1;
    return OK;
}

struct err store_tls_drop(struct store *store, const char *name)
{
    AUTO(store_tls_free) struct store_tls key = { 0 };
    bool dropped;

    TRY(store_tls_drop_unused(store, name, &dropped));
    if (dropped)
        return OK;
    TRY(store_tls_get(store, &key, name));
    return FAIL(ERR_MISMATCH, "tls-keys: this one is in use; install another one first");
}

struct err store_tls_list(struct store *store,
                          void (*each)(void *context, const struct store_tls *key), void *context)
{
    AUTO(store_unlock) struct store *held = store_lock(store);
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, STORE_TLS_LIST);
    struct store_tls key;
    bool row;

    for (;;) {
        TRY(store_step(stmt, &row));
        if (!row)
            return OK;
        TRY(store_tls_read(&key, stmt));
        each(context, &key);
    }
}
