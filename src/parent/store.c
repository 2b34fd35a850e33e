// SPDX-License-Identifier: Apache-2.0
// Opening, schema, statements, and the table of keysets. SQL text is constant; values are bound.
// The file may be edited or replaced by whoever owns the instance: what is read is bounded, and
// the enclave authenticates every record again; nothing is trusted because it was stored.
#include "parent/store_db.h"

#include "base/fd.h"
#include "base/must.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define STORE_ROW_MAX (2 << 20)

// Migration i brings the schema from version i to i + 1. Never edited, only added to.
static const char *const store_migrations[] = {
    "CREATE TABLE migrations (version INTEGER PRIMARY KEY, applied INTEGER NOT NULL);"
    "CREATE TABLE keysets ("
    " seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE,"
    " record BLOB NOT NULL, receipt BLOB NOT NULL, created INTEGER NOT NULL);"
    "CREATE TABLE accounts ("
    " seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, user TEXT NOT NULL, name TEXT NOT NULL,"
    " request_hash BLOB NOT NULL, keyset TEXT NOT NULL REFERENCES keysets(id),"
    " address TEXT NOT NULL, policy TEXT NOT NULL, record BLOB NOT NULL, receipt BLOB NOT NULL,"
    " nonce BLOB NOT NULL, created INTEGER NOT NULL, UNIQUE (user, name));"
    "CREATE TABLE sends ("
    " seq INTEGER PRIMARY KEY, account TEXT NOT NULL REFERENCES accounts(id),"
    " idempotency_key TEXT NOT NULL, request_hash BLOB NOT NULL, chain_id INTEGER NOT NULL,"
    " nonce INTEGER NOT NULL, assigned INTEGER NOT NULL, raw_tx BLOB NOT NULL,"
    " hash BLOB NOT NULL, status INTEGER NOT NULL, reason TEXT NOT NULL, receipt BLOB NOT NULL,"
    " created INTEGER NOT NULL, UNIQUE (account, idempotency_key));"
    // Status 4: the node refused the transaction for good, so that its nonce is free again.
    "CREATE UNIQUE INDEX sends_nonce ON sends (account, chain_id, nonce)"
    " WHERE assigned = 1 AND status <> 4;"
    "CREATE INDEX sends_chain ON sends (account, chain_id, nonce);"
    "CREATE INDEX sends_stored ON sends (seq) WHERE status = 0;",
    // delete_at: milliseconds since 1970 when the account is to be deleted; 0: it is not.
    "ALTER TABLE accounts ADD COLUMN disabled INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE accounts ADD COLUMN delete_at INTEGER NOT NULL DEFAULT 0;"
    "CREATE INDEX accounts_due ON accounts (delete_at) WHERE delete_at > 0;"
    "CREATE TABLE manifest ("
    " one INTEGER PRIMARY KEY CHECK (one = 1), serial INTEGER NOT NULL, signed BLOB NOT NULL);"
    "CREATE TABLE imports ("
    " account TEXT PRIMARY KEY, user TEXT NOT NULL, name TEXT NOT NULL,"
    " keyset TEXT NOT NULL REFERENCES keysets(id), created INTEGER NOT NULL) WITHOUT ROWID;",
    // An import without a user is a TLS key's.
    "CREATE TABLE tls_keys ("
    " seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, name TEXT NOT NULL UNIQUE,"
    " request_hash BLOB NOT NULL, keyset TEXT NOT NULL REFERENCES keysets(id),"
    " spki TEXT NOT NULL, record BLOB NOT NULL, receipt BLOB NOT NULL, nonce BLOB NOT NULL,"
    " created INTEGER NOT NULL, chain BLOB NOT NULL DEFAULT x'', names BLOB NOT NULL DEFAULT x'',"
    " days INTEGER NOT NULL DEFAULT 0, sha256 TEXT NOT NULL DEFAULT '',"
    " not_after INTEGER NOT NULL DEFAULT 0, in_use INTEGER NOT NULL DEFAULT 0);"
    "CREATE UNIQUE INDEX tls_keys_used ON tls_keys (in_use) WHERE in_use = 1;",
};

