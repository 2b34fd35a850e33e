// SPDX-License-Identifier: Apache-2.0
// cli/ether.h: amounts with units, exactly.
#include "cli/ether.h"

#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"

static void taken(void **state)
{
    static const struct {
        const char *text, *wei;
    } cases[] = {
        { "0", "0" },
        { "1000", "1000" },
        { "0x10", "16" },
        { "7wei", "7" },
        { "3gwei", "3000000000" },
        { "3 gwei", "3000000000" },
        { "0.5ether", "500000000000000000" },
        { "1.5 ether", "1500000000000000000" },
        { "1eth", "1000000000000000000" },
        { "0.000000000000000001ether", "1" },
        { "0.123456789gwei", "123456789" },
        { "1.10gwei", "1100000000" },
        { "115792089237316195423570985008687907853269984665640564039457584007913129639935wei",
          "115792089237316195423570985008687907853269984665640564039457584007913129639935" },
        { "115792089237316195423570985008687907853269984665640564039457.584007913129639935ether",
          "115792089237316195423570985008687907853269984665640564039457584007913129639935" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t digits[80];
        struct wr wr = WR_OF(digits);
        struct u256 wei;

        expect_ok(cases[i].text, ether_parse(&wei, bytes_str(cases[i].text)));
        u256_write_decimal(&wr, wei);
        if (!bytes_equal_str(wr_done(&wr), cases[i].wei))
            fail_msg("%s", cases[i].text);
    }
}

static void refused(void **state)
{
    static const struct {
        const char *text;
        enum err_code code;
    } cases[] = {
        { "", ERR_MALFORMED },
        { "ether", ERR_MALFORMED },
        { " ether", ERR_MALFORMED },
        { "0.5", ERR_MALFORMED },
        { ".5ether", ERR_MALFORMED },
        { "5.ether", ERR_MALFORMED },
        { "00.5ether", ERR_MALFORMED },
        { "01ether", ERR_MALFORMED },
        { "-1ether", ERR_MALFORMED },
        { "+1ether", ERR_MALFORMED },
        { "1e18", ERR_MALFORMED },
        { "1e3gwei", ERR_MALFORMED },
        { "0x1gwei", ERR_MALFORMED },
        { "1,5ether", ERR_MALFORMED },
        { "1.5.5ether", ERR_MALFORMED },
        { "1  ether", ERR_MALFORMED },
        { "1ether ", ERR_MALFORMED },
        { "1Ether", ERR_MALFORMED },
        { "1finney", ERR_MALFORMED },
        { "0.5wei", ERR_MALFORMED },
        { "0.1234567891gwei", ERR_MALFORMED },
        { "0.1234567890123456789ether", ERR_MALFORMED },
        { "115792089237316195423570985008687907853269984665640564039457584007913129639936",
          ERR_TOO_LARGE },
        { "115792089237316195423570985008687907853269984665640564039458ether", ERR_TOO_LARGE },
        { "115792089237316195423570985008687907853269984665640564039457.584007913129639936ether",
          ERR_TOO_LARGE },
    };
    struct u256 wei;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_err(cases[i].text, ether_parse(&wei, bytes_str(cases[i].text)), cases[i].code,
                   "amount: ");
}

static void units(void **state)
{
    (void)state;
    assert_true(ether_has_unit(BYTES_LIT("1wei")));
    assert_true(ether_has_unit(BYTES_LIT("x ether")));
    assert_false(ether_has_unit(BYTES_LIT("1")));
    assert_false(ether_has_unit(BYTES_LIT("ether")));
    assert_false(ether_has_unit(BYTES_NONE));
}

static void written(void **state)
{
    static const struct {
        const char *wei, *ether;
    } cases[] = {
        { "0", "0" },
        { "1", "0.000000000000000001" },
        { "500000000000000000", "0.5" },
        { "1000000000000000000", "1" },
        { "12340000000000000000", "12.34" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t text[128];
        struct wr wr = WR_OF(text);
        struct u256 wei;

        expect_ok(cases[i].wei, u256_parse(&wei, bytes_str(cases[i].wei)));
        ether_write(&wr, wei);
        assert_true(bytes_equal_str(wr_done(&wr), cases[i].ether));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taken),
        cmocka_unit_test(refused),
        cmocka_unit_test(units),
        cmocka_unit_test(written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
