// SPDX-License-Identifier: Apache-2.0
// base/pool.h and base/arena.h: blocks are wiped, reused, aligned and limited.
#include "base/pool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/ct.h"
#include "expect.h"

#include <string.h>

static _Alignas(64) uint8_t region[1 << 19];

static void wiped_and_reused(void **state)
{
    struct pool pool;
    uint8_t *first;
    uint8_t *again;

    (void)state;
    pool_init(&pool, region, sizeof(region));
    first = pool_get(&pool, 100);
    assert_non_null(first);
    assert_int_equal((uintptr_t)first % 16, 0);
    assert_true(ct_is_zero(bytes_of(first, 128)));
    memset(first, 0xaa, 100);
    pool_put(&pool, first);
    assert_true(ct_is_zero(bytes_of(first + 8, 92))); // the first eight hold the free list
    assert_int_equal(pool.live_bytes, 0);
    again = pool_get(&pool, 128);
    assert_ptr_equal(again, first);
    assert_true(ct_is_zero(bytes_of(again, 128)));
    pool_put(&pool, NULL);
}

static void resized(void **state)
{
    struct pool pool;
    uint8_t *p;
    uint8_t *moved;

    (void)state;
    memset(region, 0, sizeof(region));
    pool_init(&pool, region, sizeof(region));
    p = pool_resize(&pool, NULL, 32);
    memset(p, 0xbb, 32);
    moved = pool_resize(&pool, p, 33);
    assert_ptr_not_equal(moved, p);
    assert_true(ct_is_zero(bytes_of(p + 8, 24)));
    assert_int_equal(moved[31], 0xbb);
    assert_int_equal(moved[32], 0);
    assert_ptr_equal(pool_resize(&pool, moved, 8), moved);
    assert_true(ct_is_zero(bytes_of(moved + 8, 56)));
}

static void limits(void **state)
{
    struct pool pool;
    unsigned blocks = 0;
    void *last = NULL;
    void *p;

    (void)state;
    memset(region, 0, sizeof(region));
    pool_init(&pool, region, sizeof(region));
    assert_null(pool_get(&pool, (1 << 17) + 1));
    assert_null(pool_get(&pool, SIZE_MAX));
    assert_non_null(pool_get(&pool, 0));
    while ((p = pool_get(&pool, 1 << 17)) != NULL) {
        last = p;
        blocks++;
    }
    assert_int_equal(blocks, 3);
    assert_null(pool_resize(&pool, last, (1 << 17) + 1));
    pool_put(&pool, last);
    assert_ptr_equal(pool_get(&pool, 1 << 17), last);
}

static void arena(void **state)
{
    struct arena memory;
    uint8_t *a;
    uint8_t *b;

    (void)state;
    expect_ok("init", arena_init(&memory, 65536));
    a = arena_take(&memory, 3, 1);
    b = arena_take(&memory, 100, 64);
    assert_true(b >= a + 3 && (uintptr_t)b % 64 == 0);
    assert_true(ct_is_zero(bytes_of(b, 100)));
    assert_true(arena_holds(&memory, a) && arena_holds(&memory, b + 99));
    assert_false(arena_holds(&memory, region));
    assert_true((uintptr_t)arena_take_guarded(&memory, 4096) % 4096 == 0);
    arena_done(&memory);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wiped_and_reused),
        cmocka_unit_test(resized),
        cmocka_unit_test(limits),
        cmocka_unit_test(arena),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