#define STORE_ACCOUNT_COLUMNS                                                                  \
    "id, user, name, request_hash, keyset, address, policy, record, receipt, nonce, created, " \
    "seq, "                                                                                    \
    "disabled, delete_at"
#define STORE_TLS_COLUMNS                                                                         \
    "id, name, request_hash, keyset, spki, record, receipt, nonce, created, chain, names, days, " \
    "sha256, not_after, in_use"
#define STORE_SEND_COLUMNS                                                              \
    "account, idempotency_key, request_hash, chain_id, nonce, assigned, raw_tx, hash, " \
    "status, reason, receipt, created, seq"

static const char *const store_texts[STORE_SQL_COUNT] = {
    [STORE_KEYSET_ADD] = "INSERT INTO keysets (id, name, record, receipt, created)"
                         " VALUES (?1, ?2, ?3, ?4, ?5)",
    [STORE_KEYSET_GET] = "SELECT id, name, record, receipt, created FROM keysets WHERE name = ?1",
    [STORE_KEYSET_LIST] =
        "SELECT id, name, record, receipt, created FROM keysets ORDER BY seq LIMIT ?1",
    [STORE_ACCOUNT_ADD] =
        "INSERT INTO accounts (id, user, name, request_hash, keyset, address, policy, record,"
        " receipt, nonce, created) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    [STORE_ACCOUNT_GET] = "SELECT " STORE_ACCOUNT_COLUMNS " FROM accounts WHERE id = ?1",
    [STORE_ACCOUNT_FIND] =
        "SELECT " STORE_ACCOUNT_COLUMNS " FROM accounts WHERE user = ?1 AND name = ?2",
    [STORE_ACCOUNT_LIST] = "SELECT " STORE_ACCOUNT_COLUMNS " FROM accounts"
                           " WHERE (?1 = '' OR user = ?1) AND seq > ?2 ORDER BY seq LIMIT ?3",
    [STORE_ACCOUNT_DISABLE] = "UPDATE accounts SET disabled = ?2 WHERE id = ?1",
    [STORE_ACCOUNT_SCHEDULE] = "UPDATE accounts SET delete_at = ?2 WHERE id = ?1",
    [STORE_ACCOUNT_DUE] = "SELECT id FROM accounts WHERE delete_at > 0 AND delete_at <= ?1 LIMIT 1",
    [STORE_ACCOUNT_DELETE] =
        "DELETE FROM accounts WHERE id = ?1 AND delete_at > 0 AND delete_at <= ?2",
    [STORE_ACCOUNT_DELETE_SENDS] = "DELETE FROM sends WHERE account = ?1",
    [STORE_SEND_ADD] =
        "INSERT INTO sends (account, idempotency_key, request_hash, chain_id, nonce, assigned,"
        " raw_tx, hash, status, reason, receipt, created)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
    [STORE_SEND_GET] =
        "SELECT " STORE_SEND_COLUMNS " FROM sends WHERE account = ?1 AND idempotency_key = ?2",
    [STORE_SEND_MARK] = "UPDATE sends SET status = ?3, reason = ?4, receipt = ?5"
                        " WHERE account = ?1 AND idempotency_key = ?2"
                        " AND status < 2 AND status <= ?3",
    [STORE_SEND_NONCES] = "SELECT DISTINCT nonce FROM sends WHERE account = ?1 AND chain_id = ?2"
                          " AND nonce >= ?3 AND status <> 4 ORDER BY nonce",
    // Of accounts that may send only: what was signed before they were disabled stays here.
    [STORE_SEND_PENDING] =
        "SELECT " STORE_SEND_COLUMNS " FROM sends WHERE status = 0 AND seq > ?1 AND EXISTS ("
        "SELECT 1 FROM accounts WHERE id = account AND disabled = 0 AND delete_at = 0)"
        " ORDER BY seq LIMIT 1",
    [STORE_MANIFEST_PUT] =
        "INSERT INTO manifest (one, serial, signed) VALUES (1, ?1, ?2) ON CONFLICT (one)"
        " DO UPDATE SET serial = excluded.serial, signed = excluded.signed"
        " WHERE excluded.serial > serial",
    [STORE_MANIFEST_GET] = "SELECT serial, signed FROM manifest",
    [STORE_IMPORT_ADD] = "INSERT INTO imports (account, user, name, keyset, created)"
                         " VALUES (?1, ?2, ?3, ?4, ?5)",
    [STORE_IMPORT_GET] =
        "SELECT account, user, name, keyset, created FROM imports WHERE account = ?1",
    [STORE_IMPORT_DROP] = "DELETE FROM imports WHERE account = ?1",
    [STORE_IMPORT_EXPIRE] = "DELETE FROM imports WHERE created < ?1",
    [STORE_TLS_ADD] =
        "INSERT INTO tls_keys (id, name, request_hash, keyset, spki, record, receipt, nonce,"
        " created) SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9"
        " WHERE (SELECT count(*) FROM tls_keys) < ?10",
    [STORE_TLS_GET] = "SELECT " STORE_TLS_COLUMNS " FROM tls_keys WHERE name = ?1",
    [STORE_TLS_FIND] = "SELECT " STORE_TLS_COLUMNS " FROM tls_keys WHERE id = ?1",
    [STORE_TLS_USED] = "SELECT " STORE_TLS_COLUMNS " FROM tls_keys WHERE in_use = 1",
    [STORE_TLS_LIST] = "SELECT " STORE_TLS_COLUMNS " FROM tls_keys ORDER BY seq",
    [STORE_TLS_USE] = "UPDATE tls_keys SET chain = ?2, names = ?3, days = ?4, sha256 = ?5,"
                      " not_after = ?6, in_use = 1 WHERE name = ?1",
    [STORE_TLS_USE_NONE] = "UPDATE tls_keys SET in_use = 0 WHERE in_use = 1",
    [STORE_TLS_DROP] = "DELETE FROM tls_keys WHERE name = ?1 AND in_use = 0",
    [STORE_SIZE] = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size",
};

