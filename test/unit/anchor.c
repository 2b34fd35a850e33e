// SPDX-License-Identifier: Apache-2.0
// The anchor's item: its bytes, and every form that is refused. Its MAC and what it means are
// attacked in test/system/vault_anchor.c.
#include "proto/anchor.h"

#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "expect.h"

static uint8_t space[ANCHOR_ITEM_BYTES + 1];

static struct anchor_item sample(void)
{
    struct anchor_item item = { .counter = 0x0102, .serial = 3, .sealed = true };

    memset(item.deployment.b, 0xD0, sizeof(item.deployment.b));
    memset(item.keyset.b, 0xC0, sizeof(item.keyset.b));
    memset(item.digest, 0xDD, sizeof(item.digest));
    memset(item.mac, 0xAC, sizeof(item.mac));
    return item;
}

static struct bytes encode(const struct anchor_item *item)
{
    struct wr wr = WR_OF(space);

    anchor_write(&wr, item);
    must(!wr.bad);
    return wr_done(&wr);
}

static void layout(void **state)
{
    struct anchor_item in = sample(), out;
    struct bytes bytes = encode(&in);
    uint8_t expected[ANCHOR_ITEM_BYTES] = { 1 };

    (void)state;
    memset(expected + 1, 0xD0, 16);
    memset(expected + 17, 0xC0, 16);
    memcpy(expected + 33, "\0\0\0\0\0\0\1\2\0\0\0\0\0\0\0\3", 16);
    memset(expected + 49, 0xDD, 32);
    expected[81] = 1;
    memset(expected + 82, 0xAC, 32);
    assert_int_equal(bytes.n, sizeof(expected));
    assert_memory_equal(bytes.p, expected, sizeof(expected));
    expect_ok("sample", anchor_read(&out, bytes));
    assert_int_equal(out.counter, 0x0102);
    assert_int_equal(out.serial, 3);
    assert_true(out.sealed);
    assert_memory_equal(out.mac, in.mac, sizeof(in.mac));
}

static void refusals(void **state)
{
    static const struct {
        const char *name;
        size_t at;
        uint8_t value;
        enum err_code code;
    } cases[] = {
        { "version 0", 0, 0, ERR_UNSUPPORTED },
        { "version 2", 0, 2, ERR_UNSUPPORTED },
        { "sealed 2", 81, 2, ERR_MALFORMED },
    };
    struct anchor_item item = sample(), out;
    struct bytes bytes = encode(&item);

    (void)state;
    for (size_t n = 0; n < bytes.n; n++)
        expect_err("cut", anchor_read(&out, bytes_take(bytes, n)), ERR_MALFORMED, NULL);
    expect_err("longer", anchor_read(&out, bytes_of(space, bytes.n + 1)), ERR_MALFORMED, NULL);
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        bytes = encode(&item);
        space[cases[i].at] = cases[i].value;
        expect_err(cases[i].name, anchor_read(&out, bytes), cases[i].code, NULL);
    }
    item.counter = 0;
    expect_err("counter 0", anchor_read(&out, encode(&item)), ERR_MALFORMED, "counter");
    item.counter = 1;
    item.serial = 0;
    expect_err("digest of nothing", anchor_read(&out, encode(&item)), ERR_MALFORMED, "digest");
    memset(item.digest, 0, sizeof(item.digest));
    expect_ok("no manifest", anchor_read(&out, encode(&item)));
}

// Every field but the MAC is under the MAC.
static void message(void **state)
{
    struct anchor_item item = sample(), other;
    uint8_t first[32], second[32];
    struct bytes bytes = encode(&item);

    (void)state;
    anchor_message(first, &item);
    for (size_t at = 1; at < bytes.n; at++) {
        (void)encode(&item);
        space[at] ^= 1;
        if (anchor_read(&other, bytes).code)
            continue;
        anchor_message(second, &other);
        assert_int_equal(memcmp(first, second, 32) != 0, at < ANCHOR_ITEM_BYTES - 32);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layout),
        cmocka_unit_test(refusals),
        cmocka_unit_test(message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
