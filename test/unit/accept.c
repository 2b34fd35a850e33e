// SPDX-License-Identifier: Apache-2.0
// net/accept.h: weights of media types, and values that mean nothing.
#include "net/accept.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const struct {
    const char *value; // NULL: no such field
    unsigned json, text;
    bool is_json;
} cases[] = {
    { NULL, 1000, 1000, true },
    { "*/*", 1000, 1000, true },
    { "application/json", 1000, 0, true },
    { "Application/JSON", 1000, 0, true },
    { "application/json; charset=utf-8", 1000, 0, true },
    { "application/*", 1000, 0, true },
    { "text/plain", 0, 1000, false },
    { "text/*", 0, 1000, false },
    { "text/html", 0, 0, false },
    { "text/plain, application/json", 1000, 1000, true },
    { "text/plain;q=0.5, application/json", 1000, 500, true },
    { "text/plain, application/json;q=0.5", 500, 1000, false },
    { "text/plain,application/json;q=0.999", 999, 1000, false },
    { "*/*;q=0.1, application/json", 1000, 100, true },
    { "application/json;q=0, */*", 0, 1000, false },
    { "application/*;q=0.2, application/json;q=0.7, */*;q=0.9", 700, 900, false },
    { "application/json;q=1.0", 1000, 0, true },
    { "application/json;q=1.5", 1000, 0, true }, // no more than 1
    { "application/json ; x=y ; q=0.25", 250, 0, true },
    { "application/json;Q=0.3", 300, 0, true },
    { "application/json;q=", 0, 0, false },
    { "application/json;q=abc", 0, 0, false },
    { "application/json;q=0.00001", 0, 0, false },
    { "application/json;q=-1", 0, 0, false },
    { "", 0, 0, false },
    { ",,;,/,*/,/*", 0, 0, false },
    { "*", 0, 0, false },
    { "*/json", 0, 0, false },
    { "application", 0, 0, false },
    { "application/jsonx, xapplication/json", 0, 0, false },
    { "application/json/x", 0, 0, false },
};

static void test_weights(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const char *value = cases[i].value;
        struct bytes bytes = value ? bytes_of(value, bytes_str(value).n) : BYTES_NONE;

        if (accept_weight(bytes, "application/json") != cases[i].json ||
            accept_weight(bytes, "text/plain") != cases[i].text ||
            accept_json(bytes) != cases[i].is_json)
            fail_msg("%s", value ? value : "none");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_weights) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
