// SPDX-License-Identifier: Apache-2.0
// base/err.h: names on the wire, both ways, and what is said for numbers that do not exist.
#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "base/must.h"

#include <string.h>

// The names are part of the protocol (PROTOCOL.md, section 8), the numbers part of the vault's
// messages.
static void names(void **state)
{
    static const char *const names[] = {
        "ok",      "malformed",   "unsupported",  "phase",     "denied",  "not_found",
        "exists",  "mismatch",    "corrupt",      "full",      "busy",    "too_large",
        "timeout", "unreachable", "closed",       "untrusted", "expired", "kms",
        "device",  "io",          "unauthorized", "internal",
    };

    (void)state;
    assert_int_equal(ARRAY_LEN(names), ERR_CODES);
    for (unsigned i = 0; i < ERR_CODES; i++) {
        assert_string_equal(err_name((enum err_code)i), names[i]);
        assert_int_equal(err_code_of(names[i]), i);
        for (unsigned j = 0; j < i; j++)
            assert_string_not_equal(names[i], names[j]);
    }
}

static void unknown_numbers(void **state)
{
    static const unsigned cases[] = { ERR_CODES, ERR_CODES + 1U, 0xffff, 0x7fffffff, 0xffffffff };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct err err = { .code = (enum err_code)cases[i] };

        assert_string_equal(err_name(err.code), "internal");
        assert_string_equal(err_text(err), "a defect in this program");
    }
}

static void unknown_names(void **state)
{
    static const char *const cases[] = { "",         "Ok",         "ok ", " ok",
                                         "malforme", "malformedx", "22",  "INTERNAL" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        assert_int_equal(err_code_of(cases[i]), ERR_INTERNAL);
}

static FALLIBLE inner(bool good)
{
    ENSURE(good, ERR_FULL, "field: expected room");
    return OK;
}

static FALLIBLE outer(bool good, bool *passed)
{
    TRY(inner(good));
    *passed = true;
    return OK;
}

static void idiom(void **state)
{
    bool passed = false;
    struct err err = outer(false, &passed);

    (void)state;
    assert_int_equal(err.code, ERR_FULL);
    assert_false(passed);
    assert_string_equal(err_text(err), "field: expected room");
    assert_non_null(strstr(err.file, "err.c"));
    assert_true(err.line > 0);
    err = outer(true, &passed);
    assert_true(err.code == ERR_NONE && passed);
    assert_string_equal(err_text(err), "ok");
    assert_string_equal(err_text((struct err) { .code = ERR_BUSY }), "too much at once; try again");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test(unknown_numbers),
        cmocka_unit_test(unknown_names),
        cmocka_unit_test(idiom),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
