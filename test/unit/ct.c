// SPDX-License-Identifier: Apache-2.0
// base/ct.h and base/seckey.h: every single bit counts. That they are constant time is shown by
// test/ctime.
#include "base/seckey.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

static void equal(void **state)
{
    uint8_t a[40], b[40];

    (void)state;
    memset(a, 0x5a, sizeof(a));
    memcpy(b, a, sizeof(b));
    assert_true(ct_equal(BYTES_NONE, BYTES_NONE));
    for (size_t n = 0; n <= sizeof(a); n++)
        assert_true(ct_equal(bytes_of(a, n), bytes_of(b, n)));
}

static void different(void **state)
{
    uint8_t a[40] = { 0 }, b[40] = { 0 };

    (void)state;
    for (size_t bit = 0; bit < 8 * sizeof(a); bit++) {
        b[bit / 8] = (uint8_t)(1U << bit % 8);
        assert_false(ct_equal(BYTES_OF(a), BYTES_OF(b)));
        assert_false(ct_equal(BYTES_OF(b), BYTES_OF(a)));
        b[bit / 8] = 0;
    }
    // Two differences that would cancel out in a sum or in one xor over all.
    b[3] = 0x80;
    b[7] = 0x80;
    assert_false(ct_equal(BYTES_OF(a), BYTES_OF(b)));
    assert_false(ct_equal(BYTES_OF(a), bytes_of(a, 39)));
    assert_false(ct_equal(BYTES_NONE, bytes_of(a, 1)));
}

static void zero(void **state)
{
    uint8_t a[40] = { 0 };

    (void)state;
    assert_true(ct_is_zero(BYTES_NONE));
    assert_true(ct_is_zero(BYTES_OF(a)));
    for (size_t bit = 0; bit < 8 * sizeof(a); bit++) {
        a[bit / 8] = (uint8_t)(1U << bit % 8);
        assert_false(ct_is_zero(BYTES_OF(a)));
        a[bit / 8] = 0;
    }
}

static void wipes(void **state)
{
    uint8_t a[40];

    (void)state;
    memset(a, 0xff, sizeof(a));
    ct_wipe(a + 1, sizeof(a) - 2);
    assert_true(ct_is_zero(bytes_of(a + 1, sizeof(a) - 2)));
    assert_true(a[0] == 0xff && a[39] == 0xff);
    ct_wipe(a, 0);
    assert_int_equal(a[0], 0xff);
    ct_wipe(NULL, 0);
}

static void keys(void **state)
{
    struct seckey a = { { 1 } }, b = { { 1 } };

    (void)state;
    assert_true(seckey_equal(&a, &b));
    assert_true(seckey_equal(&a, &a));
    for (size_t bit = 0; bit < 8 * sizeof(a.b); bit++) {
        b.b[bit / 8] ^= (uint8_t)(1U << bit % 8);
        assert_false(seckey_equal(&a, &b));
        b.b[bit / 8] ^= (uint8_t)(1U << bit % 8);
    }
    memset(a.b, 0xff, sizeof(a.b));
    seckey_wipe(&a);
    assert_true(ct_is_zero(BYTES_OF(a.b)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal), cmocka_unit_test(different), cmocka_unit_test(zero),
        cmocka_unit_test(wipes), cmocka_unit_test(keys),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
