// SPDX-License-Identifier: Apache-2.0
// base/u256.h: no sign, no float, no wrapping.
#include "base/u256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"

#include <string.h>

#define MAX_DECIMAL "115792089237316195423570985008687907853269984665640564039457584007913129639935"
#define OVER_DECIMAL \
    "115792089237316195423570985008687907853269984665640564039457584007913129639936"
#define MAX_HEX "0xffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"

#define OVER_HEX "0x10000000000000000000000000000000000000000000000000000000000000000"
#define LONG_HEX "0x00000000000000000000000000000000000000000000000000000000000000001"

static void text_both_ways(void **state)
{
    static const struct {
        const char *in, *decimal, *hex;
        size_t len;
    } cases[] = {
        { "0", "0", "0x0", 0 },
        { "0x0", "0", "0x0", 0 },
        { "0x00ff", "255", "0xff", 1 },
        { "256", "256", "0x100", 2 },
        { "18446744073709551616", "18446744073709551616", "0x10000000000000000", 9 },
        { "0xFf", "255", "0xff", 1 },
        { MAX_DECIMAL, MAX_DECIMAL, MAX_HEX, 32 },
        { MAX_HEX, MAX_DECIMAL, MAX_HEX, 32 },
    };
    uint8_t memory[100];
    uint8_t be[32];
    struct u256 value;
    struct u256 back;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wr wr = WR_OF(memory);

        expect_ok(cases[i].in, u256_parse(&value, bytes_str(cases[i].in)));
        u256_write_decimal(&wr, value);
        assert_true(bytes_equal_str(wr_done(&wr), cases[i].decimal));
        wr = WR_OF(memory);
        u256_write_hex(&wr, value);
        assert_true(bytes_equal_str(wr_done(&wr), cases[i].hex));
        assert_int_equal(u256_len(value), cases[i].len);
        u256_to_be(be, value);
        expect_ok("be", u256_from_be(&back, bytes_skip(BYTES_OF(be), 32 - cases[i].len)));
        assert_int_equal(u256_compare(value, back), 0);
    }
}

static void refusals(void **state)
{
    static const char *const cases[] = { "",    " 1",    "1 ",         "-1",     "+1",    "01",
                                         "00",  "1.0",   "1e3",        "0x",     "0X1",   "x1",
                                         "0xg", "1_000", OVER_DECIMAL, OVER_HEX, LONG_HEX };
    uint8_t be[33] = { 1 };
    struct u256 out;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        if (u256_parse(&out, bytes_str(cases[i])).code == ERR_NONE)
            fail_msg("took \"%s\"", cases[i]);
    expect_err("hex", u256_parse_decimal(&out, BYTES_LIT("0x1")), ERR_MALFORMED, NULL);
    expect_err("33 bytes", u256_from_be(&out, BYTES_OF(be)), ERR_TOO_LARGE, NULL);
}

static void arithmetic(void **state)
{
    struct u256 max = { { UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX } };
    struct u256 out = u256_of(0);
    uint64_t small = 0;

    (void)state;
    expect_ok("add", u256_add(&out, u256_of(UINT64_MAX), u256_of(1)));
    assert_true(out.limb[0] == 0 && out.limb[1] == 1);
    expect_err("to u64", u256_to_u64(&small, out), ERR_TOO_LARGE, NULL);
    expect_ok("to u64", u256_to_u64(&small, u256_of(UINT64_MAX)));
    assert_true(small == UINT64_MAX);
    expect_err("add", u256_add(&out, max, u256_of(1)), ERR_TOO_LARGE, NULL);
    expect_ok("add nothing", u256_add(&out, max, u256_of(0)));
    expect_ok("mul", u256_mul_u64(&out, u256_of(UINT64_MAX), UINT64_MAX));
    assert_true(out.limb[0] == 1 && out.limb[1] == UINT64_MAX - 1 && out.limb[2] == 0);
    expect_err("mul", u256_mul_u64(&out, max, 2), ERR_TOO_LARGE, NULL);
    assert_int_equal(u256_div_u64(&out, max, 10), 5);
    assert_true(u256_compare(out, max) < 0 && u256_compare(max, out) > 0);
    assert_true(u256_is_zero(u256_of(0)) && !u256_is_zero(max));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_both_ways),
        cmocka_unit_test(refusals),
        cmocka_unit_test(arithmetic),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
