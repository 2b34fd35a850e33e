// SPDX-License-Identifier: Apache-2.0
// net/when.h: times of AWS, RFC 3339 and HTTP, and texts that only look like them.
#include "net/when.h"

#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"

#define NONE UINT64_MAX // refused

struct text {
    const char *text;
    uint64_t seconds;
};

static void run(const struct text *cases, size_t count,
                struct err (*read)(uint64_t *out, struct bytes text))
{
    for (size_t i = 0; i < count; i++) {
        uint64_t seconds = NONE;

        expect_err(cases[i].text, read(&seconds, bytes_str(cases[i].text)),
                   cases[i].seconds == NONE ? ERR_MALFORMED : ERR_NONE, NULL);
        if (cases[i].seconds != NONE)
            assert_int_equal(seconds, cases[i].seconds);
    }
}

static void basic(void **state)
{
    static const struct text cases[] = {
        { "19700101T000000Z", 0 },
        { "20260101T000000Z", 1767225600 },
        { "20240229T235959Z", 1709251199 },
        { "20000101T000001Z", 946684801 },
        { "99991231T235959Z", 253402300799 },
        { "", NONE },
        { "20260101", NONE },
        { "20260101T000000", NONE },
        { "20260101T000000ZZ", NONE },
        { "20260101t000000Z", NONE },
        { "20260101T000000z", NONE },
        { "2026-01-01T00:00", NONE },
        { "20260230T000000Z", NONE },
        { "20250229T000000Z", NONE },
        { "20260001T000000Z", NONE },
        { "20261301T000000Z", NONE },
        { "20260100T000000Z", NONE },
        { "20260101T240000Z", NONE },
        { "20260101T006000Z", NONE },
        { "20260101T000060Z", NONE },
        { "19691231T235959Z", NONE },
        { "00000101T000000Z", NONE },
        { "+0260101T000000Z", NONE },
        { " 0260101T000000Z", NONE },
    };
    uint64_t at;

    (void)state;
    run(cases, ARRAY_LEN(cases), when_basic);
    expect_err("NUL", when_basic(&at, BYTES_LIT("20260101T00000\0Z")), ERR_MALFORMED, NULL);
}

static void rfc3339(void **state)
{
    static const struct text cases[] = {
        { "2026-01-01T00:00:00Z", 1767225600 },
        { "2024-02-29T23:59:59Z", 1709251199 },
        { "2100-03-01T00:00:00Z", 4107542400 },
        { "2026-01-01T00:00:00.123456789Z", 1767225600 },
        { "2026-01-01T01:00:00+01:00", 1767225600 },
        { "2025-12-31T19:30:00-04:30", 1767225600 },
        { "2026-01-01T01:00:00.5+01:00", 1767225600 },
        { "1970-01-01T00:00:00Z", 0 },
        { "1970-01-01T00:00:00+00:01", NONE },
        { "2026-02-29T00:00:00Z", NONE },
        { "2100-02-29T00:00:00Z", NONE },
        { "2026-13-01T00:00:00Z", NONE },
        { "2026-00-01T00:00:00Z", NONE },
        { "2026-01-00T00:00:00Z", NONE },
        { "2026-04-31T00:00:00Z", NONE },
        { "2026-01-01T24:00:00Z", NONE },
        { "2026-01-01T00:60:00Z", NONE },
        { "2026-01-01T00:00:00", NONE },
        { "2026-01-01T00:00:00.Z", NONE },
        { "2026-01-01T00:00:00.", NONE },
        { "2026-01-01T00:00:00+1:00", NONE },
        { "2026-01-01T00:00:00+24:00", NONE },
        { "2026-01-01T00:00:00+00:60", NONE },
        { "2026-01-01T00:00:00*00:00", NONE },
        { "2026-01-01 00:00:00Z", NONE },
        { "2026-01-01T00:00:00Zx", NONE },
        { "", NONE },
    };

    (void)state;
    run(cases, ARRAY_LEN(cases), when_rfc3339);
}

static void http(void **state)
{
    static const struct text cases[] = {
        { "Thu, 01 Jan 1970 00:00:00 GMT", 0 },
        { "Thu, 01 Jan 2026 00:00:00 GMT", 1767225600 },
        { "Fri, 31 Dec 9999 23:59:59 GMT", 253402300799 },
        { "Sun, 06 Nov 1994 08:49:37 GMT", 784111777 },
        { "Sun, 06 nov 1994 08:49:37 GMT", NONE },
        { "Sun, 06 ovD 1994 08:49:37 GMT", NONE },
        { "Sun, 31 Nov 1994 08:49:37 GMT", NONE },
        { "Sun, 06 Nov 1994 08:49:37 UTC", NONE },
        { "Sun, 06-Nov-1994 08:49:37 GMT", NONE },
        { "Sunday, 06-Nov-94 08:49:37 GMT", NONE },
        { "Sun Nov  6 08:49:37 1994", NONE },
        { "", NONE },
    };

    (void)state;
    run(cases, ARRAY_LEN(cases), when_http);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(basic),
        cmocka_unit_test(rfc3339),
        cmocka_unit_test(http),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
