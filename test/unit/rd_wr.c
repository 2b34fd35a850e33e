// SPDX-License-Identifier: Apache-2.0
// base/rd.h and base/wr.h: what is written is read back, and one failure sticks.
#include "base/rd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/wr.h"
#include "expect.h"

#include <string.h>

static void round_trip(void **state)
{
    uint8_t memory[64];
    struct wr wr = WR_OF(memory);
    struct rd rd;

    (void)state;
    wr_u8(&wr, 0x12);
    wr_u16(&wr, 0x3456);
    wr_u32(&wr, 0x789abcde);
    wr_u64(&wr, 0xfedcba9876543210);
    wr_var8(&wr, BYTES_LIT("a"));
    wr_var16(&wr, BYTES_LIT("bc"));
    wr_var32(&wr, BYTES_NONE);
    wr_u8(&wr, 1);
    expect_ok("written", wr_end(&wr));
    assert_int_equal(memory[1], 0x34); // big-endian
    rd = rd_of(wr_done(&wr));
    assert_int_equal(rd_u8(&rd), 0x12);
    assert_int_equal(rd_u16(&rd), 0x3456);
    assert_int_equal(rd_u32(&rd), 0x789abcde);
    assert_true(rd_u64(&rd) == 0xfedcba9876543210);
    assert_true(bytes_equal_str(rd_var8(&rd, 1), "a"));
    assert_true(bytes_equal_str(rd_var16(&rd, 2), "bc"));
    assert_int_equal(rd_var32(&rd, 0).n, 0);
    assert_true(rd_bool(&rd));
    expect_ok("read", rd_end(&rd));
}

static void every_cut_sticks(void **state)
{
    static const uint8_t all[15] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 };
    uint8_t copy[4];

    (void)state;
    for (size_t n = 0; n < sizeof(all); n++) {
        struct rd rd = rd_of(bytes_of(all, n));

        (void)rd_u8(&rd);
        (void)rd_u16(&rd);
        (void)rd_u64(&rd);
        rd_copy(&rd, copy, sizeof(copy));
        expect_err("cut", rd_end(&rd), ERR_MALFORMED, "shorter");
        assert_true(memcmp(copy, "\0\0\0\0", 4) == 0);
        assert_int_equal(rd_u8(&rd), 0);
        assert_null(rd_bytes(&rd, 0).p);
    }
}

static void reader_refusals(void **state)
{
    static const uint8_t two[2] = { 1, 2 };
    struct rd rd = rd_of(BYTES_OF(two));

    (void)state;
    (void)rd_u8(&rd);
    expect_err("left over", rd_end(&rd), ERR_MALFORMED, "after its last field");
    assert_false(rd_bool(&rd));
    expect_err("bool of 2", rd_end(&rd), ERR_MALFORMED, "forbidden");
    rd = rd_of(BYTES_OF(two));
    assert_int_equal(rd_var8(&rd, 0).n, 0);
    expect_err("above the limit", rd_end(&rd), ERR_MALFORMED, NULL);
    rd = rd_of(BYTES_OF(two));
    (void)rd_bytes(&rd, SIZE_MAX);
    expect_err("huge", rd_end(&rd), ERR_MALFORMED, NULL);
    rd = rd_of(BYTES_NONE);
    rd_refuse(&rd);
    expect_err("refused", rd_end(&rd), ERR_MALFORMED, NULL);
    rd = rd_of(BYTES_NONE);
    expect_ok("nothing of nothing", rd_end(&rd));
}

static void writer_refusals(void **state)
{
    static uint8_t big[256];
    uint8_t memory[4] = { 0 };
    struct wr wr = WR_OF(memory);

    (void)state;
    wr_u32(&wr, 1);
    expect_ok("full", wr_end(&wr));
    wr_u8(&wr, 9);
    expect_err("one more", wr_end(&wr), ERR_TOO_LARGE, NULL);
    assert_null(wr_done(&wr).p);
    wr = WR_OF(memory);
    wr_u64(&wr, 1);
    wr_u8(&wr, 7); // would fit, but comes after a failure
    expect_err("sticks", wr_end(&wr), ERR_TOO_LARGE, NULL);
    assert_int_equal(memory[0], 0);
    wr = WR_OF(memory);
    assert_null(wr_room(&wr, SIZE_MAX));
    expect_err("huge", wr_end(&wr), ERR_TOO_LARGE, NULL);
    wr = wr_of(big, sizeof(big));
    wr_var8(&wr, BYTES_OF(big));
    expect_err("prefix too small", wr_end(&wr), ERR_TOO_LARGE, NULL);
    wr = WR_OF(memory);
    wr_refuse(&wr);
    expect_err("refused", wr_end(&wr), ERR_TOO_LARGE, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),
        cmocka_unit_test(every_cut_sticks),
        cmocka_unit_test(reader_refusals),
        cmocka_unit_test(writer_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
