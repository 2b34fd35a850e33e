// SPDX-License-Identifier: Apache-2.0
// base/bytes.h: views that never read outside, and strings that never lose their end.
#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"

#include <string.h>

static void makes(void **state)
{
    static const uint32_t word = 0x01020304;
    static const char text[] = "ab\0c";

    (void)state;
    assert_int_equal(BYTES_OF(word).n, 4);
    assert_ptr_equal(BYTES_OF(word).p, &word);
    assert_int_equal(BYTES_OF(text).n, 5);
    assert_int_equal(BYTES_LIT("ab\0c").n, 4);
    assert_int_equal(BYTES_LIT("").n, 0);
    assert_true(BYTES_NONE.n == 0 && BYTES_NONE.p == NULL);
    assert_int_equal(bytes_str(text).n, 2);
    assert_int_equal(bytes_str("").n, 0);
    assert_true(bytes_str(NULL).n == 0 && bytes_str(NULL).p == NULL);
}

static int sign_of(int n)
{
    return (n > 0) - (n < 0);
}

static void compares(void **state)
{
    static const struct {
        const char *name;
        struct bytes a, b;
        int order;
    } cases[] = {
        { "none and none", { NULL, 0 }, { NULL, 0 }, 0 },
        { "none and empty", { NULL, 0 }, { (const uint8_t *)"x", 0 }, 0 },
        { "none and one", { NULL, 0 }, { (const uint8_t *)"x", 1 }, -1 },
        { "same", { (const uint8_t *)"abc", 3 }, { (const uint8_t *)"abc", 3 }, 0 },
        { "last differs", { (const uint8_t *)"abc", 3 }, { (const uint8_t *)"abd", 3 }, -1 },
        { "first differs", { (const uint8_t *)"b", 1 }, { (const uint8_t *)"abc", 3 }, 1 },
        { "prefix", { (const uint8_t *)"ab", 2 }, { (const uint8_t *)"abc", 3 }, -1 },
        { "high bytes are large",
          { (const uint8_t *)"\xff", 1 },
          { (const uint8_t *)"\x7f", 1 },
          1 },
        { "NUL counts", { (const uint8_t *)"a\0b", 3 }, { (const uint8_t *)"a\0c", 3 }, -1 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bytes a = cases[i].a, b = cases[i].b;

        if (sign_of(bytes_compare(a, b)) != cases[i].order ||
            sign_of(bytes_compare(b, a)) != -cases[i].order ||
            bytes_equal(a, b) != (cases[i].order == 0))
            fail_msg("%s", cases[i].name);
    }
    assert_true(bytes_equal_str(BYTES_LIT("abc"), "abc"));
    assert_true(bytes_equal_str(BYTES_NONE, ""));
    assert_false(bytes_equal_str(BYTES_LIT("abc"), "abcd"));
    assert_false(bytes_equal_str(BYTES_LIT("abc\0"), "abc"));
}

static void to_string(void **state)
{
    static const struct {
        const char *name;
        struct bytes text;
        size_t cap;
        bool fits;
    } cases[] = {
        { "fits", { (const uint8_t *)"abc", 3 }, 8, true },
        { "fits exactly", { (const uint8_t *)"abc", 3 }, 4, true },
        { "empty", { NULL, 0 }, 1, true },
        { "no room for NUL", { (const uint8_t *)"abc", 3 }, 3, false },
        { "too long", { (const uint8_t *)"abc", 3 }, 1, false },
        { "NUL inside", { (const uint8_t *)"a\0b", 3 }, 8, false },
        { "NUL at the end", { (const uint8_t *)"ab", 3 }, 8, false },
        { "no room at all", { NULL, 0 }, 0, false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char out[9] = "########";
        bool fits = bytes_to_str(cases[i].text, out, cases[i].cap);

        if (fits != cases[i].fits)
            fail_msg("%s: fits: %d", cases[i].name, fits);
        if (cases[i].cap && strlen(out) != (fits ? cases[i].text.n : 0))
            fail_msg("%s: wrote \"%s\"", cases[i].name, out);
        assert_int_equal(out[cases[i].cap], cases[i].cap < 8 ? '#' : 0);
    }
}

static void skips_and_takes(void **state)
{
    static const struct {
        const char *name;
        size_t at;
        const char *skipped, *taken;
    } cases[] = {
        { "nothing", 0, "abc", "" },  { "one", 1, "bc", "a" },         { "all", 3, "", "abc" },
        { "one more", 4, "", "abc" }, { "most", SIZE_MAX, "", "abc" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bytes skipped = bytes_skip(BYTES_LIT("abc"), cases[i].at);

        if (!bytes_equal_str(skipped, cases[i].skipped) ||
            !bytes_equal_str(bytes_take(BYTES_LIT("abc"), cases[i].at), cases[i].taken))
            fail_msg("%s", cases[i].name);
    }
    assert_int_equal(bytes_skip(BYTES_NONE, 1).n, 0);
    assert_int_equal(bytes_take(BYTES_NONE, 1).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(makes),
        cmocka_unit_test(compares),
        cmocka_unit_test(to_string),
        cmocka_unit_test(skips_and_takes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
