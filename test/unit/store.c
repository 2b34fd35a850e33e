// SPDX-License-Identifier: Apache-2.0
// parent/store*.h: what is written is there after a crash, and nothing is written twice.
#include "parent/store.h"

#include "base/must.h"
#include "parent/reaper.h"
#include "parent/store_account.h"
#include "parent/store_import.h"
#include "parent/store_manifest.h"
#include "parent/store_send.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
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

static struct store_keyset a_keyset(void)
{
    return (struct store_keyset) { .id = "a1",
                                   .name = "main",
                                   .created_ms = 5,
                                   .record = BYTES_LIT("record"),
                                   .receipt = BYTES_LIT("receipt") };
}

static struct store_account an_account(const char *id, const char *user, const char *name)
{
    struct store_account a = { .request_hash = { 1 },
                               .keyset = "a1",
                               .address = "0x",
                               .policy = "unrestricted",
                               .created_ms = 6,
                               .record = BYTES_LIT("r\0r"),
                               .receipt = BYTES_LIT("q") };

    (void)snprintf(a.id, sizeof(a.id), "%s", id);
    (void)snprintf(a.user, sizeof(a.user), "%s", user);
    (void)snprintf(a.name, sizeof(a.name), "%s", name);
    return a;
}

static struct store_send a_send(const char *key, uint64_t nonce, bool assigned)
{
    struct store_send s = { .account = "b1",
                            .chain_id = UINT64_MAX,
                            .nonce = nonce,
                            .assigned = assigned,
                            .created_ms = 7,
                            .raw_tx = BYTES_LIT("\x02raw") };

    (void)snprintf(s.key, sizeof(s.key), "%s", key);
    return s;
}

static void add_rows(void)
{
    const struct store_keyset keyset = a_keyset();
    const struct store_account account = an_account("b1", "u", "n");

    expect_ok("keyset", store_add_keyset(store, &keyset));
    expect_ok("account", store_account_add(store, &account));
}

static void file_is_closed_to_others(void **state)
{
    struct stat st;
    struct store *second;

    (void)state;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    expect_err("second", store_open(&second, path), ERR_BUSY, "another process");
    expect_err("directory", store_open(&second, dir), ERR_IO, NULL);
}

static void keysets(void **state)
{
    AUTO(store_free_keyset) struct store_keyset got = { 0 };
    struct store_keyset keyset = a_keyset();

    (void)state;
    expect_err("none", store_get_keyset(store, &got, "main"), ERR_NOT_FOUND, "keyset");
    expect_ok("add", store_add_keyset(store, &keyset));
    expect_err("same", store_add_keyset(store, &keyset), ERR_EXISTS, NULL);
    (void)snprintf(keyset.id, sizeof(keyset.id), "a2");
    keyset.record = BYTES_LIT("another");
    expect_err("same name", store_add_keyset(store, &keyset), ERR_EXISTS, NULL);
    expect_ok("get", store_get_keyset(store, &got, "main"));
    assert_true(bytes_equal_str(got.record, "record"));
    assert_string_equal(got.id, "a1");
}

static void accounts(void **state)
{
    AUTO(store_account_free) struct store_account got = { 0 };
    struct store_account twin = an_account("b2", "u", "n");
    struct store_account orphan = an_account("b3", "u", "other");

    (void)state;
    add_rows();
    expect_err("same user and name", store_account_add(store, &twin), ERR_EXISTS, NULL);
    (void)snprintf(twin.id, sizeof(twin.id), "b1");
    (void)snprintf(twin.name, sizeof(twin.name), "n2");
    expect_err("same id", store_account_add(store, &twin), ERR_EXISTS, NULL);
    (void)snprintf(orphan.keyset, sizeof(orphan.keyset), "zz");
    expect_err("no such keyset", store_account_add(store, &orphan), ERR_EXISTS, NULL);
    expect_err("none", store_account_get(store, &got, "zz"), ERR_NOT_FOUND, "account");
    expect_err("quote", store_account_find(store, &got, "' OR 1=1 --", "n"), ERR_NOT_FOUND, NULL);
    expect_ok("find", store_account_find(store, &got, "u", "n"));
    assert_string_equal(got.id, "b1");
    assert_true(bytes_equal(got.record, BYTES_LIT("r\0r")));
    assert_int_equal(got.nonce.n, 0);
}

