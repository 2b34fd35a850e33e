// SPDX-License-Identifier: Apache-2.0
// HMAC-SHA-256 (FIPS 198-1, RFC 2104) and HKDF-SHA-256 (RFC 5869).
#pragma once

#include "base/err.h"
#include "base/seckey.h"

// HMAC of `in` under `key` (any length), 32 bytes. For keys that are not seckeys (SigV4).
void mac_hmac256(uint8_t out[static 32], struct bytes key, struct bytes in);
// HMAC under a secret key.
void mac_hmac256_key(uint8_t out[static 32], const struct seckey *key, struct bytes in);
// HKDF with empty salt: 32 bytes derived from `key` for `info`.
FALLIBLE mac_hkdf256(struct seckey *out, const struct seckey *key, struct bytes info);
// HKDF in general (RFC 5869 vectors): out.n <= 8160.
FALLIBLE mac_hkdf256_raw(uint8_t *out, size_t n, struct bytes ikm, struct bytes salt,
                         struct bytes info);
