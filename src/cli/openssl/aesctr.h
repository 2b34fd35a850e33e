// SPDX-License-Identifier: Apache-2.0
// AES-128-CTR (NIST SP 800-38A 6.5), as Ethereum's key files use it. No authentication: check the
// file's own MAC first.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define AESCTR_KEY_BYTES 16

// `out` receives in.n bytes. `iv` is the first counter block, counted up as 128 bits, big-endian.
// Sealing and opening are the same.
FALLIBLE aesctr_128(uint8_t *out, const uint8_t key[static AESCTR_KEY_BYTES],
                    const uint8_t iv[static 16], struct bytes in);
