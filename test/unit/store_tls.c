// SPDX-License-Identifier: Apache-2.0
// parent/store_tls.h: keys are written once, one is in use, and both are so after a crash.
#include "parent/store_tls.h"

#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sqlite3.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "expect.h"
#include "fake_parent.h"

static char dir[64], path[128];
static struct store *store;

static void reopen(void)
{
    store_close(&store);
    expect_ok("open", store_open(&store, path));
}

static struct store_tls_certificate self_signed, issued;

static void make_certificates(void)
{
    self_signed = (struct store_tls_certificate) { .chain = BYTES_LIT("chain"),
                                                   .names = BYTES_LIT("a\nb\n"),
                                                   .days = 30,
                                                   .sha256 = "bb",
                                                   .not_after_s = 4102444800 };
    issued = (struct store_tls_certificate) { .chain = BYTES_LIT("other chain"),
                                              .sha256 = "cc",
                                              .not_after_s = 5 };
}

static int set_up(void **state)
{
    const struct store_keyset keyset = {
        .id = "a1", .name = "web", .record = BYTES_LIT("record"), .receipt = BYTES_LIT("receipt")
    };

    (void)state;
    make_certificates();
    fake_dir(dir);
    fake_path(path, sizeof(path), dir, "store.db");
    must(!store_open(&store, path).code);
    return store_add_keyset(store, &keyset).code ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    store_close(&store);
    fake_dir_remove(dir);
    return 0;
}

static struct store_tls a_key(const char *id, const char *name)
{
    struct store_tls key = { .request_hash = { 7 },
                             .keyset = "a1",
                             .spki = "aa",
                             .created_ms = 6,
                             .record = BYTES_LIT("r\0r"),
                             .receipt = BYTES_LIT("q"),
                             .nonce = BYTES_LIT("n") };

    (void)snprintf(key.id, sizeof(key.id), "%s", id);
    (void)snprintf(key.name, sizeof(key.name), "%s", name);
    return key;
}

static void add(const char *id, const char *name)
{
    struct store_tls key = a_key(id, name);

    expect_ok(name, store_tls_add(store, &key));
}

static void written_once(void **state)
{
    AUTO(store_tls_free) struct store_tls got = { 0 };
    struct store_tls same_name = a_key("b2", "one"), same_id = a_key("b1", "two"),
                     orphan = a_key("b3", "three");

    (void)state;
    expect_err("none", store_tls_get(store, &got, "one"), ERR_NOT_FOUND, "tls-keys");
    add("b1", "one");
    same_name.record = BYTES_LIT("another");
    expect_err("same name", store_tls_add(store, &same_name), ERR_EXISTS, NULL);
    expect_err("same id", store_tls_add(store, &same_id), ERR_EXISTS, NULL);
    (void)snprintf(orphan.keyset, sizeof(orphan.keyset), "zz");
    expect_err("no such keyset", store_tls_add(store, &orphan), ERR_EXISTS, NULL);
    expect_err("quote", store_tls_get(store, &got, "' OR 1=1 --"), ERR_NOT_FOUND, NULL);
    expect_err("no such id", store_tls_find(store, &got, "b2"), ERR_NOT_FOUND, NULL);
    expect_ok("find", store_tls_find(store, &got, "b1"));
    assert_string_equal(got.name, "one");
    assert_string_equal(got.keyset, "a1");
    assert_string_equal(got.spki, "aa");
    assert_int_equal(got.request_hash[0], 7);
    assert_int_equal(got.created_ms, 6);
    assert_true(bytes_equal(got.record, BYTES_LIT("r\0r")));
    assert_true(bytes_equal_str(got.nonce, "n"));
    assert_false(got.in_use);
    assert_int_equal(got.certificate.chain.n, 0);
}

static void check_used(const char *name, const struct store_tls_certificate *certificate)
{
    AUTO(store_tls_free) struct store_tls got = { 0 };

    expect_ok(name, store_tls_used(store, &got));
    assert_string_equal(got.name, name);
    assert_true(got.in_use);
    assert_true(bytes_equal(got.certificate.chain, certificate->chain));
    assert_true(bytes_equal(got.certificate.names, certificate->names));
    assert_int_equal(got.certificate.days, certificate->days);
    assert_string_equal(got.certificate.sha256, certificate->sha256);
    assert_int_equal(got.certificate.not_after_s, certificate->not_after_s);
}

