// SPDX-License-Identifier: Apache-2.0
// vault/memory.h: what finished calls left on the worker's stack is gone, however it got there.
#include "vault/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "expect.h"

#include <pthread.h>
#include <string.h>

static struct memory memory;
static const char secret[] = "a secret of thirty-two bytes ...";
static size_t gap;  // untouched, between the worker's frame and the secret
static size_t left; // copies of the secret after the wipe
static size_t seen; // and before it

__attribute__((noinline, no_sanitize("address"))) static void leave(void)
{
    volatile char several[16 * 32]; // the next call may overwrite the first

    for (size_t i = 0; i < sizeof(several); i++)
        several[i] = secret[i % 32];
}

// Writes the secret `gap` bytes further down, in 4 KiB frames that touch nothing but their edge.
__attribute__((noinline, no_sanitize("address"))) static void descend(size_t bytes)
{
    volatile char untouched[4096];

    untouched[0] = 0;
    if (bytes >= sizeof(untouched))
        descend(bytes - sizeof(untouched));
    else
        leave();
    untouched[1] = 0;
}

static size_t copies(void)
{
    size_t count = 0;

    for (size_t at = 0; at + 32 <= memory.worker_stack.n; at++)
        count += memcmp(memory.worker_stack.base + at, secret, 32) == 0;
    return count;
}

static void *work(void *context)
{
    (void)context;
    memory_wipe_stack(&memory.worker_stack);
    if (gap == 0)
        leave();
    else
        descend(gap);
    seen = copies();
    memory_wipe_stack(&memory.worker_stack);
    left = copies();
    return NULL;
}

static void wipes_all_of_it(void **state)
{
    static const size_t gaps[] = { 0, 1, 4096, 40 << 10, 100 << 10, 200 << 10 };

    (void)state;
    expect_ok("memory", memory_init(&memory));
    for (size_t i = 0; i < ARRAY_LEN(gaps); i++) {
        pthread_t thread;

        gap = gaps[i];
        expect_ok("thread", memory_start_thread(&memory.worker_stack, work, NULL, &thread));
        must(pthread_join(thread, NULL) == 0);
        assert_in_range(seen, 1, 64); // the search finds what is there
        assert_int_equal(left, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wipes_all_of_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