static bool count_row(void *context, const struct store_account *account)
{
    (void)account;
    return ++*(unsigned *)context < 100;
}

static void account_pages(void **state)
{
    unsigned count = 0;
    struct store_account_query query = { .user = "", .limit = 3, .each = count_row };
    char text[8];

    (void)state;
    add_rows();
    for (int i = 0; i < 5; i++) {
        struct store_account account;

        (void)snprintf(text, sizeof(text), "c%d", i);
        account = an_account(text, i % 2 ? "odd" : "even", text);
        expect_ok("add", store_account_add(store, &account));
    }
    query.context = &count;
    expect_ok("limit", store_account_list(store, &query));
    assert_int_equal(count, 3);
    count = 0;
    query.user = "even";
    expect_ok("user", store_account_list(store, &query));
    assert_int_equal(count, 3);
    count = 0;
    query.after = 4;
    expect_ok("after", store_account_list(store, &query));
    assert_int_equal(count, 1);
}

static void sends(void **state)
{
    AUTO(store_send_free) struct store_send got = { 0 };
    struct store_send send = a_send("k", 7, true);
    struct store_send twin = a_send("k", 8, true);
    struct store_send taken = a_send("k2", 7, true);
    struct store_send replacing = a_send("k3", 7, false);
    struct store_send far = a_send("k4", UINT64_MAX, false);

    (void)state;
    add_rows();
    expect_err("none", store_send_get(store, &got, "b1", "k"), ERR_NOT_FOUND, NULL);
    expect_ok("add", store_send_add(store, &send));
    expect_err("same key", store_send_add(store, &twin), ERR_EXISTS, NULL);
    expect_err("same nonce", store_send_add(store, &taken), ERR_EXISTS, NULL);
    expect_ok("the client's own nonce", store_send_add(store, &replacing));
    expect_err("nonce too large", store_send_add(store, &far), ERR_MALFORMED, "nonce");
    expect_ok("get", store_send_get(store, &got, "b1", "k"));
    assert_int_equal(got.chain_id, UINT64_MAX);
    assert_int_equal(got.status, STORE_SEND_STORED);
}

static void mark(struct store_send *send, enum store_send_status status)
{
    send->status = status;
    expect_ok("mark", store_send_mark(store, send));
}

static enum store_send_status status_of(const char *key)
{
    AUTO(store_send_free) struct store_send got = { 0 };

    expect_ok("get", store_send_get(store, &got, "b1", key));
    return got.status;
}

static void status_moves_on_only(void **state)
{
    struct store_send send = a_send("k", 7, true);

    (void)state;
    add_rows();
    expect_ok("add", store_send_add(store, &send));
    mark(&send, STORE_SEND_SENT);
    mark(&send, STORE_SEND_STORED);
    assert_int_equal(status_of("k"), STORE_SEND_SENT);
    mark(&send, STORE_SEND_MINED);
    mark(&send, STORE_SEND_REFUSED);
    assert_int_equal(status_of("k"), STORE_SEND_MINED);
}

static void nonces(void **state)
{
    struct store_send send[3] = { a_send("a", 7, true), a_send("b", 8, true),
                                  a_send("c", 10, false) };
    uint64_t nonce;

    (void)state;
    add_rows();
    expect_ok("first", store_send_free_nonce(store, &nonce, "b1", UINT64_MAX, 7));
    assert_int_equal(nonce, 7);
    for (size_t i = 0; i < 3; i++)
        expect_ok("add", store_send_add(store, &send[i]));
    expect_ok("next", store_send_free_nonce(store, &nonce, "b1", UINT64_MAX, 7));
    assert_int_equal(nonce, 9);
    expect_ok("other chain", store_send_free_nonce(store, &nonce, "b1", 1, 7));
    assert_int_equal(nonce, 7);
    mark(&send[0], STORE_SEND_REFUSED);
    expect_ok("refused", store_send_free_nonce(store, &nonce, "b1", UINT64_MAX, 7));
    assert_int_equal(nonce, 7);
    expect_err("too large", store_send_free_nonce(store, &nonce, "b1", 1, UINT64_MAX),
               ERR_MALFORMED, "nonce");
}

