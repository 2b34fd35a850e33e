// SPDX-License-Identifier: Apache-2.0
// parent/enclave_link.h and parent/supervise.h against a fake control plane: answers in any order,
// refusals, silence, lost connections; and an enclave that is brought to READY, again and again.
#include "parent/enclave_link.h"

#include "base/must.h"
#include "parent/imds.h"
#include "parent/store_manifest.h"
#include "parent/supervise.h"
#include "parent/tls_keys.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>

#include "expect.h"
#include "fake_parent.h"

static char dir[64], path[128];
static struct fake_enclave enclave;
static struct fake_http imds;
static struct enclave_link *connection;
static struct store *store;
static struct tls_keys *tls;
static uint8_t configuration[CONFIG_BYTES_MAX];
static struct config config;
static struct bytes canonical;

static void wait_up(bool up)
{
    for (int i = 0; i < 3000 && enclave_link_is_up(connection) != up; i++)
        (void)poll(NULL, 0, 10);
    assert_int_equal(enclave_link_is_up(connection), up);
}

static int set_up(void **state)
{
    struct addr addr = { .kind = ADDR_UNIX };

    (void)state;
    fake_dir(dir);
    canonical = fake_configuration(configuration, &config);
    fake_enclave_start(&enclave, dir);
    fake_imds_start(&imds);
    fake_path(path, sizeof(path), dir, "store.db");
    (void)snprintf(addr.host, sizeof(addr.host), "%s", enclave.path);
    must(!store_open(&store, path).code);
    must(!enclave_link_new(&connection, &addr).code);
    must(!tls_keys_new(&tls, store, connection, &config).code);
    wait_up(true);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    enclave_link_free(&connection);
    tls_keys_free(&tls);
    store_close(&store);
    fake_http_stop(&imds);
    fake_enclave_stop(&enclave);
    fake_dir_remove(dir);
    return 0;
}

static struct err call(struct enclave_link_reply *reply, const char *method, const char *params)
{
    return enclave_link_call(connection, reply, method, bytes_str(params), deadline_in(30000));
}

static void a_call(void **state)
{
    AUTO(enclave_link_free_reply) struct enclave_link_reply reply = { 0 };

    (void)state;
    expect_ok("hello", call(&reply, "hello", ""));
    assert_non_null(json_get(reply.result, "protocol"));
}

static void refusal_with_words(void **state)
{
    AUTO(enclave_link_free_reply) struct enclave_link_reply reply = { 0 };

    (void)state;
    atomic_store(&enclave.refuse, ERR_DENIED);
    expect_err("denied", call(&reply, "account.create", "{}"), ERR_DENIED, NULL);
    assert_string_equal(reply.detail.text, "words of the enclave");
}

struct caller {
    const char *nonce;
    bool right;
};

static void *call_attestation(void *context)
{
    struct caller *caller = context;
    struct enclave_link_reply reply;
    char params[64];
    struct err err;

    (void)snprintf(params, sizeof(params), "{\"nonce\":\"%s\"}", caller->nonce);
    err =
        enclave_link_call(connection, &reply, "attestation", bytes_str(params), deadline_in(30000));
    caller->right =
        !err.code &&
        bytes_equal_str(json_string(json_get(reply.result, "document_b64")), caller->nonce);
    enclave_link_free_reply(&reply);
    return NULL;
}

static void answers_in_any_order(void **state)
{
    struct caller callers[] = {
        { "0x01", false }, { "0x02", false }, { "0x03", false }, { "0x04", false }
    };
    pthread_t threads[ARRAY_LEN(callers)];

    (void)state;
    atomic_store(&enclave.mode, FAKE_SWAPS);
    for (size_t i = 0; i < ARRAY_LEN(callers); i++)
        assert_int_equal(pthread_create(&threads[i], NULL, call_attestation, &callers[i]), 0);
    for (size_t i = 0; i < ARRAY_LEN(callers); i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_true(callers[i].right);
    }
}

