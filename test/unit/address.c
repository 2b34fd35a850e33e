// SPDX-License-Identifier: Apache-2.0
// eth/address.h: the test cases of EIP-55, and refusals.
#include "eth/address.h"

#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"

// From the EIP's text: all caps, all lower, and mixed.
static const char *const eip55[] = {
    "0x52908400098527886E0F7030069857D2E4169EE7", "0x8617E340B3D01FA5F11F306F4090FD50E238070D",
    "0xde709f2102306220921060314715629080e2fb77", "0x27b1fdb04752bbc536007a920d24acb045561c26",
    "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
    "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB", "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
};

static void checksummed(void **state)
{
    uint8_t address[ADDRESS_BYTES];
    char text[ADDRESS_TEXT];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(eip55); i++) {
        expect_ok(eip55[i], address_parse(address, bytes_str(eip55[i])));
        address_text(text, address);
        assert_string_equal(text, eip55[i]);
    }
}

static void one_case_is_taken(void **state)
{
    uint8_t address[ADDRESS_BYTES];
    char text[ADDRESS_TEXT];

    (void)state;
    expect_ok("lower",
              address_parse(address, BYTES_LIT("0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed")));
    expect_ok("upper",
              address_parse(address, BYTES_LIT("0x5AAEB6053F3E94C9B9A09F33669435E7EF1BEAED")));
    address_text(text, address);
    assert_string_equal(text, eip55[4]);
}

static void refusals(void **state)
{
    static const struct {
        const char *name, *text, *what;
    } cases[] = {
        { "empty", "", "40" },
        { "no prefix", "5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "40" },
        { "upper-case prefix", "0X5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "40" },
        { "39 digits", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAe", "40" },
        { "41 digits", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAedd", "40" },
        { "no digit", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeg", "40" },
        { "one letter's case", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAeD", "checksum" },
        { "one digit", "0x5aAeb6053F3E94C9b9A09f33669435E7Ef2BeAed", "checksum" },
        { "a name", "vitalik.eth", "40" },
    };
    uint8_t address[ADDRESS_BYTES];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_err(cases[i].name, address_parse(address, bytes_str(cases[i].text)), ERR_MALFORMED,
                   cases[i].what);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksummed),
        cmocka_unit_test(one_case_is_taken),
        cmocka_unit_test(refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
