// SPDX-License-Identifier: Apache-2.0
// cli/args.h: options in any order, and nothing guessed.
#include "cli/args.h"

#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

#include "expect.h"

static const struct args_option options[] = {
    { "to", NULL, ARGS_VALUE, "A", "" },        { "pcr0", NULL, ARGS_REPEATED, "H", "" },
    { "wait", NULL, ARGS_OPTIONAL, "[S]", "" }, { "output", "o", ARGS_VALUE, "F", "" },
    { NULL, NULL, ARGS_FLAG, NULL, NULL },
};
static const struct args_option common[] = {
    { "json", NULL, ARGS_FLAG, NULL, "" },
    { NULL, NULL, ARGS_FLAG, NULL, NULL },
};
static struct args args;
static const char *bad;

// Splits a line at its blanks and reads it.
static struct err read_line(const char *line)
{
    static char copy[256];
    static char *argv[32];
    const struct args_option *const tables[2] = { options, common };
    size_t n = 0;
    char *rest = copy;

    (void)snprintf(copy, sizeof(copy), "%s", line);
    for (char *word = strsep(&rest, " "); word; word = strsep(&rest, " "))
        argv[n++] = word;
    argv[copy[0] ? n : 0] = NULL;
    return args_read(&args, argv, tables, &bad);
}

static void taken(void **state)
{
    size_t at = 0;

    (void)state;
    expect_ok("all", read_line("--to 0xa --json WORD --pcr0 1 --pcr0=2 -o F --wait 20"));
    assert_null(bad);
    assert_string_equal(args.word, "WORD");
    assert_string_equal(args_get(&args, "to"), "0xa");
    assert_string_equal(args_get(&args, "output"), "F");
    assert_string_equal(args_get(&args, "wait"), "20");
    assert_true(args_has(&args, "json"));
    assert_string_equal(args_next(&args, "pcr0", &at), "1");
    assert_string_equal(args_next(&args, "pcr0", &at), "2");
    assert_null(args_next(&args, "pcr0", &at));
    expect_ok("nothing", read_line(""));
    assert_null(args.word);
    assert_false(args_has(&args, "to"));
}

static void optional_values(void **state)
{
    (void)state;
    expect_ok("at the end", read_line("--wait"));
    assert_string_equal(args_get(&args, "wait"), "");
    expect_ok("before an option", read_line("--wait --json"));
    assert_string_equal(args_get(&args, "wait"), "");
    expect_ok("before an id", read_line("--wait 00112233445566778899aabbccddeeff"));
    assert_string_equal(args_get(&args, "wait"), "");
    assert_string_equal(args.word, "00112233445566778899aabbccddeeff");
}

static void words(void **state)
{
    (void)state;
    expect_ok("standard input", read_line("-"));
    assert_string_equal(args.word, "-");
    expect_ok("after --", read_line("-- --json"));
    assert_string_equal(args.word, "--json");
    assert_false(args_has(&args, "json"));
}

static void refused(void **state)
{
    static const struct {
        const char *line, *bad, *what;
    } cases[] = {
        { "--nope", "--nope", "unknown" },
        { "--t 1", "--t", "unknown" },
        { "--to1", "--to1", "unknown" },
        { "-x", "-x", "unknown" },
        { "-to 1", "-to", "unknown" },
        { "--o F", "--o", "unknown" },
        { "--to", "--to", "needs a value" },
        { "-o", "-o", "needs a value" },
        { "--json --pcr0", "--pcr0", "needs a value" },
        { "--json=1", "--json=1", "takes no value" },
        { "--to 1 --to 2", "--to", "twice" },
        { "--json --json", "--json", "twice" },
        { "a b", "b", "too many" },
        { "--=x", "--=x", "unknown" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        expect_err(cases[i].line, read_line(cases[i].line), ERR_MALFORMED, cases[i].what);
        if (strcmp(bad, cases[i].bad) != 0)
            fail_msg("%s: %s", cases[i].line, bad);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taken),
        cmocka_unit_test(optional_values),
        cmocka_unit_test(words),
        cmocka_unit_test(refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
