// SPDX-License-Identifier: Apache-2.0
// CRC-32 of ISO 3309 and IEEE 802.3 (polynomial 0x04c11db7, reflected), as zlib's crc32() and an
// EIF have it. Finds accidents; proves nothing. Who may include it: cli.
#pragma once

#include "base/bytes.h"

// The checksum of what `crc` is the checksum of (0: of nothing), followed by `b`.
uint32_t crc32_add(uint32_t crc, struct bytes b);
