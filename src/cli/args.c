// SPDX-License-Identifier: Apache-2.0
// Options come in any order, before or after the positional word: `--name VALUE`, `--name=VALUE`,
// `-o VALUE`. After `--` everything is a word. A single `-` is a word, too: standard input.
#include "cli/args.h"

#include <string.h>

static const struct args_option *find(const struct args_option *const tables[2], const char *text,
                                      size_t n, bool by_letter)
{
    for (size_t t = 0; t < 2; t++)
        for (const struct args_option *o = tables[t]; o->name; o++) {
            const char *name = by_letter ? o->letter : o->name;

            if (name && strlen(name) == n && strncmp(name, text, n) == 0)
                return o;
        }
    return NULL;
}

static FALLIBLE add_word(struct args *out, const char *word)
{
    ENSURE(!out->word, ERR_MALFORMED, "one word too many");
    out->word = word;
    return OK;
}

static FALLIBLE add_option(struct args *out, const struct args_option *option, const char *value)
{
    ENSURE(option->kind == ARGS_REPEATED || !args_has(out, option->name), ERR_MALFORMED,
           "this option was given twice");
    ENSURE(out->len < ARGS_MAX, ERR_MALFORMED, "too many options");
    out->option[out->len] = option;
    out->value[out->len++] = value;
    return OK;
}

// Whether the argument after an option is its value.
static bool takes_next(const struct args_option *option, const char *next)
{
    if (option->kind == ARGS_FLAG || !next)
        return false;
    return option->kind != ARGS_OPTIONAL || (next[0] >= '0' && next[0] <= '9' && strlen(next) < 8);
}

static FALLIBLE read_option(struct args *out, char *const **argv,
                            const struct args_option *const tables[2])
{
    const char *text = **argv;
    bool by_letter = text[1] != '-';
    const char *name = text + (by_letter ? 1 : 2);
    const char *equals = by_letter ? NULL : strchr(name, '=');
    size_t n = equals ? (size_t)(equals - name) : strlen(name);
    const struct args_option *option = find(tables, name, n, by_letter);

    ENSURE(option, ERR_MALFORMED, "unknown option");
    ENSURE(!equals || option->kind != ARGS_FLAG, ERR_MALFORMED, "this option takes no value");
    if (equals)
        return add_option(out, option, equals + 1);
    if (takes_next(option, (*argv)[1])) {
        (*argv)++;
        return add_option(out, option, **argv);
    }
    ENSURE(option->kind == ARGS_FLAG || option->kind == ARGS_OPTIONAL, ERR_MALFORMED,
           "this option needs a value");
    return add_option(out, option, "");
}

struct err args_read(struct args *out, char *const *argv, const struct args_option *const tables[2],
                     const char **bad)
{
    bool only_words = false;

    *out = (struct args) { .len = 0 };
    for (; *argv; argv++) {
        *bad = *argv;
        if (!only_words && strcmp(*argv, "--") == 0)
            only_words = true;
        else if (only_words || (*argv)[0] != '-' || (*argv)[1] == 0)
            TRY(add_word(out, *argv));
        else
            TRY(read_option(out, &argv, tables));
    }
    *bad = NULL;
    return OK;
}

bool args_has(const struct args *args, const char *name)
{
    return args_get(args, name) != NULL;
}

const char *args_get(const struct args *args, const char *name)
{
    size_t at = 0;

    return args_next(args, name, &at);
}

const char *args_next(const struct args *args, const char *name, size_t *at)
{
    for (; *at < args->len; (*at)++)
        if (strcmp(args->option[*at]->name, name) == 0)
            return args->value[(*at)++];
    return NULL;
}
