// SPDX-License-Identifier: Apache-2.0
// Manifests and approvals: forms that are refused, lookups by halving. Signatures are made by the
// administrators' tool code and checked here against published keys in test/unit/approve.c; whole
// manifests meet the vault in test/system/vault_admin.c.
#include "proto/manifest.h"
#include "base/must.h"
#include "proto/approval.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "expect.h"

static uint8_t space[4096];

static struct bytes encode(const struct manifest *manifest)
{
    struct wr wr = WR_OF(space);

    manifest_write(&wr, manifest);
    must(!wr.bad);
    return wr_done(&wr);
}

// A token that may see metrics: kind, operations, label, no patterns, no certificate.
static const uint8_t client[41] = { [0] = 1, [32] = 2, [34] = 1, [35] = 2, [36] = 'a', [37] = 'b' };

static void round_trip(void **state)
{
    uint8_t keysets[3 * MANIFEST_KEYSET_BYTES] = { 0 }, floors[2 * MANIFEST_FLOOR_BYTES] = { 0 };
    uint8_t disabled[MANIFEST_DISABLED_BYTES] = { 9 };
    struct manifest m = { .serial = 7, .created_ms = 8 }, out;
    struct id id = { { 0 } };
    uint8_t digest[32] = { 0 };

    (void)state;
    for (uint8_t i = 0; i < 3; i++) {
        keysets[i * MANIFEST_KEYSET_BYTES] = (uint8_t)(2 * i + 1);
        keysets[i * MANIFEST_KEYSET_BYTES + 16] = (uint8_t)(i + 1);
    }
    floors[0] = 4;
    floors[19] = 3;
    floors[20] = 5;
    floors[39] = 6;
    m.keysets = BYTES_OF(keysets);
    m.floors = BYTES_OF(floors);
    m.disabled = BYTES_OF(disabled);
    m.clients = bytes_of(client, sizeof(client));
    m.web = BYTES_LIT("\1\1*");
    expect_ok("all sections", manifest_read(&out, encode(&m)));
    assert_int_equal(out.serial, 7);
    assert_true(bytes_equal(out.clients, BYTES_OF(client)));
    assert_true(bytes_equal_str(out.web, "\1\1*"));
    for (uint8_t i = 0; i < 8; i++) {
        id.b[0] = i;
        digest[0] = (uint8_t)((i + 1) / 2);
        assert_int_equal(manifest_admits(&out, &id, digest), i == 1 || i == 3 || i == 5);
        assert_int_equal(manifest_floor(&out, &id), i == 4 ? 3 : i == 5 ? 6 : 0);
        digest[1] = 1;
        assert_false(manifest_admits(&out, &id, digest));
        digest[1] = 0;
    }
    id.b[0] = 9;
    assert_true(manifest_disables(&out, &id));
    id.b[0] = 8;
    assert_false(manifest_disables(&out, &id));
}

// Offsets: version 0, deployment 2, serial 18, created 26, sections 34, kind 35, length 36.
static void refusals(void **state)
{
    static const struct {
        const char *name;
        size_t at;
        uint8_t value;
        enum err_code code;
    } cases[] = {
        { "version 0", 1, 0, ERR_UNSUPPORTED },
        { "version 2", 1, 2, ERR_UNSUPPORTED },
        { "serial 0", 25, 0, ERR_MALFORMED },
        { "a section less", 34, 0, ERR_MALFORMED },
        { "a section more", 34, 2, ERR_MALFORMED },
        { "kind 0", 35, 0, ERR_MALFORMED },
        { "no clients", 35, 4, ERR_MALFORMED },
        { "no web", 35, 5, ERR_MALFORMED },
        { "kind 6", 35, 6, ERR_UNSUPPORTED },
        { "shorter entries", 39, 31, ERR_MALFORMED },
        { "partial entry", 39, 33, ERR_MALFORMED },
        { "entries of another size", 35, 1, ERR_MALFORMED },
        { "entries descend", 40, 9, ERR_MALFORMED },
        { "entry twice", 56, 1, ERR_MALFORMED },
    };
    uint8_t disabled[2 * MANIFEST_DISABLED_BYTES] = { [0] = 1, [16] = 2 }, damaged[128];
    struct manifest m = { .serial = 1, .disabled = BYTES_OF(disabled) }, out;
    struct bytes whole = encode(&m);

    (void)state;
    expect_ok("as it is", manifest_read(&out, whole));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        memcpy(damaged, whole.p, whole.n);
        must(damaged[cases[i].at] != cases[i].value);
        damaged[cases[i].at] = cases[i].value;
        assert_int_equal(manifest_read(&out, bytes_of(damaged, whole.n)).code, cases[i].code);
    }
    for (size_t n = 0; n < whole.n; n++)
        assert_int_not_equal(manifest_read(&out, bytes_take(whole, n)).code, ERR_NONE);
    memcpy(damaged, whole.p, whole.n);
    assert_int_not_equal(manifest_read(&out, bytes_of(damaged, whole.n + 1)).code, ERR_NONE);
}

static void approval_refusals(void **state)
{
    static const uint8_t message[32] = { 1 };
    uint8_t entries[2 * APPROVAL_BYTES] = { 0 };
    struct config none = { 0 };
    struct config one = { .admins = 1, .admin_threshold = 1 };
    uint8_t list[] = { 17 };
    struct rd rd = rd_of(BYTES_OF(list));

    (void)state;
    assert_int_equal(approval_check(&none, message, BYTES_NONE).code, ERR_UNSUPPORTED);
    assert_int_equal(approval_check(&one, message, BYTES_NONE).code, ERR_DENIED);
    entries[0] = 1;
    assert_int_equal(approval_check(&one, message, bytes_of(entries, APPROVAL_BYTES)).code,
                     ERR_DENIED);
    assert_int_equal(approval_check(&one, message, bytes_of(entries, 64)).code, ERR_MALFORMED);
    (void)approval_read_list(&rd);
    assert_true(rd.bad);
}

static void messages_differ(void **state)
{
    uint8_t first[32], other[32];
    struct id deployment = { { 1 } }, boot = { { 2 } };

    (void)state;
    approval_unseal_message(first, &deployment, &boot, 1);
    approval_unseal_message(other, &deployment, &boot, 2);
    assert_memory_not_equal(first, other, 32);
    approval_unseal_message(other, &boot, &deployment, 1);
    assert_memory_not_equal(first, other, 32);
    manifest_message(other, BYTES_OF(deployment.b));
    assert_memory_not_equal(first, other, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(refusals),
        cmocka_unit_test(approval_refusals),
        cmocka_unit_test(messages_differ),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
