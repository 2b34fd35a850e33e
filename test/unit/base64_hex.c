// SPDX-License-Identifier: Apache-2.0
// base/base64.h and base/hex.h: one spelling in, and every other refused.
#include "base/base64.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hex.h"
#include "expect.h"

static void base64_known(void **state)
{
    // RFC 4648 section 10.
    static const struct {
        const char *plain, *text;
    } cases[] = {
        { "", "" },
        { "f", "Zg==" },
        { "fo", "Zm8=" },
        { "foo", "Zm9v" },
        { "foob", "Zm9vYg==" },
        { "fooba", "Zm9vYmE=" },
        { "foobar", "Zm9vYmFy" },
    };
    uint8_t memory[32];
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct wr wr = WR_OF(memory);

        base64_write(&wr, bytes_str(cases[i].plain));
        assert_true(bytes_equal_str(wr_done(&wr), cases[i].text));
        assert_int_equal(base64_len(bytes_str(cases[i].plain).n), wr.len);
        expect_ok(cases[i].text,
                  base64_decode(memory, sizeof(memory), &n, bytes_str(cases[i].text)));
        assert_true(bytes_equal_str(bytes_of(memory, n), cases[i].plain));
    }
}

static void base64_refusals(void **state)
{
    static const char *const cases[] = { "Z",      "Zg",    "Zg=",  "Zm9",  "=",
                                         "====",   "Z===",  "Zh==", "Zm9=", "Zg==Zg==",
                                         "Zm9v\n", " Zm9v", "Zm-v", "Zm_v", "Zm=v" };
    uint8_t out[32];
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect_err(cases[i], base64_decode(out, sizeof(out), &n, bytes_str(cases[i])),
                   ERR_MALFORMED, NULL);
    expect_err("NUL", base64_decode(out, sizeof(out), &n, BYTES_LIT("Zg\0=")), ERR_MALFORMED, NULL);
    expect_err("large", base64_decode(out, 2, &n, BYTES_LIT("Zm9v")), ERR_TOO_LARGE, NULL);
}

static void hex_both_ways(void **state)
{
    static const uint8_t bytes[4] = { 0x00, 0x1f, 0xab, 0xff };
    uint8_t memory[16];
    char text[9];
    uint8_t out[4];
    size_t n = 0;
    struct wr wr = WR_OF(memory);

    (void)state;
    hex_encode(text, BYTES_OF(bytes));
    assert_string_equal(text, "001fabff");
    hex_write_0x(&wr, BYTES_OF(bytes));
    assert_true(bytes_equal_str(wr_done(&wr), "0x001fabff"));
    expect_ok("either case", hex_decode(out, 4, BYTES_LIT("001FaBfF")));
    assert_memory_equal(out, bytes, 4);
    expect_ok("0x", hex_decode_0x(out, 4, &n, BYTES_LIT("0x")));
    assert_int_equal(n, 0);
    expect_ok("0x", hex_decode_0x(out, 4, &n, BYTES_LIT("0x001fabff")));
    assert_int_equal(n, 4);
}

static void hex_refusals(void **state)
{
    static const char *const plain[] = { "",          "0",        "00",       "0000000",
                                         "000000000", "0x001fab", "0000000g", "0000000 ",
                                         "+0000000",  "0000000\n" };
    static const char *const prefixed[] = { "",    "0",    "00",   "0X00", "x00",
                                            "0x0", "0x0g", " 0x0", "0x00 " };
    uint8_t out[4];
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        expect_err(plain[i], hex_decode(out, 4, bytes_str(plain[i])), ERR_MALFORMED, "hex");
    for (size_t i = 0; i < sizeof(prefixed) / sizeof(prefixed[0]); i++)
        expect_err(prefixed[i], hex_decode_0x(out, 4, &n, bytes_str(prefixed[i])), ERR_MALFORMED,
                   "hex");
    expect_err("long", hex_decode_0x(out, 4, &n, BYTES_LIT("0x0011223344")), ERR_TOO_LARGE, NULL);
    for (int c = 0; c < 256; c++)
        if ((c < '0' || c > '9') && (c < 'a' || c > 'f') && (c < 'A' || c > 'F'))
            assert_int_equal(hex_digit((uint8_t)c), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(base64_known),
        cmocka_unit_test(base64_refusals),
        cmocka_unit_test(hex_both_ways),
        cmocka_unit_test(hex_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
