// SPDX-License-Identifier: Apache-2.0
// proto/id.h: one text form, no second spelling.
#include "proto/id.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"

#define TEXT "000102030405060708090a0b0c0d0eff"

static const struct id sample = { { 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 255 } };

static void text_round_trip(void **state)
{
    char text[ID_TEXT];
    struct id back;

    (void)state;
    id_text(text, &sample);
    assert_string_equal(text, TEXT);
    expect_ok("text", id_parse(&back, bytes_str(text)));
    assert_true(id_equal(&back, &sample));
}

static void refusals(void **state)
{
    static const struct {
        const char *name, *text;
    } cases[] = {
        { "empty", "" },
        { "short", "000102030405060708090a0b0c0d0e" },
        { "odd", "000102030405060708090a0b0c0d0ef" },
        { "long", TEXT "00" },
        { "upper case", "000102030405060708090A0b0c0d0eff" },
        { "prefix", "0x0102030405060708090a0b0c0d0eff" },
        { "blank", " 00102030405060708090a0b0c0d0eff" },
        { "no digit", "000102030405060708090a0b0c0d0efg" },
    };
    struct id out;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect_err(cases[i].name, id_parse(&out, bytes_str(cases[i].text)), ERR_MALFORMED,
                   "32 lower-case");
    expect_err("NUL", id_parse(&out, bytes_of("000102030405060708090a0b0c0d0e\0f", 32)),
               ERR_MALFORMED, "id");
}

static void equality(void **state)
{
    struct id other = sample;
    struct id zero = { { 0 } };

    (void)state;
    other.b[15] ^= 1;
    assert_false(id_equal(&sample, &other));
    assert_false(id_is_zero(&sample));
    assert_true(id_is_zero(&zero));
}

static void wire(void **state)
{
    uint8_t buf[16];
    struct wr wr = WR_OF(buf);
    struct rd rd;
    struct id back;

    (void)state;
    id_write(&wr, &sample);
    rd = rd_of(wr_done(&wr));
    back = id_read(&rd);
    assert_true(id_equal(&back, &sample));
    assert_int_equal(rd_end(&rd).code, 0);
    rd = rd_of(bytes_of(buf, 15));
    back = id_read(&rd);
    assert_true(id_is_zero(&back));
    assert_int_equal(rd_end(&rd).code, ERR_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_round_trip),
        cmocka_unit_test(refusals),
        cmocka_unit_test(equality),
        cmocka_unit_test(wire),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
