// SPDX-License-Identifier: Apache-2.0
// Random bytes for keys, ids and nonces: the kernel's generator and the security module's, mixed,
// so that neither alone decides. HMAC-SHA-256 as extractor (NIST SP 800-56C rev. 2, section 4).
// ERR_DEVICE when the module gives too few bytes, zeros, or those of the call before; then nothing
// was made.
#pragma once

#include "base/seckey.h"
#include "proto/id.h"
#include "vault/nsm.h"

// Stirs the module's bytes into libcrypto's generator: before each key that libcrypto makes itself.
FALLIBLE entropy_seed(const struct nsm *nsm);
FALLIBLE entropy_key(const struct nsm *nsm, struct seckey *out);
FALLIBLE entropy_id(const struct nsm *nsm, struct id *out);
// n <= 32 public random bytes (nonces).
FALLIBLE entropy_bytes(const struct nsm *nsm, uint8_t *out, size_t n);
