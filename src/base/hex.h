// SPDX-License-Identifier: Apache-2.0
// Hexadecimal text of public bytes (branches on its input: never for secrets).
#pragma once

#include "base/wr.h"

// Lower-case digits of `b` into `out`, which holds 2 * b.n + 1 bytes; closed with NUL.
void hex_encode(char *out, struct bytes b);
// Writes "0x" and the digits.
void hex_write_0x(struct wr *wr, struct bytes b);
// Reads exactly 2 * n digits, either case, without prefix. ERR_MALFORMED otherwise.
FALLIBLE hex_decode(uint8_t *out, size_t n, struct bytes text);
// Reads "0x" and an even number of digits (at most 2 * cap); *n is the number of bytes.
FALLIBLE hex_decode_0x(uint8_t *out, size_t cap, size_t *n, struct bytes text);
// The value of one digit, or -1.
int hex_digit(uint8_t c);