static struct err store_make_file(const char *path);
static struct err store_setup(struct store *store, const char *path);
static struct err store_migrate(struct store *store);

struct err store_open(struct store **out, const char *path)
{
    AUTO(store_close) struct store *store = calloc(1, sizeof(*store));

    ENSURE(store, ERR_FULL, "store: no memory");
    must(pthread_mutex_init(&store->lock, NULL) == 0);
    TRY(store_make_file(path));
    TRY(store_setup(store, path));
    TRY(store_migrate(store));
    for (int i = 0; i < STORE_SQL_COUNT; i++)
        ENSURE(sqlite3_prepare_v3(store->db, store_texts[i], -1, SQLITE_PREPARE_PERSISTENT,
                                  &store->stmt[i], NULL) == SQLITE_OK,
               ERR_CORRUPT, "store: the schema is not the expected one");
    *out = store;
    store = NULL;
    return OK;
}

void store_close(struct store **store)
{
    if (!*store)
        return;
    for (int i = 0; i < STORE_SQL_COUNT; i++)
        (void)sqlite3_finalize((*store)->stmt[i]);
    (void)sqlite3_close((*store)->db);
    (void)pthread_mutex_destroy(&(*store)->lock);
    free(*store);
    *store = NULL;
}

// SQLite gives its log the mode of the file, so that the file is made first.
static struct err store_make_file(const char *path)
{
    AUTO(fd_close) int fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

    ENSURE(fd >= 0, ERR_IO, "store: file cannot be opened for writing");
    ENSURE(fchmod(fd, 0600) == 0, ERR_IO, "store: mode 0600 cannot be set");
    return OK;
}

struct err store_exec(struct store *store, const char *sql)
{
    int code = sqlite3_exec(store->db, sql, NULL, NULL, NULL);

    ENSURE(code != SQLITE_BUSY, ERR_BUSY, "store: in use by another process");
    ENSURE(code != SQLITE_NOTADB && code != SQLITE_CORRUPT, ERR_CORRUPT,
           "store: expected a SQLite file");
    ENSURE(code == SQLITE_OK, ERR_IO, "store: SQLite refused");
    return OK;
}

