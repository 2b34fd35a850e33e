// SPDX-License-Identifier: Apache-2.0
// What administrators say of the data plane: the lists that the vault gives to the front, denials
// that it audits, and TLS keys that stay, or go, with a manifest.
#include "vaulthost.h"

#include "base/must.h"
#include "proto/clients.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "vaultadmins.h"
#include "vaulttls.h"

static uint8_t entries[2 * MANIFEST_KEYSET_BYTES]; // of both keysets, ascending
static struct kept tls_record;
static struct msg_tls_key tls_key;

static enum err_code apply(const struct manifest *manifest)
{
    return (enum err_code)vaulthost_call(&host, MSG_MANIFEST, signed_body(manifest, 3))
        .verdict.code;
}

// A manifest that admits both keysets.
static struct manifest admitting(uint64_t serial)
{
    struct manifest m = manifest_of(serial);

    m.keysets = BYTES_OF(entries);
    return m;
}

static int start_governed(void **context)
{
    struct manifest m;
    uint8_t first[MANIFEST_KEYSET_BYTES], second[MANIFEST_KEYSET_BYTES];
    bool ordered;

    (void)context;
    admins_make();
    options.tls = true;
    start_as(&options);
    accounts_keyset.n = vaulthost_keyset_create(&host, "main", accounts_keyset.b);
    tls_keyset.n = vaulthost_keyset_create(&host, "tls", tls_keyset.b);
    admit(first, kept(&accounts_keyset));
    admit(second, kept(&tls_keyset));
    memcpy(accounts_id.b, first, sizeof(accounts_id.b));
    memcpy(tls_id.b, second, sizeof(tls_id.b));
    ordered = memcmp(first, second, sizeof(first)) < 0;
    memcpy(entries, ordered ? first : second, sizeof(first));
    memcpy(entries + sizeof(first), ordered ? second : first, sizeof(first));
    m = admitting(1);
    must(apply(&m) == ERR_NONE);
    must(vaulthost_keyset_open(&host, kept(&accounts_keyset)) == ERR_NONE);
    must(vaulthost_keyset_open(&host, kept(&tls_keyset)) == ERR_NONE);
    make_key(&tls_record);
    tls_key = open_key(kept(&tls_record));
    return 0;
}

static struct msg_clients ask_clients(void)
{
    struct vaulthost_answer answer = vaulthost_call(&host, MSG_CLIENTS, BYTES_NONE);
    struct rd rd = rd_of(answer.result);
    struct msg_clients clients;

    assert_int_equal(answer.verdict.code, ERR_NONE);
    assert_false(answer.verdict.audited);
    must(!msg_read_clients(&clients, &rd).code);
    return clients;
}

// A token's entry and one for everybody, as PROTOCOL.md section 9 has them.
static const uint8_t clients_section[] = { [0 + 32] = 4,   [0 + 34] = 1,    [0 + 35] = 1,
                                           [0 + 36] = 'a', // no patterns, no certificate
                                           [40] = 9,       [40 + 32] = 2,   [40 + 34] = 2,
                                           [40 + 35] = 1,  [40 + 36] = 't', [40 + 37] = 1,
                                           [40 + 38] = 1,  [40 + 39] = '*', [40 + 41] = 0 };

static void test_lists(void **context)
{
    struct manifest m = admitting(2);
    struct msg_clients clients = ask_clients();

    (void)context;
    assert_int_equal(clients.serial, 1);
    assert_int_equal(clients.mode, CONFIG_PARENT_TRUSTED);
    assert_int_equal(clients.clients.n + clients.web.n, 0);
    m.clients = BYTES_OF(clients_section);
    m.web = BYTES_LIT("\1\1*\2\1*");
    assert_int_equal(apply(&m), ERR_NONE);
    clients = ask_clients();
    assert_int_equal(clients.serial, 2);
    assert_true(bytes_equal(clients.clients, BYTES_OF(clients_section)));
    assert_true(bytes_equal_str(clients.web, "\1\1*\2\1*"));
    assert_int_equal(vaulthost_call(&host, MSG_SEAL, BYTES_NONE).verdict.code, ERR_NONE);
    assert_int_equal(ask_clients().clients.n, sizeof(clients_section)); // the list is no secret
    m = admitting(3);
    assert_int_equal(apply(&m), ERR_NONE);
    clients = ask_clients();
    assert_int_equal(clients.serial, 3);
    assert_int_equal(clients.clients.n + clients.web.n, 0);
}

