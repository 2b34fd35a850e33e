// SPDX-License-Identifier: Apache-2.0
// Ethereum addresses as text: EIP-55 mixed-case checksums.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define ADDRESS_BYTES 20
#define ADDRESS_TEXT  43 // "0x", 40 digits, NUL

// The checksummed text (EIP-55).
void address_text(char out[static ADDRESS_TEXT], const uint8_t address[static ADDRESS_BYTES]);
// Reads 0x and 40 digits. All lower or all upper case is taken as it is; mixed case must carry a
// right checksum (ERR_MALFORMED otherwise).
FALLIBLE address_parse(uint8_t out[static ADDRESS_BYTES], struct bytes text);
