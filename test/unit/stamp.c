// SPDX-License-Identifier: Apache-2.0
// parent/stamp.h: times as text and back.
#include "parent/stamp.h"

#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"

static void text(void **state)
{
    char out[STAMP_TEXT];

    (void)state;
    stamp_text(out, 0);
    assert_string_equal(out, "1970-01-01T00:00:00.000Z");
    stamp_text(out, 951782400123);
    assert_string_equal(out, "2000-02-29T00:00:00.123Z");
    stamp_text(out, UINT64_MAX);
    assert_string_equal(out, "9999-12-31T23:59:59.999Z");
    assert_true(stamp_now_ms() > 1700000000000);
}

static const struct {
    const char *text;
    uint64_t ms;
} good[] = {
    { "1970-01-01T00:00:00Z", 0 },
    { "2000-02-29T00:00:00Z", 951782400000 },
    { "2000-02-29T00:00:00.999Z", 951782400000 },
};

static const char *const bad[] = {
    "",
    "2000-02-29",
    "2000-02-29T00:00:00",
    "2000-02-29T00:00:00+00:00",
    "2000-02-29 00:00:00Z",
    "2000-02-29T00:00:00.Z",
    "2000-02-29T00:00:00.1xZ",
    "2000-13-01T00:00:00Z",
    "2000-00-01T00:00:00Z",
    "2000-01-32T00:00:00Z",
    "2000-01-01T24:00:00Z",
    "2000-01-01T00:60:00Z",
    "1969-12-31T23:59:59Z",
    "200x-01-01T00:00:00Z",
    "2000-01-01T00:00:00.000000000000Z",
    "2000-01-01T00:00:00ZZ",
};

static void parse(void **state)
{
    uint64_t ms;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        expect_ok(good[i].text, stamp_parse(&ms, bytes_str(good[i].text)));
        assert_int_equal(ms, good[i].ms);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        expect_err(bad[i], stamp_parse(&ms, bytes_str(bad[i])), ERR_MALFORMED, "time");
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(text), cmocka_unit_test(parse) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
