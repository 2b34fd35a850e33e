// SPDX-License-Identifier: Apache-2.0
// Rows of the table `sends`. The transaction in a row never changes; status, reason and receipt do.
// Uniqueness of idempotency keys and of assigned nonces is the database's, not this code's.
#include "parent/store_send.h"

#include "base/must.h"
#include "eth/tx.h"
#include "parent/metrics.h"
#include "parent/store_db.h"

#include <string.h>

struct err store_send_add(struct store *store, const struct store_send *send)
{
    AUTO(store_unlock) struct store *held = store_lock(store);
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, STORE_SEND_ADD);

    ENSURE(send->nonce <= INT64_MAX, ERR_MALFORMED, "nonce: expected less than 2^63");
    store_bind_text(stmt, 1, send->account);
    store_bind_text(stmt, 2, send->key);
    store_bind_blob(stmt, 3, BYTES_OF(send->request_hash));
    store_bind_u64(stmt, 4, send->chain_id);
    store_bind_u64(stmt, 5, send->nonce);
    store_bind_u64(stmt, 6, send->assigned);
    store_bind_blob(stmt, 7, send->raw_tx);
    store_bind_blob(stmt, 8, BYTES_OF(send->hash));
    store_bind_u64(stmt, 9, send->status);
    store_bind_text(stmt, 10, send->reason);
    store_bind_blob(stmt, 11, send->receipt);
    store_bind_u64(stmt, 12, send->created_ms);
    TRY(store_run(stmt));
    metrics_add(METRICS_SENDS_STORED + (enum metrics_counter)send->status, 1);
    return OK;
}

static struct err store_send_read(struct store_send *out, sqlite3_stmt *stmt)
{
    struct bytes request = store_column(stmt, 2);
    struct bytes hash = store_column(stmt, 7);
    uint64_t status = store_column_u64(stmt, 8);

    *out = (struct store_send) { 0 };
    TRY(store_column_text(stmt, 0, out->account, sizeof(out->account)));
    TRY(store_column_text(stmt, 1, out->key, sizeof(out->key)));
    ENSURE(request.n == 32 && hash.n == 32, ERR_CORRUPT, "store: a hash is not 32 bytes");
    memcpy(out->request_hash, request.p, 32);
    memcpy(out->hash, hash.p, 32);
    out->chain_id = store_column_u64(stmt, 3);
    out->nonce = store_column_u64(stmt, 4);
    out->assigned = store_column_u64(stmt, 5) != 0;
    out->raw_tx = store_column(stmt, 6);
    ENSURE(status <= STORE_SEND_REFUSED, ERR_CORRUPT, "store: a status is unknown");
    out->status = (enum store_send_status)status;
    TRY(store_column_text(stmt, 9, out->reason, sizeof(out->reason)));
    out->receipt = store_column(stmt, 10);
    out->created_ms = store_column_u64(stmt, 11);
    out->seq = store_column_u64(stmt, 12);
    ENSURE(out->raw_tx.n <= TX_BYTES_MAX + 128 && out->receipt.n <= STORE_RECEIPT_MAX, ERR_CORRUPT,
           "store: a transaction or its receipt is too long");
    return OK;
}

static struct err store_send_one(struct store_send *out, sqlite3_stmt *stmt)
{
    struct bytes *const views[] = { &out->raw_tx, &out->receipt };
    bool row;

    *out = (struct store_send) { 0 };
    TRY(store_step(stmt, &row));
    ENSURE(row, ERR_NOT_FOUND, "send: there is none with this key");
    TRY(store_send_read(out, stmt));
    return store_hold(&out->block, views, ARRAY_LEN(views));
}

struct err store_send_get(struct store *store, struct store_send *out, const char *account,
                          const char *key)
{
    AUTO(store_unlock) struct store *held = store_lock(store);
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, STORE_SEND_GET);

    store_bind_text(stmt, 1, account);
    store_bind_text(stmt, 2, key);
    return store_send_one(out, stmt);
}

void store_send_free(struct store_send *send)
{
    store_free_block(&send->block);
}

struct err store_send_mark(struct store *store, const struct store_send *send)
{
    AUTO(store_unlock) struct store *held = store_lock(store);
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, STORE_SEND_MARK);

    store_bind_text(stmt, 1, send->account);
    store_bind_text(stmt, 2, send->key);
    store_bind_u64(stmt, 3, send->status);
    store_bind_text(stmt, 4, send->reason);
    store_bind_blob(stmt, 5, send->receipt);
    TRY(store_run(stmt));
    if (store_changes(held) > 0)
        metrics_add(METRICS_SENDS_STORED + (enum metrics_counter)send->status, 1);
    return OK;
}

struct err store_send_free_nonce(struct store *store, uint64_t *nonce, const char *account,
                                 uint64_t chain_id, uint64_t pending)
{
    AUTO(store_unlock) struct store *held = store_lock(store);
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, STORE_SEND_NONCES);
    bool row = true;

    ENSURE(pending <= INT64_MAX, ERR_MALFORMED, "nonce: expected less than 2^63");
    store_bind_text(stmt, 1, account);
    store_bind_u64(stmt, 2, chain_id);
    store_bind_u64(stmt, 3, pending);
    *nonce = pending;
    for (;;) {
        TRY(store_step(stmt, &row));
        if (!row || store_column_u64(stmt, 0) != *nonce)
            return OK;
        ++*nonce;
    }
}

struct err store_send_next_stored(struct store *store, struct store_send *out, uint64_t after)
{
    AUTO(store_unlock) struct store *held = store_lock(store);
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, STORE_SEND_PENDING);

    store_bind_u64(stmt, 1, after);
    return store_send_one(out, stmt);
}
