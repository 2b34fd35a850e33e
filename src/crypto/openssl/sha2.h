// SPDX-License-Identifier: Apache-2.0
// SHA-256 and SHA-384 (FIPS 180-4) by libcrypto's low-level context-free path: no allocation on
// the signing path. The incremental form serves hashes over several fields.
#pragma once

#include "base/bytes.h"

struct sha2 {
    _Alignas(16) uint8_t state[224]; // SHA256_CTX or SHA512_CTX; sha2.c asserts that they fit
};

void sha2_256(uint8_t out[static 32], struct bytes in);
void sha2_384(uint8_t out[static 48], struct bytes in);

void sha2_256_start(struct sha2 *sha);
void sha2_256_add(struct sha2 *sha, struct bytes in);
void sha2_256_end(struct sha2 *sha, uint8_t out[static 32]);
void sha2_384_start(struct sha2 *sha);
void sha2_384_add(struct sha2 *sha, struct bytes in);
void sha2_384_end(struct sha2 *sha, uint8_t out[static 48]);