static struct err store_setup(struct store *store, const char *path)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;

    ENSURE(sqlite3_open_v2(path, &store->db, flags, NULL) == SQLITE_OK, ERR_IO,
           "store: file cannot be opened");
    (void)sqlite3_limit(store->db, SQLITE_LIMIT_LENGTH, STORE_ROW_MAX);
    (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(store->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    // Two daemons on one file would hand out the same transaction nonces.
    TRY(store_exec(store, "PRAGMA locking_mode = EXCLUSIVE"));
    TRY(store_exec(store, "PRAGMA journal_mode = WAL"));
    TRY(store_exec(store, "PRAGMA synchronous = FULL"));
    // A deleted record is to be gone: its pages are overwritten.
    TRY(store_exec(store, "PRAGMA secure_delete = ON"));
    return store_exec(store, "PRAGMA foreign_keys = ON; PRAGMA cell_size_check = ON");
}

static void store_finalize(sqlite3_stmt **stmt)
{
    (void)sqlite3_finalize(*stmt);
}

static struct err store_version(struct store *store, int *version)
{
    AUTO(store_finalize) sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(store->db, "PRAGMA user_version", -1, &stmt, NULL);

    ENSURE(code == SQLITE_OK && sqlite3_step(stmt) == SQLITE_ROW, ERR_IO, "store: SQLite refused");
    *version = sqlite3_column_int(stmt, 0);
    return OK;
}

static struct err store_migrate_one(struct store *store, int version)
{
    char sql[160];

    TRY(store_exec(store, store_migrations[version]));
    (void)snprintf(sql, sizeof(sql),
                   "INSERT INTO migrations VALUES (%d, CAST(strftime('%%s') AS INTEGER));"
                   "PRAGMA user_version = %d;",
                   version + 1, version + 1);
    return store_exec(store, sql);
}

// Each migration and its version number are one transaction.
static struct err store_migrate(struct store *store)
{
    int version;

    TRY(store_version(store, &version));
    ENSURE(version >= 0 && version <= (int)ARRAY_LEN(store_migrations), ERR_UNSUPPORTED,
           "store: written by a newer version of this program");
    for (; version < (int)ARRAY_LEN(store_migrations); version++) {
        struct err err;

        TRY(store_exec(store, "BEGIN IMMEDIATE"));
        err = store_migrate_one(store, version);
        TRY(store_exec(store, err.code ? "ROLLBACK" : "COMMIT"));
        TRY(err);
    }
    return OK;
}

struct err store_size(struct store *store, uint64_t *bytes)
{
    AUTO(store_unlock) struct store *held = store_lock(store);
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, STORE_SIZE);
    bool row;

    TRY(store_step(stmt, &row));
    *bytes = row ? store_column_u64(stmt, 0) : 0;
    return OK;
}

int store_changes(const struct store *held)
{
    return sqlite3_changes(held->db);
}

struct store *store_lock(struct store *store)
{
    must(pthread_mutex_lock(&store->lock) == 0);
    return store;
}

void store_unlock(struct store **held)
{
    must(pthread_mutex_unlock(&(*held)->lock) == 0);
}

sqlite3_stmt *store_use(struct store *held, enum store_sql sql)
{
    return held->stmt[sql];
}

void store_reset(sqlite3_stmt **stmt)
{
    if (!*stmt)
        return;
    (void)sqlite3_reset(*stmt);
    (void)sqlite3_clear_bindings(*stmt);
}

// A bind fails only for want of memory or past STORE_ROW_MAX; the parameter is NULL then, which
// NOT NULL of every column refuses.
void store_bind_text(sqlite3_stmt *stmt, int at, const char *text)
{
    (void)sqlite3_bind_text(stmt, at, text, -1, SQLITE_STATIC);
}

void store_bind_blob(sqlite3_stmt *stmt, int at, struct bytes b)
{
    (void)sqlite3_bind_blob64(stmt, at, b.n ? (const void *)b.p : "", b.n, SQLITE_STATIC);
}

void store_bind_u64(sqlite3_stmt *stmt, int at, uint64_t value)
{
    (void)sqlite3_bind_int64(stmt, at, (sqlite3_int64)value);
}

struct err store_step(sqlite3_stmt *stmt, bool *row)
{
    int code = sqlite3_step(stmt);

