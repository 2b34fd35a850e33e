// SPDX-License-Identifier: Apache-2.0
// Administrators' signatures over a message of 32 bytes, which is a tagged hash: Ed25519 (RFC 8032)
// over the 32 bytes, or ECDSA with P-256 and SHA-256 over the 32 bytes (FIPS 186-4), as r || s.
// Verifying is the vault's; the command line signs (cli/openssl/pemkey.h). There may be more than
// one signature of a key over a message (P-256: s and n - s): count keys that signed, never
// signatures.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define APPROVE_KEY_MAX         33
#define APPROVE_MESSAGE_BYTES   32
#define APPROVE_SIGNATURE_BYTES 64

// The numbers of proto/config.h's config_admin.
enum approve_type { APPROVE_ED25519 = 1, APPROVE_P256 = 2 };

// ERR_MALFORMED unless `public_key` is a usable one: 32 bytes of Ed25519, a point on the curve, in
// its only encoding, of large order; or 33 bytes of a compressed point (SEC 1 2.3.3) on P-256.
FALLIBLE approve_check_key(enum approve_type type, struct bytes public_key);
// ERR_UNTRUSTED unless the key is usable and the signature is its over the message.
FALLIBLE approve_verify(enum approve_type type, struct bytes public_key,
                        const uint8_t message[static APPROVE_MESSAGE_BYTES],
                        const uint8_t signature[static APPROVE_SIGNATURE_BYTES]);
