// SPDX-License-Identifier: Apache-2.0
// net/crowd.h: who has to go, by kinds and times.
#include "net/crowd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define N CROWD_NEWCOMER
#define K CROWD_KNOWN
#define T CROWD_TRUSTED
#define W CROWD_WORKING

static const struct {
    const char *name;
    size_t count;
    struct {
        enum crowd_kind kind;
        int64_t since_ms;
    } conn[6];
    int victim; // index; -1: nobody
} cases[] = {
    { "nobody is there", 0, { { 0 } }, -1 },
    { "all work", 2, { { W, 1 }, { W, 2 } }, -1 },
    { "the only newcomer, when others work", 3, { { W, 1 }, { N, 5 }, { W, 2 } }, 1 },
    { "the oldest of those that are known", 3, { { K, 7 }, { K, 3 }, { K, 5 } }, 1 },
    { "a known one before newcomers that are few", 3, { { N, 1 }, { K, 9 }, { K, 8 } }, 2 },
    { "newcomers at half: still the known one", 4, { { N, 1 }, { N, 2 }, { K, 8 }, { K, 9 } }, 2 },
    { "newcomers in flood: the oldest",
      5,
      { { K, 1 }, { N, 4 }, { N, 3 }, { N, 5 }, { K, 2 } },
      2 },
    { "no one works, no one is known", 2, { { N, 2 }, { N, 1 } }, 1 },
    { "working ones count as places", 4, { { N, 2 }, { W, 1 }, { W, 1 }, { K, 3 } }, 3 },
    { "a newcomer before one that is trusted", 3, { { T, 1 }, { T, 2 }, { N, 9 } }, 2 },
    { "a known one before one that is trusted", 3, { { T, 1 }, { K, 9 }, { T, 2 } }, 1 },
    { "nobody but trusted ones", 3, { { T, 3 }, { T, 2 }, { W, 1 } }, 1 },
    { "of the same age the last", 2, { { K, 4 }, { K, 4 } }, 1 },
};

static void test_victim(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct crowd crowd = { 0 };
        int conn[6];

        for (size_t k = 0; k < cases[i].count; k++)
            crowd_look(&crowd, &conn[k], cases[i].conn[k].kind, cases[i].conn[k].since_ms);
        if (crowd_victim(&crowd) != (cases[i].victim < 0 ? NULL : &conn[cases[i].victim]))
            fail_msg("%s", cases[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_victim) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
