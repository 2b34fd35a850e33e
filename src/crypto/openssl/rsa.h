// SPDX-License-Identifier: Apache-2.0
// The KMS recipient key: one RSA-2048 key per boot, and RSAES-OAEP with SHA-256 and MGF1-SHA-256
// (RFC 8017 7.1), the only key encryption that KMS uses for attested answers.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define RSA_SPKI_BYTES    294 // DER SubjectPublicKeyInfo of a 2048-bit key with exponent 65537
#define RSA_MODULUS_BYTES 256

struct rsa_key;

// A new 2048-bit key (about 0.1 s), tried once on a sealed block. Free with rsa_key_free, which
// wipes and accepts NULL.
FALLIBLE rsa_key_new(struct rsa_key **out);
// A PEM private key (tests and the emulator).
FALLIBLE rsa_key_from_pem(struct rsa_key **out, struct bytes pem);
void rsa_key_free(struct rsa_key **key);
// The public half as SubjectPublicKeyInfo DER.
FALLIBLE rsa_key_spki(const struct rsa_key *key, uint8_t out[static RSA_SPKI_BYTES]);
// Opens one OAEP block into at most `cap` bytes. Every failure is the same ERR_CORRUPT.
FALLIBLE rsa_oaep_open(const struct rsa_key *key, uint8_t *out, size_t cap, size_t *n,
                       struct bytes in);
// Seals `in`, at most 190 bytes, to the public key in `spki`. ERR_MALFORMED when spki is not
// exactly the DER of an RSA-2048 key of RSA_SPKI_BYTES.
FALLIBLE rsa_oaep_seal(uint8_t out[static RSA_MODULUS_BYTES], struct bytes spki, struct bytes in);