static void one_in_use(void **state)
{
    AUTO(store_tls_free) struct store_tls got = { 0 };

    (void)state;
    add("b1", "one");
    add("b2", "two");
    expect_err("none yet", store_tls_used(store, &got), ERR_NOT_FOUND, NULL);
    expect_ok("use", store_tls_use(store, "one", &self_signed));
    check_used("one", &self_signed);
    expect_err("no such key", store_tls_use(store, "three", &issued), ERR_NOT_FOUND, NULL);
    check_used("one", &self_signed); // as before
    expect_ok("use", store_tls_use(store, "two", &issued));
    check_used("two", &issued);
    reopen();
    check_used("two", &issued);
    expect_ok("again", store_tls_use(store, "two", &self_signed));
    check_used("two", &self_signed);
    expect_ok("the first keeps its own", store_tls_get(store, &got, "one"));
    assert_false(got.in_use);
    assert_true(bytes_equal(got.certificate.chain, self_signed.chain));
}

static void dropped(void **state)
{
    AUTO(store_tls_free) struct store_tls got = { 0 };

    (void)state;
    expect_err("none", store_tls_drop(store, "one"), ERR_NOT_FOUND, NULL);
    add("b1", "one");
    add("b2", "two");
    expect_ok("use", store_tls_use(store, "one", &issued));
    expect_err("in use", store_tls_drop(store, "one"), ERR_MISMATCH, "in use");
    expect_ok("drop", store_tls_drop(store, "two"));
    expect_err("gone", store_tls_get(store, &got, "two"), ERR_NOT_FOUND, NULL);
    check_used("one", &issued);
}

static void count_row(void *context, const struct store_tls *key)
{
    unsigned *count = context;
    char name[16];

    (void)snprintf(name, sizeof(name), "key%u", *count);
    assert_string_equal(key->name, name); // in order of creation
    (*count)++;
}

static void not_too_many(void **state)
{
    struct store_tls more = a_key("last", "last");
    unsigned count = 0;
    char name[16];

    (void)state;
    for (unsigned i = 0; i < STORE_TLS_MAX; i++) {
        (void)snprintf(name, sizeof(name), "key%u", i);
        add(name, name);
    }
    expect_err("33", store_tls_add(store, &more), ERR_DENIED, "there are 32");
    expect_ok("list", store_tls_list(store, count_row, &count));
    assert_int_equal(count, STORE_TLS_MAX);
    expect_ok("drop", store_tls_drop(store, "key7"));
    expect_ok("room again", store_tls_add(store, &more));
}

static void there_after_a_crash(void **state)
{
    pid_t pid;
    int status = 0;

    (void)state;
    store_close(&store);
    pid = fork();
    if (pid == 0) {
        must(!store_open(&store, path).code);
        add("b1", "one");
        must(!store_tls_use(store, "one", &issued).code);
        _exit(7); // without closing
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 7);
    expect_ok("open", store_open(&store, path));
    check_used("one", &issued);
}

static void edited_rows_are_refused(void **state)
{
    static const char *const edits[] = {
        "UPDATE tls_keys SET request_hash = x'00'",
        "UPDATE tls_keys SET record = zeroblob(40961)",
        "UPDATE tls_keys SET receipt = zeroblob(16385)",
        "UPDATE tls_keys SET nonce = zeroblob(65)",
        "UPDATE tls_keys SET chain = zeroblob(32769)",
        "UPDATE tls_keys SET names = zeroblob(4097)",
        "UPDATE tls_keys SET sha256 = printf('%.65c', 'a')",
        "UPDATE tls_keys SET spki = printf('%.65c', 'a')",
        "UPDATE tls_keys SET name = printf('%.33c', 'a')",
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(edits); i++) {
        AUTO(store_tls_free) struct store_tls got = { 0 };
        sqlite3 *db;

        add("b1", "one");
        store_close(&store);
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, edits[i], NULL, NULL, NULL), SQLITE_OK);
        (void)sqlite3_close(db);
        expect_ok("open", store_open(&store, path));
        expect_err(edits[i], store_tls_find(store, &got, "b1"), ERR_CORRUPT, "store");
        store_close(&store);
        assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
        assert_int_equal(sqlite3_exec(db, "DELETE FROM tls_keys", NULL, NULL, NULL), SQLITE_OK);
        (void)sqlite3_close(db);
        expect_ok("open", store_open(&store, path));
    }
}

int main(void)
{
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        STORE_TEST(written_once),
        STORE_TEST(one_in_use),
        STORE_TEST(dropped),
        STORE_TEST(not_too_many),
        STORE_TEST(there_after_a_crash),
        STORE_TEST(edited_rows_are_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