// Signed by the administrators all the same: a list that means nothing is not put in force.
static void test_bad_lists(void **context)
{
    static const struct {
        const char *name;
        size_t at;
        uint8_t value;
        enum err_code code;
    } cases[] = {
        { "kind 5", 40 + 32, 5, ERR_UNSUPPORTED },
        { "an operation of a later version", 40 + 34, 4, ERR_UNSUPPORTED },
        { "nobody's token", 40, 0, ERR_MALFORMED },
        { "anyone who is somebody", 1, 1, ERR_MALFORMED },
        { "a pattern in upper case", 40 + 39, 'A', ERR_MALFORMED },
        { "cut", 40 + 41, 1, ERR_MALFORMED },
    };
    uint8_t damaged[sizeof(clients_section)];
    struct manifest m = admitting(2);

    (void)context;
    m.clients = BYTES_OF(damaged);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        memcpy(damaged, clients_section, sizeof(damaged));
        damaged[cases[i].at] = cases[i].value;
        expect_code(cases[i].name, vaulthost_call(&host, MSG_MANIFEST, signed_body(&m, 3)),
                    cases[i].code);
        assert_int_equal(ask_clients().serial, 1);
    }
    memcpy(damaged, clients_section, sizeof(damaged));
    m.web = BYTES_LIT("\1\1A");
    assert_int_equal(apply(&m), ERR_MALFORMED);
    m.web = BYTES_NONE;
    assert_int_equal(apply(&m), ERR_NONE);
}

static struct vaulthost_answer deny(uint8_t operation, struct bytes source)
{
    uint8_t body[256];
    struct wr wr = WR_OF(body);

    msg_write_denial(&wr, &(struct msg_denial) { .operation = operation, .source = source });
    return vaulthost_call(&host, MSG_DENIAL, wr_done(&wr));
}

static void test_denials(void **context)
{
    static const uint8_t long_source[DENIAL_SOURCE_MAX + 1];
    struct vaulthost_answer first = deny(CLIENTS_SIGN_TX, BYTES_LIT("192.0.2.1:5"));
    struct vaulthost_answer second = deny(CLIENTS_METRICS, BYTES_NONE);

    (void)context;
    assert_int_equal(first.verdict.code, ERR_NONE);
    assert_int_equal(first.result.n, 0);
    assert_true(first.verdict.audited && second.verdict.audited);
    assert_int_equal(second.verdict.sequence, first.verdict.sequence + 1);
    assert_memory_not_equal(first.verdict.head, second.verdict.head, 32);
    assert_int_equal(deny(0, BYTES_NONE).verdict.code, ERR_MALFORMED);
    assert_int_equal(deny(3, BYTES_NONE).verdict.code, ERR_MALFORMED);
    assert_int_equal(deny(4, BYTES_NONE).verdict.code, ERR_MALFORMED);
    assert_int_equal(deny(1, bytes_of(long_source, DENIAL_SOURCE_MAX)).verdict.code, ERR_NONE);
    assert_int_not_equal(deny(1, BYTES_OF(long_source)).verdict.code, ERR_NONE);
    assert_int_equal(vaulthost_call(&host, MSG_SEAL, BYTES_NONE).verdict.code, ERR_NONE);
    assert_int_equal(deny(1, BYTES_NONE).verdict.code, ERR_NONE);
}

// New clients do not interrupt anybody: the key stays open through a manifest that allows it.
static void test_keys_stay(void **context)
{
    struct manifest m = admitting(2);

    (void)context;
    m.clients = BYTES_OF(clients_section);
    assert_int_equal(apply(&m), ERR_NONE);
    assert_int_equal(try_sign(&tls_key.key), ERR_NONE);
    m.serial = 3;
    m.disabled = BYTES_OF(accounts_id.b); // somebody else
    assert_int_equal(apply(&m), ERR_NONE);
    assert_int_equal(try_sign(&tls_key.key), ERR_NONE);
}

static void test_disabled(void **context)
{
    struct manifest m = admitting(2);

    (void)context;
    m.disabled = BYTES_OF(tls_key.key.b);
    assert_int_equal(apply(&m), ERR_NONE);
    assert_int_equal(try_sign(&tls_key.key), ERR_NOT_FOUND);
    assert_int_equal(try_open(kept(&tls_record)), ERR_DENIED);
    m = admitting(3);
    assert_int_equal(apply(&m), ERR_NONE);
    assert_int_equal(try_sign(&tls_key.key), ERR_NOT_FOUND);
    assert_int_equal(try_open(kept(&tls_record)), ERR_NONE);
    assert_int_equal(try_sign(&tls_key.key), ERR_NONE);
}

