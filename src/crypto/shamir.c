// SPDX-License-Identifier: Apache-2.0
// Which shares there are is public, their bytes are not: no branch and no index depends on one.
// That rules out the usual tables of logarithms; products are computed bit by bit.
#include "crypto/shamir.h"

#include "base/must.h"

// The product in GF(256): x^8 + x^4 + x^3 + x + 1 = 0.
static uint8_t multiply(uint8_t a, uint8_t b)
{
    unsigned product = 0;
    unsigned shifted = a;

    for (unsigned i = 0; i < 8; i++) {
        product ^= shifted & (0U - ((unsigned)b >> i & 1U));
        shifted = shifted << 1 ^ (0x11bU & (0U - (shifted >> 7)));
    }
    return (uint8_t)product;
}

// a to a power, for a that is public.
static uint8_t power_of(uint8_t a, unsigned power)
{
    uint8_t product = 1;

    while (power-- > 0)
        product = multiply(product, a);
    return product;
}

// Adds factor * term, byte by byte. Addition is exclusive or.
static void add_multiple(struct seckey *sum, uint8_t factor, const struct seckey *term)
{
    for (size_t i = 0; i < sizeof(sum->b); i++)
        sum->b[i] ^= multiply(term->b[i], factor);
}

struct err shamir_split(struct seckey share[], unsigned k, unsigned n, const struct seckey *secret,
                        const struct seckey coefficient[])
{
    ENSURE(k >= 1 && k <= n && n <= SHAMIR_SHARES_MAX, ERR_MALFORMED,
           "shares: expected 1 <= k <= n <= 5");
    for (unsigned at = 0; at < n; at++) {
        seckey_wipe(&share[at]);
        add_multiple(&share[at], 1, secret);
    }
    for (unsigned power = 1; power < k; power++)
        for (unsigned at = 0; at < n; at++)
            add_multiple(&share[at], power_of((uint8_t)(at + 1), power), &coefficient[power - 1]);
    return OK;
}

// Lagrange's factor of share i at 0: the product of x[j] / (x[j] - x[i]), with 1/a = a^254.
static uint8_t factor_of(unsigned i, const uint8_t *x, unsigned k)
{
    uint8_t factor = 1;

    for (unsigned j = 0; j < k; j++)
        if (j != i)
            factor = multiply(factor, multiply(x[j], power_of(x[j] ^ x[i], 254)));
    return factor;
}

static bool are_different(const uint8_t *x, unsigned k)
{
    for (unsigned i = 0; i < k; i++)
        for (unsigned j = 0; j < i; j++)
            if (x[i] == x[j])
                return false;
    return true;
}

struct err shamir_join(struct seckey *secret, const struct seckey share[], const uint8_t *x,
                       unsigned k)
{
    ENSURE(k >= 1 && k <= SHAMIR_SHARES_MAX, ERR_MALFORMED, "shares: expected 1 to 5");
    for (unsigned i = 0; i < k; i++)
        ENSURE(x[i] != 0, ERR_MALFORMED, "shares: expected numbers from 1 to 255");
    ENSURE(are_different(x, k), ERR_MALFORMED, "shares: expected different ones");
    seckey_wipe(secret);
    for (unsigned i = 0; i < k; i++)
        add_multiple(secret, factor_of(i, x, k), &share[i]);
    return OK;
}
