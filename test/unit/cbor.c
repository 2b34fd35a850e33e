// SPDX-License-Identifier: Apache-2.0
// base/cbor.h: RFC 8949's appendix A as far as the subset goes, and what it leaves out.
#include "base/cbor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"
#include "vectors.h"

static const char *const good[] = { "00",
                                    "17",
                                    "1818",
                                    "1903e8",
                                    "1bffffffffffffffff",
                                    "20",
                                    "3863",
                                    "40",
                                    "4401020304",
                                    "60",
                                    "6161",
                                    "80",
                                    "83010203",
                                    "a0",
                                    "a201020304",
                                    "bfff",
                                    "bf0102ff",
                                    "f4",
                                    "f5",
                                    "f6",
                                    "c11a514b67b0",
                                    "8301820203820405",
                                    "d28443a10126a0410140" };
static const char *const bad[] = { "",
                                   "18",
                                   "1817",
                                   "1900ff",
                                   "1a0000ffff",
                                   "1b00000000ffffffff",
                                   "1c",
                                   "1f",
                                   "41",
                                   "5f4100ff",
                                   "5bffffffffffffffff",
                                   "61",
                                   "7f6100ff",
                                   "81",
                                   "9f00ff",
                                   "9bffffffffffffffff",
                                   "a1",
                                   "a100",
                                   "bf",
                                   "bf00ff",
                                   "bbffffffffffffffff",
                                   "c1",
                                   "f7",
                                   "f0",
                                   "f800",
                                   "f93c00",
                                   "fa00000000",
                                   "fb0000000000000000",
                                   "ff",
                                   "0000",
                                   "8181818181818181818100" };

static void skips_whole_items(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        struct rd rd = rd_of(unhex(bytes_str(good[i])));

        cbor_skip(&rd);
        expect_ok(good[i], cbor_end(&rd));
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct rd rd = rd_of(unhex(bytes_str(bad[i])));

        cbor_skip(&rd);
        expect_err(bad[i], cbor_end(&rd), ERR_MALFORMED, "CBOR");
    }
}

static void writes_and_reads(void **state)
{
    uint8_t memory[128];
    struct wr wr = WR_OF(memory);
    struct rd rd;
    bool present = true;

    (void)state;
    cbor_put_array(&wr, 8);
    cbor_put_uint(&wr, 23);
    cbor_put_uint(&wr, 1000000);
    cbor_put_int(&wr, -1000);
    cbor_put_bytes(&wr, BYTES_LIT("\x01\x02"));
    cbor_put_text(&wr, "IETF");
    cbor_put_bool(&wr, true);
    cbor_put_bytes_or_null(&wr, BYTES_NONE);
    cbor_put_map(&wr, 1);
    cbor_put_uint(&wr, 1);
    cbor_put_null(&wr);
    expect_hex("bytes", wr_done(&wr), "88171a000f42403903e74201026449455446f5f6a101f6");
    rd = rd_of(wr_done(&wr));
    assert_int_equal(cbor_array(&rd), 8);
    assert_int_equal(cbor_uint(&rd), 23);
    assert_int_equal(cbor_int(&rd), 1000000);
    assert_int_equal(cbor_int(&rd), -1000);
    assert_int_equal(cbor_bytes(&rd).n, 2);
    assert_true(bytes_equal_str(cbor_text(&rd), "IETF"));
    assert_true(cbor_bool(&rd));
    assert_int_equal(cbor_bytes_or_null(&rd, &present).n, 0);
    assert_false(present);
    assert_int_equal(cbor_map(&rd), 1);
    assert_int_equal(cbor_uint(&rd), 1);
    assert_int_equal(cbor_peek(&rd).count, CBOR_NULL);
    cbor_skip(&rd);
    expect_ok("read", cbor_end(&rd));
}

static void wrong_types(void **state)
{
    static const char *const cases[] = { "20", "4100", "6100", "80", "a0", "f5", "f6", "c000" };
    struct rd rd;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        rd = rd_of(unhex(bytes_str(cases[i])));
        assert_int_equal(cbor_uint(&rd), 0);
        expect_err(cases[i], cbor_end(&rd), ERR_MALFORMED, "CBOR");
        rd = rd_of(unhex(bytes_str("00")));
        assert_int_equal(cbor_bytes(&rd).n, 0);
        expect_err("bytes", cbor_end(&rd), ERR_MALFORMED, "CBOR");
    }
    rd = rd_of(unhex(bytes_str("1bffffffffffffffff")));
    assert_int_equal(cbor_int(&rd), 0);
    expect_err("int64", cbor_end(&rd), ERR_MALFORMED, "CBOR");
    rd = rd_of(unhex(bytes_str("bf0001")));
    for (uint64_t left = cbor_map(&rd); cbor_map_next(&rd, &left);)
        (void)cbor_uint(&rd);
    expect_err("map without end", cbor_end(&rd), ERR_MALFORMED, "CBOR");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(skips_whole_items),
        cmocka_unit_test(writes_and_reads),
        cmocka_unit_test(wrong_types),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
