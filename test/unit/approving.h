// SPDX-License-Identifier: Apache-2.0
// What the tests of approvals and of their key files share. Include it after cmocka.h.
#pragma once

#include "base/hex.h"
#include "crypto/openssl/approve.h"
#include "expect.h"

#include <string.h>

// The key pair of the seed 40 41 .. 5f, and its signature of `message`.
#define ED_KEY "2543b92ff1095511476adc8369db6ddc933665a11978dda1404ee1066ca9559d"
#define ED_R   "c2d2be108d0ed94a50bfe5beea21d970552706bf40898ed7032e7794098feecf"
#define ED_S   "94bf12b3ef5b9dc4937296738d59d614e0dd0ff9a432b050d15de32091fc0401"

// The bytes 0, 1, 2 and so on.
static const uint8_t message[APPROVE_MESSAGE_BYTES] = {
    0,  1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 11, 12, 13, 14, 15,
    16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29, 30, 31,
};

struct hex {
    uint8_t b[128];
    size_t n;
};

static inline struct bytes from_hex(struct hex *out, const char *digits)
{
    out->n = strlen(digits) / 2;
    assert_true(out->n <= sizeof(out->b));
    expect_ok(digits, hex_decode(out->b, out->n, bytes_str(digits)));
    return bytes_of(out->b, out->n);
}
