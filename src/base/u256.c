// SPDX-License-Identifier: Apache-2.0
#include "base/u256.h"

#include "base/hex.h"

#include <string.h>

__extension__ typedef unsigned __int128 u128;

struct u256 u256_of(uint64_t value)
{
    return (struct u256) { .limb = { value } };
}

bool u256_is_zero(struct u256 a)
{
    return (a.limb[0] | a.limb[1] | a.limb[2] | a.limb[3]) == 0;
}

int u256_compare(struct u256 a, struct u256 b)
{
    for (size_t i = 4; i-- > 0;)
        if (a.limb[i] != b.limb[i])
            return a.limb[i] < b.limb[i] ? -1 : 1;
    return 0;
}

struct err u256_add(struct u256 *sum, struct u256 a, struct u256 b)
{
    u128 carry = 0;

    for (size_t i = 0; i < 4; i++) {
        carry += (u128)a.limb[i] + b.limb[i];
        sum->limb[i] = (uint64_t)carry;
        carry >>= 64;
    }
    ENSURE(carry == 0, ERR_TOO_LARGE, "sum exceeds 256 bits");
    return OK;
}

struct err u256_mul_u64(struct u256 *product, struct u256 a, uint64_t b)
{
    u128 carry = 0;

    for (size_t i = 0; i < 4; i++) {
        carry += (u128)a.limb[i] * b;
        product->limb[i] = (uint64_t)carry;
        carry >>= 64;
    }
    ENSURE(carry == 0, ERR_TOO_LARGE, "product exceeds 256 bits");
    return OK;
}

uint64_t u256_div_u64(struct u256 *quotient, struct u256 a, uint64_t b)
{
    u128 rest = 0;

    for (size_t i = 4; i-- > 0;) {
        rest = rest << 64 | a.limb[i];
        quotient->limb[i] = (uint64_t)(rest / b);
        rest %= b;
    }
    return (uint64_t)rest;
}

struct err u256_to_u64(uint64_t *out, struct u256 a)
{
    ENSURE((a.limb[1] | a.limb[2] | a.limb[3]) == 0, ERR_TOO_LARGE, "number exceeds 64 bits");
    *out = a.limb[0];
    return OK;
}

struct err u256_parse_decimal(struct u256 *out, struct bytes digits)
{
    struct u256 value = { 0 };

    ENSURE(digits.n > 0, ERR_MALFORMED, "number: expected decimal digits");
    ENSURE(digits.n == 1 || digits.p[0] != '0', ERR_MALFORMED, "number: leading zero");
    ENSURE(digits.n <= U256_DECIMAL_MAX, ERR_TOO_LARGE, "number exceeds 256 bits");
    for (size_t i = 0; i < digits.n; i++) {
        ENSURE(digits.p[i] >= '0' && digits.p[i] <= '9', ERR_MALFORMED,
               "number: expected decimal digits");
        TRY(u256_mul_u64(&value, value, 10));
        TRY(u256_add(&value, value, u256_of((uint64_t)(digits.p[i] - '0'))));
    }
    *out = value;
    return OK;
}

static struct err u256_parse_hex(struct u256 *out, struct bytes digits)
{
    struct u256 value = { 0 };

    ENSURE(digits.n > 0, ERR_MALFORMED, "number: expected digits after 0x");
    ENSURE(digits.n <= 64, ERR_TOO_LARGE, "number exceeds 256 bits");
    for (size_t i = 0; i < digits.n; i++) {
        int digit = hex_digit(digits.p[i]);

        ENSURE(digit >= 0, ERR_MALFORMED, "number: expected hex digits after 0x");
        for (size_t k = 3; k > 0; k--)
            value.limb[k] = value.limb[k] << 4 | value.limb[k - 1] >> 60;
        value.limb[0] = value.limb[0] << 4 | (uint64_t)digit;
    }
    *out = value;
    return OK;
}

struct err u256_parse(struct u256 *out, struct bytes text)
{
    if (text.n >= 2 && text.p[0] == '0' && text.p[1] == 'x')
        return u256_parse_hex(out, bytes_skip(text, 2));
    return u256_parse_decimal(out, text);
}

void u256_write_decimal(struct wr *wr, struct u256 a)
{
    char text[U256_DECIMAL_MAX];
    size_t at = sizeof(text);

    do {
        text[--at] = (char)('0' + u256_div_u64(&a, a, 10));
    } while (!u256_is_zero(a));
    wr_bytes(wr, bytes_of(text + at, sizeof(text) - at));
}

void u256_write_hex(struct wr *wr, struct u256 a)
{
    uint8_t be[32];
    char text[65];
    size_t at = 0;

    u256_to_be(be, a);
    hex_encode(text, BYTES_OF(be));
    while (at < 63 && text[at] == '0')
        at++;
    wr_str(wr, "0x");
    wr_str(wr, text + at);
}

void u256_to_be(uint8_t out[static 32], struct u256 a)
{
    for (size_t i = 0; i < 32; i++)
        out[i] = (uint8_t)(a.limb[3 - i / 8] >> (8 * (7 - i % 8)));
}

struct err u256_from_be(struct u256 *out, struct bytes be)
{
    struct u256 value = { 0 };

    ENSURE(be.n <= 32, ERR_TOO_LARGE, "number exceeds 256 bits");
    for (size_t i = 0; i < be.n; i++) {
        size_t place = be.n - 1 - i;

        value.limb[place / 8] |= (uint64_t)be.p[i] << (8 * (place % 8));
    }
    *out = value;
    return OK;
}

size_t u256_len(struct u256 a)
{
    uint8_t be[32];
    size_t zeros = 0;

    u256_to_be(be, a);
    while (zeros < 32 && be[zeros] == 0)
        zeros++;
    return 32 - zeros;
}
