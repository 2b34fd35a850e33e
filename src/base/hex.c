// SPDX-License-Identifier: Apache-2.0
#include "base/hex.h"

static const char digits[] = "0123456789abcdef";

void hex_encode(char *out, struct bytes b)
{
    for (size_t i = 0; i < b.n; i++) {
        out[2 * i] = digits[b.p[i] >> 4];
        out[2 * i + 1] = digits[b.p[i] & 15];
    }
    out[2 * b.n] = 0;
}

void hex_write_0x(struct wr *wr, struct bytes b)
{
    wr_str(wr, "0x");
    for (size_t i = 0; i < b.n; i++) {
        wr_u8(wr, (uint8_t)digits[b.p[i] >> 4]);
        wr_u8(wr, (uint8_t)digits[b.p[i] & 15]);
    }
}

int hex_digit(uint8_t c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

struct err hex_decode(uint8_t *out, size_t n, struct bytes text)
{
    ENSURE(text.n % 2 == 0 && text.n / 2 == n, ERR_MALFORMED, "hex: wrong number of digits");
    for (size_t i = 0; i < n; i++) {
        int high = hex_digit(text.p[2 * i]);
        int low = hex_digit(text.p[2 * i + 1]);

        ENSURE(high >= 0 && low >= 0, ERR_MALFORMED, "hex: expected digits 0-9 and a-f");
        out[i] = (uint8_t)(high << 4 | low);
    }
    return OK;
}

struct err hex_decode_0x(uint8_t *out, size_t cap, size_t *n, struct bytes text)
{
    ENSURE(text.n >= 2 && text.p[0] == '0' && text.p[1] == 'x', ERR_MALFORMED,
           "hex: expected 0x and an even number of digits");
    text = bytes_skip(text, 2);
    ENSURE(text.n % 2 == 0, ERR_MALFORMED, "hex: expected 0x and an even number of digits");
    ENSURE(text.n / 2 <= cap, ERR_TOO_LARGE, "hex: longer than the field allows");
    *n = text.n / 2;
    return hex_decode(out, *n, text);
}
