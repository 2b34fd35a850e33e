// SPDX-License-Identifier: Apache-2.0
#include "base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

size_t base64_len(size_t n)
{
    return (n + 2) / 3 * 4;
}

void base64_write(struct wr *wr, struct bytes b)
{
    for (size_t i = 0; i < b.n; i += 3) {
        size_t have = b.n - i < 3 ? b.n - i : 3;
        uint32_t group = (uint32_t)b.p[i] << 16;

        if (have > 1)
            group |= (uint32_t)b.p[i + 1] << 8;
        if (have > 2)
            group |= b.p[i + 2];
        wr_u8(wr, (uint8_t)alphabet[group >> 18 & 63]);
        wr_u8(wr, (uint8_t)alphabet[group >> 12 & 63]);
        wr_u8(wr, have > 1 ? (uint8_t)alphabet[group >> 6 & 63] : '=');
        wr_u8(wr, have > 2 ? (uint8_t)alphabet[group & 63] : '=');
    }
}

static int base64_digit(uint8_t c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    if (c == '+')
        return 62;
    return c == '/' ? 63 : -1;
}

// One group of four characters, `real` of them digits, into real - 1 bytes.
static struct err base64_group(uint8_t *out, const uint8_t *text, size_t real)
{
    uint32_t group = 0;

    for (size_t i = 0; i < 4; i++) {
        int digit = i < real ? base64_digit(text[i]) : 0;

        ENSURE(digit >= 0, ERR_MALFORMED, "base64: expected A-Z a-z 0-9 + / and padding");
        group = group << 6 | (uint32_t)digit;
    }
    ENSURE((real == 4) || (group & (real == 3 ? 0xffU : 0xffffU)) == 0, ERR_MALFORMED,
           "base64: bits after the end");
    for (size_t i = 0; i + 1 < real; i++)
        out[i] = (uint8_t)(group >> (16 - 8 * i));
    return OK;
}

struct err base64_decode(uint8_t *out, size_t cap, size_t *n, struct bytes text)
{
    size_t padding = 0;

    ENSURE(text.n % 4 == 0, ERR_MALFORMED, "base64: length is not a multiple of four");
    while (padding < 2 && text.n > padding && text.p[text.n - 1 - padding] == '=')
        padding++;
    *n = text.n / 4 * 3 - padding;
    ENSURE(*n <= cap, ERR_TOO_LARGE, "base64: longer than the field allows");
    for (size_t i = 0; i < text.n; i += 4) {
        size_t real = i + 4 == text.n ? 4 - padding : 4;

        TRY(base64_group(out + i / 4 * 3, text.p + i, real));
    }
    return OK;
}
