// SPDX-License-Identifier: Apache-2.0
// secp256k1 for Ethereum, by libsecp256k1: the only file that includes its headers is ecdsa.c.
// Signing is deterministic (RFC 6979, no extra entropy), constant time, low-s (EIP-2).
#pragma once

#include "base/err.h"
#include "base/seckey.h"

#define ECDSA_PUBLIC_BYTES    33 // compressed SEC 1 point
#define ECDSA_SIGNATURE_BYTES 65 // r (32, big-endian) || s (32, big-endian) || y parity (0 or 1)

// Makes the context in static memory (no heap) and blinds it with `seed`. Call once, before any
// other function here but ecdsa_address; call again to blind anew.
void ecdsa_init(const uint8_t seed[static 32]);
// ERR_MALFORMED when the key is 0 or not below the group order.
FALLIBLE ecdsa_check(const struct seckey *key);
FALLIBLE ecdsa_public(uint8_t out[static ECDSA_PUBLIC_BYTES], const struct seckey *key);
FALLIBLE ecdsa_sign(uint8_t out[static ECDSA_SIGNATURE_BYTES], const uint8_t digest[static 32],
                    const struct seckey *key);
// The signer's compressed public key; ERR_UNTRUSTED when the signature is not one or its s is high.
FALLIBLE ecdsa_recover(uint8_t out[static ECDSA_PUBLIC_BYTES], const uint8_t digest[static 32],
                       const uint8_t signature[static ECDSA_SIGNATURE_BYTES]);
// The Ethereum address: the last 20 bytes of Keccak-256 of the uncompressed point without its
// first byte (Yellow Paper, appendix F). ERR_MALFORMED when the point is not on the curve.
FALLIBLE ecdsa_address(uint8_t out[static 20], const uint8_t public_key[static ECDSA_PUBLIC_BYTES]);