static void pending_sends(void **state)
{
    struct store_send a = a_send("a", 1, true), b = a_send("b", 2, true), got;
    uint64_t after;

    (void)state;
    add_rows();
    expect_ok("add", store_send_add(store, &a));
    expect_ok("add", store_send_add(store, &b));
    mark(&a, STORE_SEND_SENT);
    expect_ok("next", store_send_next_stored(store, &got, 0));
    assert_string_equal(got.key, "b");
    after = got.seq;
    store_send_free(&got);
    expect_err("end", store_send_next_stored(store, &got, after), ERR_NOT_FOUND, NULL);
}

// A process that writes and dies without closing anything.
static void crash_after_write(void)
{
    struct store *own;
    struct store_keyset keyset = a_keyset();

    if (store_open(&own, path).code || store_add_keyset(own, &keyset).code)
        _exit(1);
    (void)kill(getpid(), SIGKILL);
}

static void reopen_after_a_crash(void **state)
{
    AUTO(store_free_keyset) struct store_keyset got = { 0 };
    int status;
    pid_t child;

    (void)state;
    store_close(&store);
    child = fork();
    if (child == 0)
        crash_after_write();
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status));
    expect_ok("reopen", store_open(&store, path));
    expect_ok("still there", store_get_keyset(store, &got, "main"));
}

static void states_of_accounts(void **state)
{
    struct store_send send = a_send("k", 7, true), next;

    (void)state;
    add_rows();
    expect_ok("send", store_send_add(store, &send));
    expect_err("disable none", store_account_disable(store, "x", true), ERR_NOT_FOUND, "account");
    expect_err("schedule none", store_account_schedule(store, "x", 1), ERR_NOT_FOUND, "account");
    expect_err("use none", store_account_usable(store, "x"), ERR_NOT_FOUND, "account");
    expect_ok("disable", store_account_disable(store, "b1", true));
    expect_err("disabled", store_account_usable(store, "b1"), ERR_DENIED, "disabled");
    expect_err("not sent again", store_send_next_stored(store, &next, 0), ERR_NOT_FOUND, NULL);
    expect_ok("schedule", store_account_schedule(store, "b1", 1000));
    expect_ok("enable", store_account_disable(store, "b1", false));
    expect_err("scheduled", store_account_usable(store, "b1"), ERR_DENIED, "undelete");
    expect_err("nor then", store_send_next_stored(store, &next, 0), ERR_NOT_FOUND, NULL);
    expect_ok("undelete", store_account_schedule(store, "b1", 0));
    expect_ok("usable", store_account_usable(store, "b1"));
    expect_ok("sent again", store_send_next_stored(store, &next, 0));
    store_send_free(&next);
}

// True when the bytes stand anywhere in the store's files.
static bool on_disk(const char *needle)
{
    static const char *const ends[] = { "", "-wal", "-journal" };
    bool found = false;

    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        static char text[1 << 20];
        char name[160];
        FILE *file;
        size_t n;

        (void)snprintf(name, sizeof(name), "%s%s", path, ends[i]);
        file = fopen(name, "r");
        n = file ? fread(text, 1, sizeof(text), file) : 0;
        found = found || memmem(text, n, needle, strlen(needle));
        if (file)
            (void)fclose(file);
    }
    return found;
}

