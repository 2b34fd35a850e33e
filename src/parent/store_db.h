// SPDX-License-Identifier: Apache-2.0
// What the store's modules share: the connection, its lock and its prepared statements.
// Who may include it: parent/store*.c.
#pragma once

#include "parent/store.h"

#include <pthread.h>
#include <sqlite3.h>

enum store_sql {
    STORE_KEYSET_ADD,
    STORE_KEYSET_GET,
    STORE_KEYSET_LIST,
    STORE_ACCOUNT_ADD,
    STORE_ACCOUNT_GET,
    STORE_ACCOUNT_FIND,
    STORE_ACCOUNT_LIST,
    STORE_ACCOUNT_DISABLE,
    STORE_ACCOUNT_SCHEDULE,
    STORE_ACCOUNT_DUE,
    STORE_ACCOUNT_DELETE,
    STORE_ACCOUNT_DELETE_SENDS,
    STORE_SEND_ADD,
    STORE_SEND_GET,
    STORE_SEND_MARK,
    STORE_SEND_NONCES,
    STORE_SEND_PENDING,
    STORE_MANIFEST_PUT,
    STORE_MANIFEST_GET,
    STORE_IMPORT_ADD,
    STORE_IMPORT_GET,
    STORE_IMPORT_DROP,
    STORE_IMPORT_EXPIRE,
    STORE_TLS_ADD,
    STORE_TLS_GET,
    STORE_TLS_FIND,
    STORE_TLS_USED,
    STORE_TLS_LIST,
    STORE_TLS_USE,
    STORE_TLS_USE_NONE,
    STORE_TLS_DROP,
    STORE_SIZE,
    STORE_SQL_COUNT,
};

struct store {
    sqlite3 *db;
    pthread_mutex_t lock; // held while a statement is in use: one connection, one user
    sqlite3_stmt *stmt[STORE_SQL_COUNT];
};

// SQL without values or rows, for transactions and pragmas.
FALLIBLE store_exec(struct store *store, const char *sql);
// Rows that the last INSERT, UPDATE or DELETE changed; the lock is still held.
int store_changes(const struct store *held);

// `AUTO(store_unlock) struct store *held = store_lock(store);`
struct store *store_lock(struct store *store);
void store_unlock(struct store **held);
// A statement ready for binding; the lock is held. store_reset ends its use (and its transaction).
sqlite3_stmt *store_use(struct store *held, enum store_sql sql);
void store_reset(sqlite3_stmt **stmt);

// Parameters count from 1. The bytes must live until store_reset. No bytes are stored as an empty
// blob, never as NULL.
void store_bind_text(sqlite3_stmt *stmt, int at, const char *text);
void store_bind_blob(sqlite3_stmt *stmt, int at, struct bytes b);
void store_bind_u64(sqlite3_stmt *stmt, int at, uint64_t value);

// *row tells whether there is a row. ERR_EXISTS when a constraint refused, ERR_FULL when the disk
// is full, else ERR_IO.
FALLIBLE store_step(sqlite3_stmt *stmt, bool *row);
// For statements without rows.
FALLIBLE store_run(sqlite3_stmt *stmt);

// Columns count from 0.
struct bytes store_column(sqlite3_stmt *stmt, int at);
uint64_t store_column_u64(sqlite3_stmt *stmt, int at);
// ERR_CORRUPT when the column does not fit.
FALLIBLE store_column_text(sqlite3_stmt *stmt, int at, char *out, size_t cap);
