// SPDX-License-Identifier: Apache-2.0
// EIP-55: the case of each hex letter is a bit of the Keccak-256 of the lower-case digits. A mixed
// text with a wrong checksum is a typing error and is refused.
#include "eth/address.h"

#include "base/hex.h"
#include "crypto/keccak.h"

#define DIGITS 40U

void address_text(char out[static ADDRESS_TEXT], const uint8_t address[static ADDRESS_BYTES])
{
    char *digits = out + 2;
    uint8_t hash[32];

    out[0] = '0';
    out[1] = 'x';
    hex_encode(digits, bytes_of(address, ADDRESS_BYTES));
    keccak_256(hash, bytes_of(digits, DIGITS));
    for (size_t i = 0; i < DIGITS; i++) {
        unsigned nibble = (unsigned)hash[i / 2] >> (i % 2 ? 0 : 4) & 15;

        if (digits[i] >= 'a' && nibble >= 8)
            digits[i] = (char)(digits[i] - 'a' + 'A');
    }
}

struct err address_parse(uint8_t out[static ADDRESS_BYTES], struct bytes text)
{
    uint8_t address[ADDRESS_BYTES];
    char right[ADDRESS_TEXT];
    bool lower = false;
    bool upper = false;
    size_t n;

    ENSURE(text.n == DIGITS + 2 && hex_decode_0x(address, sizeof(address), &n, text).code == 0,
           ERR_MALFORMED, "address: expected 0x and 40 hex digits");
    for (size_t i = 2; i < text.n; i++) {
        lower = lower || (text.p[i] >= 'a' && text.p[i] <= 'f');
        upper = upper || (text.p[i] >= 'A' && text.p[i] <= 'F');
    }
    address_text(right, address);
    ENSURE(!lower || !upper || bytes_equal_str(text, right), ERR_MALFORMED,
           "address: wrong checksum (EIP-55)");
    for (size_t i = 0; i < ADDRESS_BYTES; i++)
        out[i] = address[i];
    return OK;
}