    *row = code == SQLITE_ROW;
    ENSURE(code != SQLITE_CONSTRAINT, ERR_EXISTS, "store: a row with this key exists");
    ENSURE(code != SQLITE_FULL, ERR_FULL, "store: the disk is full");
    ENSURE(code == SQLITE_ROW || code == SQLITE_DONE, ERR_IO, "store: SQLite refused");
    return OK;
}

struct err store_run(sqlite3_stmt *stmt)
{
    bool row;

    return store_step(stmt, &row);
}

struct bytes store_column(sqlite3_stmt *stmt, int at)
{
    const void *p = sqlite3_column_blob(stmt, at);

    return bytes_of(p, (size_t)sqlite3_column_bytes(stmt, at));
}

uint64_t store_column_u64(sqlite3_stmt *stmt, int at)
{
    return (uint64_t)sqlite3_column_int64(stmt, at);
}

struct err store_column_text(sqlite3_stmt *stmt, int at, char *out, size_t cap)
{
    ENSURE(bytes_to_str(store_column(stmt, at), out, cap), ERR_CORRUPT,
           "store: a text is longer than it was written");
    return OK;
}

struct err store_hold(void **block, struct bytes *const *view, size_t views)
{
    size_t n = 1;
    uint8_t *at;

    for (size_t i = 0; i < views; i++)
        n += view[i]->n;
    *block = malloc(n);
    ENSURE(*block, ERR_FULL, "store: no memory");
    at = *block;
    for (size_t i = 0; i < views; i++) {
        if (view[i]->n)
            memcpy(at, view[i]->p, view[i]->n);
        view[i]->p = at;
        at += view[i]->n;
    }
    return OK;
}

void store_free_block(void **block)
{
    free(*block);
    *block = NULL;
}

struct err store_add_keyset(struct store *store, const struct store_keyset *keyset)
{
    AUTO(store_unlock) struct store *held = store_lock(store);
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, STORE_KEYSET_ADD);

    store_bind_text(stmt, 1, keyset->id);
    store_bind_text(stmt, 2, keyset->name);
    store_bind_blob(stmt, 3, keyset->record);
    store_bind_blob(stmt, 4, keyset->receipt);
    store_bind_u64(stmt, 5, keyset->created_ms);
    return store_run(stmt);
}

static struct err store_read_keyset(struct store_keyset *out, sqlite3_stmt *stmt)
{
    *out = (struct store_keyset) { .created_ms = store_column_u64(stmt, 4) };
    TRY(store_column_text(stmt, 0, out->id, sizeof(out->id)));
    TRY(store_column_text(stmt, 1, out->name, sizeof(out->name)));
    out->record = store_column(stmt, 2);
    out->receipt = store_column(stmt, 3);
    ENSURE(out->record.n <= KEYSET_BYTES_MAX && out->receipt.n <= DOCUMENT_MAX, ERR_CORRUPT,
           "store: a keyset's record or receipt is too long");
    return OK;
}

struct err store_get_keyset(struct store *store, struct store_keyset *out, const char *name)
{
    AUTO(store_unlock) struct store *held = store_lock(store);
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, STORE_KEYSET_GET);
    struct bytes *const views[] = { &out->record, &out->receipt };
    bool row;

    *out = (struct store_keyset) { 0 };
    store_bind_text(stmt, 1, name);
    TRY(store_step(stmt, &row));
    ENSURE(row, ERR_NOT_FOUND, "keyset: no record of this name is stored");
    TRY(store_read_keyset(out, stmt));
    return store_hold(&out->block, views, ARRAY_LEN(views));
}

void store_free_keyset(struct store_keyset *keyset)
{
    store_free_block(&keyset->block);
}

struct err store_list_keysets(struct store *store,
                              void (*each)(void *context, const struct store_keyset *keyset),
                              void *context)
{
    AUTO(store_unlock) struct store *held = store_lock(store);
    AUTO(store_reset) sqlite3_stmt *stmt = store_use(held, STORE_KEYSET_LIST);
    struct store_keyset keyset;
    bool row;

    store_bind_u64(stmt, 1, CONFIG_KEYSETS);
    for (;;) {
        TRY(store_step(stmt, &row));
        if (!row)
            return OK;
        TRY(store_read_keyset(&keyset, stmt));
        each(context, &keyset);
    }
}
