// SPDX-License-Identifier: Apache-2.0
// eth/rlp.h: known encodings (Yellow Paper, appendix B; ethereum/tests) and every second spelling
// refused.
#include "eth/rlp.h"

#include "base/hex.h"
#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"

static uint8_t in[8192];

static struct rd from_hex(const char *hex)
{
    size_t n = strlen(hex) / 2;

    assert_int_equal(hex_decode(in, n, bytes_str(hex)).code, 0);
    return rd_of(bytes_of(in, n));
}

static void strings(void **state)
{
    static const struct {
        const char *encoded, *text;
        size_t n;
    } cases[] = {
        { "80", "", 0 },
        { "00", "\0", 1 },
        { "7f", "\x7f", 1 },
        { "8180", "\x80", 1 },
        { "83646f67", "dog", 3 },
        { "b74c6f72656d20697073756d20646f6c6f722073697420616d65742c20636f6e7365637465747572206164"
          "697069736963696e6720656c69",
          "Lorem ipsum dolor sit amet, consectetur adipisicing eli", 55 },
        { "b8384c6f72656d20697073756d20646f6c6f722073697420616d65742c20636f6e7365637465747572206164"
          "697069736963696e6720656c6974",
          "Lorem ipsum dolor sit amet, consectetur adipisicing elit", 56 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rd rd = from_hex(cases[i].encoded);
        struct bytes text = rlp_string(&rd);
        uint8_t out[128];
        struct wr wr = WR_OF(out);

        assert_int_equal(rd_end(&rd).code, 0);
        assert_int_equal(text.n, cases[i].n);
        assert_memory_equal(text.p, cases[i].text, text.n);
        rlp_put_string(&wr, text);
        assert_true(bytes_equal(wr_done(&wr), bytes_of(in, strlen(cases[i].encoded) / 2)));
        assert_int_equal(rlp_string_size(text), wr.len);
    }
}

static void string_refusals(void **state)
{
    static const struct {
        const char *name, *encoded;
    } cases[] = {
        { "nothing", "" },
        { "single byte with head", "8100" },
        { "single byte 7f with head", "817f" },
        { "short string cut", "83646f" },
        { "long form for a short string", "b803646f67" },
        { "long form for 55 bytes",
          "b8374c6f72656d20697073756d20646f6c6f722073697420616d65742c20636f6e7365637465747572206164"
          "697069736963696e6720656c69" },
        { "leading zero in the length", "b90038" },
        { "length without its bytes", "b9" },
        { "length of 4 GiB", "bbffffffff" },
        { "length of 5 bytes", "bc0100000000" },
        { "length of 8 bytes", "bfffffffffffffffff" },
        { "int32 overflow", "bf0f000000000000021111" },
        { "a list", "c0" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rd rd = from_hex(cases[i].encoded);

        if (rlp_string(&rd).n != 0 || !rd.bad)
            fail_msg("%s was taken", cases[i].name);
    }
}

static void lists(void **state)
{
    // [[], [[]], [[], [[]]]], the set theoretical representation of three.
    struct rd rd = from_hex("c7c0c1c0c3c0c1c0");
    struct rd items = rlp_list(&rd);
    struct rd inner;
    uint8_t out[4];
    struct wr wr = WR_OF(out);

    (void)state;
    assert_int_equal(rd_end(&rd).code, 0);
    assert_true(rlp_is_list(&items));
    inner = rlp_list(&items);
    assert_int_equal(rd_end(&inner).code, 0);
    inner = rlp_list(&items);
    assert_int_equal(inner.left.n, 1);
    inner = rlp_list(&items);
    assert_int_equal(inner.left.n, 3);
    assert_int_equal(rd_end(&items).code, 0);
    assert_false(rlp_is_list(&items));
    rlp_put_list(&wr, 0x400);
    assert_int_equal(rlp_list_size(0x400), 0x403);
    assert_true(bytes_equal(wr_done(&wr), BYTES_LIT("\xf9\x04\x00")));
}

static void list_refusals(void **state)
{
    static const struct {
        const char *name, *encoded;
    } cases[] = {
        { "nothing", "" },
        { "a string", "80" },
        { "cut", "c283" },
        { "long form for a short list", "f80180" },
        { "long form of nothing", "f800" },
        { "leading zero in the length", "f90001" },
        { "longer than what follows", "f8ff00" },
        { "64-bit length", "ff0f000000000000021111" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rd rd = from_hex(cases[i].encoded);
        struct rd items = rlp_list(&rd);

        if (!rd.bad || !items.bad)
            fail_msg("%s was taken", cases[i].name);
    }
}

static void numbers(void **state)
{
    static const struct {
        const char *encoded;
        uint64_t value;
    } cases[] = {
        { "80", 0 },     { "01", 1 },        { "7f", 127 },
        { "8180", 128 }, { "820400", 1024 }, { "88ffffffffffffffff", UINT64_MAX },
    };
    uint8_t out[40];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rd rd = from_hex(cases[i].encoded);
        struct wr wr = WR_OF(out);

        assert_int_equal(rlp_u64(&rd), cases[i].value);
        assert_int_equal(rd_end(&rd).code, 0);
        rlp_put_u256(&wr, u256_of(cases[i].value));
        assert_int_equal(rlp_u256_size(u256_of(cases[i].value)), wr.len);
        assert_true(bytes_equal(wr_done(&wr), bytes_of(in, strlen(cases[i].encoded) / 2)));
    }
}

static void number_refusals(void **state)
{
    static const struct {
        const char *name, *encoded;
        bool only_u64;
    } cases[] = {
        { "zero as a byte", "00", false },
        { "leading zero", "820001", false },
        { "a list", "c0", false },
        { "33 bytes", "a1010000000000000000000000000000000000000000000000000000000000000000",
          false },
        { "9 bytes for a u64", "89010000000000000000", true },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rd rd = from_hex(cases[i].encoded);
        struct rd again = rd;

        assert_int_equal(rlp_u64(&rd), 0);
        if (!rd.bad)
            fail_msg("%s was taken", cases[i].name);
        (void)rlp_u256(&again);
        if (again.bad == cases[i].only_u64)
            fail_msg("%s as a u256", cases[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings), cmocka_unit_test(string_refusals),
        cmocka_unit_test(lists),   cmocka_unit_test(list_refusals),
        cmocka_unit_test(numbers), cmocka_unit_test(number_refusals),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
