// SPDX-License-Identifier: Apache-2.0
// Unsigned 256-bit integers for amounts and chain values: decimal and hexadecimal text, minimal
// big-endian bytes, comparison, checked addition and multiplication. No floats, no wrapping.
#pragma once

#include "base/wr.h"

struct u256 {
    uint64_t limb[4]; // limb[0] is the least significant
};

#define U256_DECIMAL_MAX 78 // digits of 2^256 - 1

struct u256 u256_of(uint64_t value);
bool u256_is_zero(struct u256 a);
// Negative, zero or positive, as memcmp.
int u256_compare(struct u256 a, struct u256 b);
// ERR_TOO_LARGE on overflow.
FALLIBLE u256_add(struct u256 *sum, struct u256 a, struct u256 b);
FALLIBLE u256_mul_u64(struct u256 *product, struct u256 a, uint64_t b);
// *quotient = a / b, returns a mod b. b is not zero.
uint64_t u256_div_u64(struct u256 *quotient, struct u256 a, uint64_t b);
// The value when it fits 64 bits, else ERR_TOO_LARGE.
FALLIBLE u256_to_u64(uint64_t *out, struct u256 a);

// Decimal digits, or 0x and 1 to 64 hex digits. No sign, no blanks, no leading zeros in decimal
// ("0" itself is fine; hex may have leading zeros, as in JSON-RPC hashes).
FALLIBLE u256_parse(struct u256 *out, struct bytes text);
FALLIBLE u256_parse_decimal(struct u256 *out, struct bytes digits);
// Writes decimal digits.
void u256_write_decimal(struct wr *wr, struct u256 a);
// Writes 0x and minimal digits ("0x0" for zero), as JSON-RPC quantities want it.
void u256_write_hex(struct wr *wr, struct u256 a);

// 32 bytes, big-endian.
void u256_to_be(uint8_t out[static 32], struct u256 a);
// At most 32 bytes, big-endian; ERR_TOO_LARGE when there are more.
FALLIBLE u256_from_be(struct u256 *out, struct bytes be);
// The number of significant bytes (0 for zero): 32 - that many leading zeros of u256_to_be.
size_t u256_len(struct u256 a);
