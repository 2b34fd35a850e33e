// SPDX-License-Identifier: Apache-2.0
// crypto/shamir.h against a second implementation of GF(256), with tables of logarithms to the base
// 3, and of Lagrange's interpolation at any place.
#include "crypto/shamir.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "crypto/openssl/libcrypto.h"
#include "expect.h"

#include <string.h>

static uint8_t exponential[255], logarithm[256];

static int make_tables(void **state)
{
    unsigned value = 1;

    (void)state;
    for (unsigned i = 0; i < 255; i++) {
        exponential[i] = (uint8_t)value;
        logarithm[value] = (uint8_t)i;
        value ^= value << 1; // times 3
        if (value > 255)
            value ^= 0x11b;
    }
    return value == 1 ? 0 : -1;
}

static uint8_t times(uint8_t a, uint8_t b)
{
    return a && b ? exponential[(logarithm[a] + logarithm[b]) % 255] : 0;
}

static uint8_t over(uint8_t a, uint8_t b)
{
    return a ? exponential[(logarithm[a] + 255 - logarithm[b]) % 255] : 0;
}

// The value at `at` of the polynomial through k points.
static uint8_t interpolate(uint8_t at, const uint8_t *x, const uint8_t *y, unsigned k)
{
    uint8_t sum = 0;

    for (unsigned i = 0; i < k; i++) {
        uint8_t term = y[i];

        for (unsigned j = 0; j < k; j++)
            if (j != i)
                term = over(times(term, at ^ x[j]), x[i] ^ x[j]);
        sum ^= term;
    }
    return sum;
}

// Random coefficients.
static struct err split(struct seckey share[], unsigned k, unsigned n, const struct seckey *secret)
{
    struct seckey coefficient[SHAMIR_SHARES_MAX - 1];

    libcrypto_random((uint8_t *)coefficient, sizeof(coefficient));
    return shamir_split(share, k, n, secret, coefficient);
}

// The polynomials themselves, evaluated with the tables.
static void split_values(void **state)
{
    struct seckey secret, share[SHAMIR_SHARES_MAX], coefficient[SHAMIR_SHARES_MAX - 1];

    (void)state;
    for (unsigned i = 0; i < sizeof(coefficient); i++) // 1, 2, 3 and so on
        coefficient[i / 32].b[i % 32] = (uint8_t)(i + 1);
    for (unsigned k = 1; k <= SHAMIR_SHARES_MAX; k++) {
        libcrypto_random(secret.b, sizeof(secret.b));
        expect_ok("split", shamir_split(share, k, SHAMIR_SHARES_MAX, &secret, coefficient));
        for (unsigned at = 0; at < SHAMIR_SHARES_MAX * 32; at++) {
            uint8_t x = (uint8_t)(at / 32 + 1), power = x, value = secret.b[at % 32];

            for (unsigned i = 1; i < k; i++, power = times(power, x))
                value ^= times(power, (uint8_t)(32 * (i - 1) + at % 32 + 1));
            assert_int_equal(share[at / 32].b[at % 32], value);
        }
    }
}

// k shares in the order of the digits of `order`.
static void join_these(const struct seckey *share, unsigned k, const uint8_t *which,
                       const struct seckey *secret)
{
    struct seckey chosen[SHAMIR_SHARES_MAX], joined;
    uint8_t x[SHAMIR_SHARES_MAX], y[SHAMIR_SHARES_MAX];

    for (unsigned i = 0; i < k; i++) {
        x[i] = (uint8_t)(which[i] + 1);
        memcpy(&chosen[i], &share[which[i]], sizeof(chosen[i]));
    }
    expect_ok("join", shamir_join(&joined, chosen, x, k));
    assert_memory_equal(joined.b, secret->b, 32);
    for (unsigned byte = 0; byte < 32; byte++) {
        for (unsigned i = 0; i < k; i++)
            y[i] = chosen[i].b[byte];
        assert_int_equal(interpolate(0, x, y, k), secret->b[byte]);
    }
}

// Every subset of k of n, forwards and backwards.
static void every_subset(void **state)
{
    struct seckey secret, share[SHAMIR_SHARES_MAX];
    unsigned subsets = 0;

    (void)state;
    for (unsigned code = 0; code < 25 * 32; code++) {
        unsigned n = code / 160 + 1, k = code / 32 % 5 + 1, set = code % 32;
        uint8_t up[SHAMIR_SHARES_MAX] = { 0 }, down[SHAMIR_SHARES_MAX];
        unsigned chosen = 0;

        if (k > n || set >> n != 0 || (unsigned)__builtin_popcount(set) != k)
            continue;
        for (uint8_t i = 0; i < n; i++)
            if (set >> i & 1)
                up[chosen++] = i;
        for (unsigned i = 0; i < k; i++)
            down[i] = up[k - 1 - i];
        libcrypto_random(secret.b, sizeof(secret.b));
        expect_ok("split", split(share, k, n, &secret));
        join_these(share, k, up, &secret);
        join_these(share, k, down, &secret);
        subsets++;
    }
    assert_int_equal(subsets, 1 + 3 + 7 + 15 + 31); // every set that is not empty, for each n
}

