// SPDX-License-Identifier: Apache-2.0
// ECDSA with P-256 and SHA-256 (FIPS 186-4), for TLS keys. libcrypto's nistz256 is constant in time
// in the key; nonces come from its generator, hashed with key and message (BN_generate_dsa_nonce),
// so that neither a bad generator nor a repeated message alone tells a nonce.
#pragma once

#include "base/err.h"
#include "base/seckey.h"
#include "base/wr.h"

#define P256_PUBLIC_BYTES  33 // compressed SEC 1 point
#define P256_SPKI_BYTES    91 // DER SubjectPublicKeyInfo with the uncompressed point (RFC 5480 2)
#define P256_SIGNATURE_MAX 72 // DER of r and s (RFC 3279 2.2.3)

struct p256_key;

// ERR_MALFORMED when the key is 0 or not below the group order.
FALLIBLE p256_check(const struct seckey *key);
FALLIBLE p256_public(uint8_t out[static P256_PUBLIC_BYTES], const struct seckey *key);
// The key made ready to sign, in libcrypto's memory. Free with p256_key_free, which wipes and
// accepts NULL. ERR_MALFORMED as p256_check.
FALLIBLE p256_key_of(struct p256_key **out, const struct seckey *key);
void p256_key_free(struct p256_key **key);
void p256_key_public(const struct p256_key *key, uint8_t out[static P256_PUBLIC_BYTES]);
void p256_key_spki(const struct p256_key *key, uint8_t out[static P256_SPKI_BYTES]);
// Appends the DER of a signature over SHA-256 of `message`. ERR_INTERNAL when libcrypto fails.
FALLIBLE p256_sign(struct wr *out, const struct p256_key *key, struct bytes message);
// Is it an uncompressed point (SEC 1 2.3.3) on P-256, or on P-384?
bool p256_is_point(struct bytes point);
bool p256_is_point_384(struct bytes point);