static void deletion(void **state)
{
    AUTO(store_account_free) struct store_account got = { 0 };
    struct store_account account = an_account("b2", "u", "doomed");
    struct store_send send = a_send("k", 7, true);
    char id[ID_TEXT];

    (void)state;
    add_rows();
    account.record = BYTES_LIT("the-doomed-record");
    expect_ok("add", store_account_add(store, &account));
    (void)snprintf(send.account, sizeof(send.account), "b2");
    expect_ok("send", store_send_add(store, &send));
    assert_true(on_disk("the-doomed-record"));
    expect_err("none is due", store_account_delete_due(store, UINT32_MAX, id), ERR_NOT_FOUND, NULL);
    expect_ok("schedule", store_account_schedule(store, "b2", 1000));
    expect_ok("too early", reaper_turn(store, 999));
    expect_ok("still there", store_account_get(store, &got, "b2"));
    store_account_free(&got);
    expect_ok("due", reaper_turn(store, 1000));
    expect_err("gone", store_account_get(store, &got, "b2"), ERR_NOT_FOUND, NULL);
    assert_false(on_disk("the-doomed-record"));
    expect_ok("the other one stays", store_account_get(store, &got, "b1"));
    expect_ok("name is free", store_account_add(store, &account));
}

static void manifests(void **state)
{
    AUTO(store_manifest_free) struct store_manifest got = { 0 };
    struct store_manifest first = { .serial = 5, .bytes = BYTES_LIT("five") };
    struct store_manifest older = { .serial = 4, .bytes = BYTES_LIT("four") };
    struct store_manifest twin = { .serial = 5, .bytes = BYTES_LIT("other five") };
    struct store_manifest newer = { .serial = 6, .bytes = BYTES_LIT("six") };
    struct store_manifest huge = { .serial = UINT64_MAX, .bytes = BYTES_LIT("huge") };

    (void)state;
    expect_err("none", store_manifest_get(store, &got), ERR_NOT_FOUND, "none yet");
    expect_err("serial", store_manifest_put(store, &huge), ERR_MALFORMED, "serial");
    expect_ok("first", store_manifest_put(store, &first));
    expect_ok("older", store_manifest_put(store, &older));
    expect_ok("twin", store_manifest_put(store, &twin));
    expect_ok("get", store_manifest_get(store, &got));
    assert_true(bytes_equal_str(got.bytes, "five"));
    store_manifest_free(&got);
    expect_ok("newer", store_manifest_put(store, &newer));
    expect_ok("get", store_manifest_get(store, &got));
    assert_int_equal(got.serial, 6);
    assert_true(bytes_equal_str(got.bytes, "six"));
}

static void imports(void **state)
{
    struct store_import import = {
        .account = "c1", .user = "u", .name = "n", .keyset = "a1", .created_ms = 1
    };
    struct store_import got;

    (void)state;
    add_rows();
    expect_err("none", store_import_get(store, &got, "c1"), ERR_NOT_FOUND, "import");
    expect_ok("add", store_import_add(store, &import));
    expect_err("twice", store_import_add(store, &import), ERR_EXISTS, NULL);
    expect_ok("get", store_import_get(store, &got, "c1"));
    assert_string_equal(got.keyset, "a1");
    (void)snprintf(import.account, sizeof(import.account), "c2");
    import.created_ms = STORE_IMPORT_MS + 2;
    expect_ok("later", store_import_add(store, &import));
    expect_err("forgotten", store_import_get(store, &got, "c1"), ERR_NOT_FOUND, NULL);
    expect_ok("drop", store_import_drop(store, "c2"));
    expect_err("dropped", store_import_get(store, &got, "c2"), ERR_NOT_FOUND, NULL);
}

static void size(void **state)
{
    uint64_t bytes = 0;

    (void)state;
    expect_ok("size", store_size(store, &bytes));
    assert_in_range(bytes, 4096, 1 << 20);
}

int main(void)
{
#define STORE_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        STORE_TEST(file_is_closed_to_others),
        STORE_TEST(keysets),
        STORE_TEST(accounts),
        STORE_TEST(account_pages),
        STORE_TEST(sends),
        STORE_TEST(status_moves_on_only),
        STORE_TEST(nonces),
        STORE_TEST(pending_sends),
        STORE_TEST(reopen_after_a_crash),
        STORE_TEST(states_of_accounts),
        STORE_TEST(deletion),
        STORE_TEST(manifests),
        STORE_TEST(imports),
        STORE_TEST(size),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
