// SPDX-License-Identifier: Apache-2.0
// Options are looked up in the subcommand's own const table; nothing is guessed or abbreviated.
#include "emu/args.h"

#include "base/bytes.h"
#include "base/u256.h"

#include <stdio.h>
#include <string.h>

static FALLIBLE args_take(const struct args_option *option, const char *given, char ***next)
{
    if (option->flag) {
        ENSURE(!given && !*option->flag, ERR_MALFORMED, "flag takes no value and stands once");
        *option->flag = true;
        return OK;
    }
    if (!given && **next)
        given = *(*next)++;
    ENSURE(given && !*option->value, ERR_MALFORMED, "option needs a value and stands once");
    *option->value = given;
    return OK;
}

static const struct args_option *args_find(const struct args_option *options, size_t count,
                                           const char *name, size_t len)
{
    for (size_t i = 0; i < count; i++) {
        if (strlen(options[i].name) == len && strncmp(options[i].name, name, len) == 0)
            return &options[i];
    }
    return NULL;
}

static FALLIBLE args_one(const struct args_option *options, size_t count, const char *arg,
                         char ***next)
{
    size_t len = strcspn(arg, "=");
    const struct args_option *option = NULL;

    if (strncmp(arg, "--", 2) == 0)
        option = args_find(options, count, arg + 2, len - 2);
    ENSURE(option, ERR_MALFORMED, "unknown option; see --help");
    return args_take(option, arg[len] ? arg + len + 1 : NULL, next);
}

struct err args_read(const struct args_option *options, size_t count, char **argv)
{
    while (*argv) {
        const char *arg = *argv++;
        struct err e = args_one(options, count, arg, &argv);

        if (e.code) {
            (void)fprintf(stderr, "cloister-emu: %s: %s\n", arg, err_text(e));
            return e;
        }
    }
    for (size_t i = 0; i < count; i++) {
        if (options[i].required && !*options[i].value) {
            (void)fprintf(stderr, "cloister-emu: --%s is missing\n", options[i].name);
            return FAIL(ERR_MALFORMED, "a required option is missing");
        }
    }
    return OK;
}

struct err args_number(int64_t *out, const char *text, int64_t least, int64_t most)
{
    struct u256 number;
    bool negative = text && *text == '-';
    uint64_t magnitude;

    if (!text)
        return OK;
    TRY(u256_parse_decimal(&number, bytes_str(text + negative)));
    TRY(u256_to_u64(&magnitude, number));
    ENSURE(magnitude <= INT32_MAX, ERR_TOO_LARGE, "number is out of range");
    *out = negative ? -(int64_t)magnitude : (int64_t)magnitude;
    ENSURE(*out >= least && *out <= most, ERR_TOO_LARGE, "number is out of range");
    return OK;
}