static void test_floors(void **context)
{
    uint8_t floor[MANIFEST_FLOOR_BYTES] = { [MANIFEST_FLOOR_BYTES - 1] = 1 };
    struct manifest m = admitting(2);

    (void)context;
    memcpy(floor, tls_key.key.b, 16);
    m.floors = BYTES_OF(floor);
    assert_int_equal(apply(&m), ERR_NONE);
    assert_int_equal(try_sign(&tls_key.key), ERR_NONE);
    m.serial = 3;
    floor[MANIFEST_FLOOR_BYTES - 1] = 2;
    assert_int_equal(apply(&m), ERR_NONE);
    assert_int_equal(try_sign(&tls_key.key), ERR_NOT_FOUND);
    assert_int_equal(try_open(kept(&tls_record)), ERR_DENIED);
}

// The keyset of accounts stays open, that of TLS keys does not.
static void test_keyset_left_out(void **context)
{
    struct manifest m = manifest_of(2);
    uint8_t entry[MANIFEST_KEYSET_BYTES];

    (void)context;
    admit(entry, kept(&accounts_keyset));
    m.keysets = BYTES_OF(entry);
    assert_int_equal(apply(&m), ERR_NONE);
    assert_int_equal(try_sign(&tls_key.key), ERR_NOT_FOUND);
    assert_int_equal(try_open(kept(&tls_record)), ERR_NOT_FOUND);
    m = admitting(3);
    assert_int_equal(apply(&m), ERR_NONE);
    assert_int_equal(try_open(kept(&tls_record)), ERR_NOT_FOUND);
    assert_int_equal(vaulthost_keyset_open(&host, kept(&tls_keyset)), ERR_NONE);
    assert_int_equal(try_sign(&tls_key.key), ERR_NOT_FOUND);
    assert_int_equal(try_open(kept(&tls_record)), ERR_NONE);
    assert_int_equal(try_sign(&tls_key.key), ERR_NONE);
}

// A manifest that is refused takes nothing away.
static void test_refused_manifest(void **context)
{
    struct manifest m = admitting(2);

    (void)context;
    m.disabled = BYTES_OF(tls_key.key.b);
    assert_int_equal(vaulthost_call(&host, MSG_MANIFEST, signed_body(&m, 1)).verdict.code,
                     ERR_DENIED);
    m.serial = 1;
    assert_int_equal(apply(&m), ERR_DENIED);
    assert_int_equal(try_sign(&tls_key.key), ERR_NONE);
}

static void test_unsealed(void **context)
{
    uint8_t space[ADMINS * APPROVAL_BYTES], body[256], message[32];
    struct vaulthost_answer answer;
    struct msg_status status;
    struct wr wr = WR_OF(body);
    struct id deployment;
    struct rd rd;

    (void)context;
    assert_int_equal(vaulthost_call(&host, MSG_SEAL, BYTES_NONE).verdict.code, ERR_NONE);
    answer = vaulthost_call(&host, MSG_STATUS, BYTES_NONE);
    rd = rd_of(answer.result);
    must(!msg_read_status(&status, &rd).code);
    memset(deployment.b, 1, sizeof(deployment.b));
    approval_unseal_message(message, &deployment, &status.boot, 1);
    approval_write_list(&wr, approvals(space, message, 3));
    assert_int_equal(vaulthost_call(&host, MSG_UNSEAL, wr_done(&wr)).verdict.code, ERR_NONE);
    assert_int_equal(try_sign(&tls_key.key), ERR_PHASE);
    assert_int_equal(vaulthost_keyset_open(&host, kept(&tls_keyset)), ERR_NONE);
    assert_int_equal(try_sign(&tls_key.key), ERR_NOT_FOUND);
    assert_int_equal(try_open(kept(&tls_record)), ERR_NONE);
    assert_int_equal(try_sign(&tls_key.key), ERR_NONE);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lists, start_governed, stop),
        cmocka_unit_test_setup_teardown(test_bad_lists, start_governed, stop),
        cmocka_unit_test_setup_teardown(test_denials, start_governed, stop),
        cmocka_unit_test_setup_teardown(test_keys_stay, start_governed, stop),
        cmocka_unit_test_setup_teardown(test_disabled, start_governed, stop),
        cmocka_unit_test_setup_teardown(test_floors, start_governed, stop),
        cmocka_unit_test_setup_teardown(test_keyset_left_out, start_governed, stop),
        cmocka_unit_test_setup_teardown(test_refused_manifest, start_governed, stop),
        cmocka_unit_test_setup_teardown(test_unsealed, start_governed, stop),
    };

    vaulthost_main(argc, argv);
    return cmocka_run_group_tests_name("vault access", tests, NULL, NULL);
}