static void silence(void **state)
{
    AUTO(enclave_link_free_reply) struct enclave_link_reply reply = { 0 };

    (void)state;
    atomic_store(&enclave.mode, FAKE_SILENT);
    expect_err("silent",
               enclave_link_call(connection, &reply, "status", BYTES_NONE, deadline_in(300)),
               ERR_TIMEOUT, NULL);
    atomic_store(&enclave.mode, FAKE_NORMAL);
    expect_ok("after it", call(&reply, "status", ""));
}

static void lost_and_found(void **state)
{
    AUTO(enclave_link_free_reply) struct enclave_link_reply reply = { 0 };

    (void)state;
    atomic_store(&enclave.mode, FAKE_CLOSES);
    expect_err("closes", call(&reply, "status", ""), ERR_CLOSED, NULL);
    atomic_store(&enclave.mode, FAKE_NORMAL);
    wait_up(true);
    expect_ok("again", call(&reply, "status", ""));
    enclave_link_free_reply(&reply);
    fake_enclave_stop(&enclave);
    wait_up(false);
    expect_err("gone", call(&reply, "status", ""), ERR_UNREACHABLE, NULL);
    fake_enclave_start(&enclave, dir);
    wait_up(true);
}

static void too_large(void **state)
{
    AUTO(enclave_link_free_reply) struct enclave_link_reply reply = { 0 };
    static uint8_t much[1 << 20];

    (void)state;
    expect_err("1 MiB",
               enclave_link_call(connection, &reply, "x", BYTES_OF(much), deadline_in(500)),
               ERR_TOO_LARGE, NULL);
    expect_ok("still up", call(&reply, "status", ""));
}

static struct supervise *supervise_it(void)
{
    const struct supervise_options options = { .link = connection,
                                               .store = store,
                                               .configuration = canonical,
                                               .config = &config,
                                               .imds = imds.url,
                                               .role = "",
                                               .tls = tls };
    struct supervise *s;

    expect_ok("supervise", supervise_start(&s, &options));
    return s;
}

static void wait_ready(struct supervise *s, bool ready, struct supervise_view *view)
{
    for (int i = 0; i < 3000; i++) {
        supervise_look(s, view);
        if (view->ready == ready && (ready || view->problem[0]))
            return;
        (void)poll(NULL, 0, 10);
    }
    fail_msg("ready is %d: %s", view->ready, view->problem);
}

static void to_ready(void **state)
{
    AUTO(supervise_stop) struct supervise *s = supervise_it();
    AUTO(store_free_keyset) struct store_keyset keyset = { 0 };
    struct supervise_view view;

    (void)state;
    wait_ready(s, true, &view);
    assert_string_equal(view.phase, "READY");
    assert_string_equal(view.problem, "");
    assert_int_equal(atomic_load(&enclave.configures), 1);
    assert_int_equal(atomic_load(&enclave.keysets), 1);
    expect_ok("stored", store_get_keyset(store, &keyset, "main"));
    assert_true(keyset.receipt.n > 0);
    // The front was restarted: no credentials any more. Then the whole enclave.
    atomic_store(&enclave.credentials, false);
    for (int i = 0; i < 3000 && !atomic_load(&enclave.credentials); i++)
        (void)poll(NULL, 0, 10);
    assert_int_equal(atomic_load(&enclave.handed_over), 2);
    fake_enclave_stop(&enclave);
    wait_ready(s, false, &view);
    fake_enclave_start(&enclave, dir);
    wait_ready(s, true, &view);
    assert_int_equal(atomic_load(&enclave.keysets), 0); // the stored record was opened
}

static void foreign_enclave(void **state)
{
    AUTO(supervise_stop) struct supervise *s = NULL;
    struct supervise_view view;

    (void)state;
    atomic_store(&enclave.foreign, true);
    s = supervise_it();
    wait_ready(s, false, &view);
    assert_non_null(strstr(view.problem, "another deployment"));
    assert_int_equal(atomic_load(&enclave.handed_over), 0);
}

