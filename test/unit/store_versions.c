// SPDX-License-Identifier: Apache-2.0
// parent/store.h: files of other versions, older and newer, and files that are no store.
#include "parent/store.h"

#include "base/must.h"
#include "parent/store_account.h"
#include "parent/store_manifest.h"
#include "parent/store_send.h"
#include "parent/store_tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "expect.h"
#include "fake_parent.h"

static char dir[64], path[128];
static struct store *store;

static int set_up(void **state)
{
    (void)state;
    fake_dir(dir);
    fake_path(path, sizeof(path), dir, "store.db");
    return store_open(&store, path).code ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_close(&store);
    fake_dir_remove(dir);
    return 0;
}

static void set_version(const char *sql)
{
    sqlite3 *db;

    store_close(&store);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

// A store as the first version of this program wrote it, with one row of each kind.
static const char version_1[] =
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
    "CREATE UNIQUE INDEX sends_nonce ON sends (account, chain_id, nonce)"
    " WHERE assigned = 1 AND status <> 4;"
    "CREATE INDEX sends_chain ON sends (account, chain_id, nonce);"
    "CREATE INDEX sends_stored ON sends (seq) WHERE status = 0;"
    "INSERT INTO migrations VALUES (1, 1); PRAGMA user_version = 1;"
    "INSERT INTO keysets VALUES (1, 'a1', 'main', 'record', 'receipt', 5);"
    "INSERT INTO accounts VALUES (1, 'b1', 'u', 'n', zeroblob(32), 'a1', '0x', 'unrestricted',"
    " 'r', 'q', '', 6);"
    "INSERT INTO sends VALUES (1, 'b1', 'k', zeroblob(32), 1, 7, 1, 'raw', zeroblob(32), 0, '', '',"
    " 7);";

static void version_1_is_brought_up(void **state)
{
    AUTO(store_account_free) struct store_account got = { 0 };
    AUTO(store_send_free) struct store_send send = { 0 };
    AUTO(store_manifest_free) struct store_manifest manifest = { 0 };
    AUTO(store_tls_free) struct store_tls tls = { 0 };

    (void)state;
    store_close(&store);
    (void)unlink(path);
    set_version(version_1);
    expect_ok("open", store_open(&store, path));
    expect_ok("account", store_account_get(store, &got, "b1"));
    assert_true(bytes_equal_str(got.record, "r"));
    assert_false(got.disabled);
    assert_int_equal(got.delete_ms, 0);
    expect_ok("usable", store_account_usable(store, "b1"));
    expect_ok("send", store_send_next_stored(store, &send, 0));
    assert_string_equal(send.key, "k");
    expect_err("no manifest", store_manifest_get(store, &manifest), ERR_NOT_FOUND, "none yet");
    expect_err("no TLS key", store_tls_used(store, &tls), ERR_NOT_FOUND, NULL);
    store_close(&store);
    expect_ok("again", store_open(&store, path));
}

static void migrations(void **state)
{
    FILE *file;

    (void)state;
    store_close(&store);
    expect_ok("same version", store_open(&store, path));
    set_version("PRAGMA user_version = 99");
    expect_err("newer", store_open(&store, path), ERR_UNSUPPORTED, "newer");
    set_version("PRAGMA user_version = 3; DROP TABLE sends");
    expect_err("another schema", store_open(&store, path), ERR_CORRUPT, "schema");
    file = fopen(path, "w");
    (void)fputs("this is no database, whatever else it may be, and it is long enough", file);
    (void)fclose(file);
    expect_err("no database", store_open(&store, path), ERR_CORRUPT, "SQLite");
}

int main(void)
{
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        STORE_TEST(version_1_is_brought_up),
        STORE_TEST(migrations),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
