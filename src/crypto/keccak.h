// SPDX-License-Identifier: Apache-2.0
// Keccak-256 with the original padding (0x01), as Ethereum uses it (not FIPS 202's SHA3-256).
// Source: The Keccak reference, version 3.0; cross-checked against nettle and @noble/hashes.
#pragma once

#include "base/bytes.h"

// The digest of `in` into 32 bytes.
void keccak_256(uint8_t out[static 32], struct bytes in);