static void one_of_n_is_the_secret(void **state)
{
    struct seckey secret, share[SHAMIR_SHARES_MAX];

    (void)state;
    libcrypto_random(secret.b, sizeof(secret.b));
    expect_ok("split", split(share, 1, 5, &secret));
    for (unsigned i = 0; i < 5; i++)
        assert_memory_equal(share[i].b, secret.b, 32);
}

// Numbers that no split gives, up to 255.
static void join_anywhere(void **state)
{
    static const uint8_t x[3] = { 255, 7, 128 };
    struct seckey y[3], joined;
    uint8_t values[3];

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        libcrypto_random(y[i].b, sizeof(y[i].b));
    expect_ok("join", shamir_join(&joined, y, x, 3));
    for (unsigned byte = 0; byte < 32; byte++) {
        for (unsigned i = 0; i < 3; i++)
            values[i] = y[i].b[byte];
        assert_int_equal(joined.b[byte], interpolate(0, x, values, 3));
    }
}

// For any k - 1 shares there is, for every secret, exactly one polynomial: so the first of 2 shares
// of one secret takes each value about equally often.
static void fewer_say_nothing(void **state)
{
    static unsigned seen[256];
    struct seckey secret = { { 0x5a } }, share[2];
    unsigned least = 1U << 16, most = 0;

    (void)state;
    for (unsigned i = 0; i < 256 * 16; i++) { // 512 draws for each value, 32 in a split
        expect_ok("split", split(share, 2, 2, &secret));
        for (unsigned byte = 0; byte < 32; byte++)
            seen[share[0].b[byte]]++;
    }
    for (unsigned i = 0; i < 256; i++) {
        least = seen[i] < least ? seen[i] : least;
        most = seen[i] > most ? seen[i] : most;
    }
    // Eight standard deviations of 22.6 on either side: chance fails once in 10^12 runs.
    assert_true(least > 331 && most < 693);
}

// The same shares, interpreted as too few, give something else.
static void too_few(void **state)
{
    static const uint8_t x[] = { 1, 2, 3, 4, 5 };
    struct seckey secret, share[SHAMIR_SHARES_MAX], joined;

    (void)state;
    for (unsigned k = 2; k <= SHAMIR_SHARES_MAX; k++) {
        libcrypto_random(secret.b, sizeof(secret.b));
        expect_ok("split", split(share, k, 5, &secret));
        expect_ok("join", shamir_join(&joined, share, x, k - 1));
        assert_false(seckey_equal(&joined, &secret));
        expect_ok("join more", shamir_join(&joined, share, x, 5)); // the same polynomial
        assert_true(seckey_equal(&joined, &secret));
        share[0].b[9] ^= 1;
        expect_ok("join a wrong one", shamir_join(&joined, share, x, k));
        assert_false(seckey_equal(&joined, &secret));
    }
}

static void split_refused(void **state)
{
    static const struct {
        const char *name;
        unsigned k, n;
    } cases[] = {
        { "none", 0, 0 },         { "k = 0", 0, 3 }, { "k > n", 4, 3 },
        { "k = 1, n = 0", 1, 0 }, { "n = 6", 3, 6 }, { "both huge", ~0U, ~0U },
    };
    struct seckey secret = { { 1 } }, share[SHAMIR_SHARES_MAX] = { { { 7 } } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_err(cases[i].name, split(share, cases[i].k, cases[i].n, &secret), ERR_MALFORMED,
                   "k <= n");
    assert_int_equal(share[0].b[0], 7); // nothing was written
}

static void join_refused(void **state)
{
    static const struct {
        const char *name;
        unsigned k;
        uint8_t x[6];
        const char *what;
    } cases[] = {
        { "none", 0, { 1 }, "1 to 5" },
        { "six", 6, { 1, 2, 3, 4, 5, 6 }, "1 to 5" },
        { "huge", ~0U, { 1, 2, 3, 4, 5, 6 }, "1 to 5" },
        { "zero", 1, { 0 }, "from 1 to 255" },
        { "zero at the end", 3, { 1, 2, 0 }, "from 1 to 255" },
        { "twice", 2, { 1, 1 }, "different" },
        { "twice, apart", 5, { 9, 1, 2, 3, 9 }, "different" },
        { "twice at the end", 4, { 1, 2, 255, 255 }, "different" },
    };
    struct seckey share[6] = { { { 1 } } }, joined = { { 7 } };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_err(cases[i].name, shamir_join(&joined, share, cases[i].x, cases[i].k),
                   ERR_MALFORMED, cases[i].what);
    assert_int_equal(joined.b[0], 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split_values),           cmocka_unit_test(every_subset),
        cmocka_unit_test(one_of_n_is_the_secret), cmocka_unit_test(join_anywhere),
        cmocka_unit_test(fewer_say_nothing),      cmocka_unit_test(too_few),
        cmocka_unit_test(split_refused),          cmocka_unit_test(join_refused),
    };

    return cmocka_run_group_tests(tests, make_tables, NULL);
}
