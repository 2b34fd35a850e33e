// SPDX-License-Identifier: Apache-2.0
// AES-256-GCM (NIST SP 800-38D) with 96-bit nonces and 128-bit tags.
#pragma once

#include "base/err.h"
#include "base/seckey.h"

#define AEAD_NONCE_BYTES 12
#define AEAD_TAG_BYTES   16

// `out` receives in.n bytes of ciphertext, then the tag: in.n + AEAD_TAG_BYTES in all.
FALLIBLE aead_seal(uint8_t *out, const struct seckey *key,
                   const uint8_t nonce[static AEAD_NONCE_BYTES], struct bytes aad, struct bytes in);
// `in` is ciphertext and tag; `out` receives in.n - AEAD_TAG_BYTES bytes, which are wiped again
// when the tag does not match (ERR_CORRUPT).
FALLIBLE aead_open(uint8_t *out, const struct seckey *key,
                   const uint8_t nonce[static AEAD_NONCE_BYTES], struct bytes aad, struct bytes in);
