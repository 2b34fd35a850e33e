// SPDX-License-Identifier: Apache-2.0
// Hybrid public key encryption (RFC 9180) in base mode, one message for each key: DHKEM(X25519,
// HKDF-SHA256) 0x0020, HKDF-SHA256 0x0001, AES-256-GCM 0x0002. Says nothing about who sealed.
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "base/seckey.h"
#include "base/wr.h"

#define HPKE_PUBLIC_BYTES 32
#define HPKE_ENC_BYTES    32 // the sender's ephemeral public key, which travels with the ciphertext
#define HPKE_TAG_BYTES    16 // ciphertext is that much longer than plaintext
#define HPKE_INFO_MAX     1024

struct hpke_key;

// What sealer and opener must agree on, byte by byte.
struct hpke_bound {
    struct bytes info; // at most HPKE_INFO_MAX; part of the key schedule
    struct bytes aad;
};

// A new X25519 key, in libcrypto's memory. Free with hpke_key_free, which wipes and accepts NULL.
FALLIBLE hpke_key_new(struct hpke_key **out);
// The key with this private scalar (RFC 7748 5: any 32 bytes).
FALLIBLE hpke_key_of(struct hpke_key **out, const struct seckey *scalar);
void hpke_key_free(struct hpke_key **key);
FALLIBLE hpke_key_public(const struct hpke_key *key, uint8_t out[static HPKE_PUBLIC_BYTES]);

// Writes the plaintext. ERR_CORRUPT, with one text for every cause, and nothing written when it
// does not open; ERR_TOO_LARGE when `out` has no room.
FALLIBLE hpke_open(struct wr *out, const struct hpke_key *key,
                   const uint8_t enc[static HPKE_ENC_BYTES], const struct hpke_bound *bound,
                   struct bytes ciphertext);
// Writes ciphertext and tag, and makes `enc` with a fresh key. ERR_MALFORMED when the public key is
// of small order, ERR_TOO_LARGE.
FALLIBLE hpke_seal(struct wr *out, uint8_t enc[static HPKE_ENC_BYTES],
                   const uint8_t public_key[static HPKE_PUBLIC_BYTES],
                   const struct hpke_bound *bound, struct bytes plaintext);
// The same with an ephemeral key of the caller, whose public half is `enc`. It must never have
// sealed anything before: key and nonce of AES-GCM follow from it.
FALLIBLE hpke_seal_with(struct wr *out, const struct hpke_key *ephemeral,
                        const uint8_t public_key[static HPKE_PUBLIC_BYTES],
                        const struct hpke_bound *bound, struct bytes plaintext);