// IMDS is gone, and so are the credentials: what is open stays usable, and the trouble is shown.
static void ready_without_credentials(void **state)
{
    AUTO(supervise_stop) struct supervise *s = supervise_it();
    struct supervise_view view;

    (void)state;
    wait_ready(s, true, &view);
    fake_http_stop(&imds);
    atomic_store(&enclave.credentials, false);
    for (int i = 0; i < 3000 && !view.problem[0]; i++) {
        (void)poll(NULL, 0, 10);
        supervise_look(s, &view);
    }
    assert_non_null(strstr(view.problem, "unreachable"));
    assert_true(view.ready);
    supervise_stop(&s);
    fake_imds_start(&imds);
}

static void put_manifest(uint64_t serial)
{
    uint8_t space[512];
    const struct store_manifest manifest = { .serial = serial,
                                             .bytes = fake_manifest(space, sizeof(space), serial) };

    expect_ok("put", store_manifest_put(store, &manifest));
}

// Not admitted: said so. Then the manifest comes; a new enclave gets it before its keysets.
static void manifest_first(void **state)
{
    AUTO(supervise_stop) struct supervise *s = NULL;
    struct supervise_view view;

    (void)state;
    atomic_store(&enclave.administered, true);
    s = supervise_it();
    wait_ready(s, false, &view);
    assert_non_null(strstr(view.problem, "denied: keyset.open: "));
    put_manifest(3);
    supervise_wake(s);
    wait_ready(s, true, &view);
    assert_int_equal(atomic_load(&enclave.serial), 3);
    fake_enclave_stop(&enclave);
    wait_ready(s, false, &view);
    fake_enclave_start(&enclave, dir);
    atomic_store(&enclave.administered, true);
    wait_ready(s, true, &view);
    assert_int_equal(atomic_load(&enclave.serial), 3);
    assert_int_equal(atomic_load(&enclave.applies), 1);
    // A newer one that came by another way stays in force.
    atomic_store(&enclave.serial, 9);
    supervise_wake(s);
    (void)poll(NULL, 0, 300);
    assert_int_equal(atomic_load(&enclave.serial), 9);
}

static void sealed_is_left_alone(void **state)
{
    AUTO(supervise_stop) struct supervise *s = supervise_it();
    struct supervise_view view;

    (void)state;
    wait_ready(s, true, &view);
    atomic_store(&enclave.keyset_open, false);
    atomic_store(&enclave.sealed, true);
    supervise_wake(s);
    wait_ready(s, false, &view);
    assert_string_equal(view.phase, "SEALED");
    assert_non_null(strstr(view.problem, "administrators unseal"));
    put_manifest(1);
    for (int i = 0; i < 4; i++) {
        supervise_wake(s);
        (void)poll(NULL, 0, 50);
    }
    assert_int_equal(atomic_load(&enclave.other_calls), 0);
    assert_int_equal(atomic_load(&enclave.serial), 1);
    atomic_store(&enclave.sealed, false);
    supervise_wake(s);
    wait_ready(s, true, &view);
}

static void no_credentials(void **state)
{
    struct imds_credentials got = { 0 };

    (void)state;
    expect_ok("role by name", imds_fetch(&got, imds.url, "role"));
    assert_string_equal(got.secret_key, "the secret");
    expect_err("no such role", imds_fetch(&got, imds.url, "other"), ERR_NOT_FOUND, "role");
    expect_err("https", imds_fetch(&got, "https://127.0.0.1:1", ""), ERR_UNSUPPORTED, "http URL");
    expect_err("nobody", imds_fetch(&got, "http://127.0.0.1:1", ""), ERR_UNREACHABLE, NULL);
}

int main(void)
{
#define LINK_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        LINK_TEST(a_call),
        LINK_TEST(refusal_with_words),
        LINK_TEST(answers_in_any_order),
        LINK_TEST(silence),
        LINK_TEST(lost_and_found),
        LINK_TEST(too_large),
        LINK_TEST(to_ready),
        LINK_TEST(foreign_enclave),
        LINK_TEST(ready_without_credentials),
        LINK_TEST(manifest_first),
        LINK_TEST(sealed_is_left_alone),
        LINK_TEST(no_credentials),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
