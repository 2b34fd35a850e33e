// SPDX-License-Identifier: Apache-2.0
// secp256k1 by libsecp256k1, the only file that includes its headers. Trusts the library for
// constant time in the key and for RFC 6979 nonces; adds a static context (no heap), refusal of
// high-s signatures (EIP-2) and of the recovery ids 2 and 3, which Ethereum cannot express.
// Never keeps a key: what comes in by pointer is read and forgotten.
#include "crypto/ecdsa.h"

#include "base/must.h"
#include "crypto/keccak.h"

#include <secp256k1.h>
#include <secp256k1_preallocated.h>
#include <secp256k1_recovery.h>
#include <stdalign.h>

#define CONTEXT_BYTES      1024
#define UNCOMPRESSED_BYTES 65

static alignas(max_align_t) uint8_t context_memory[CONTEXT_BYTES];
static secp256k1_context *context;

void ecdsa_init(const uint8_t seed[static 32])
{
    if (!context) {
        must(secp256k1_context_preallocated_size(SECP256K1_CONTEXT_NONE) <= CONTEXT_BYTES);
        context = secp256k1_context_preallocated_create(context_memory, SECP256K1_CONTEXT_NONE);
    }
    must(context);
    must(secp256k1_context_randomize(context, seed) == 1);
}

struct err ecdsa_check(const struct seckey *key)
{
    must(context);
    ENSURE(secp256k1_ec_seckey_verify(context, key->b) == 1, ERR_MALFORMED,
           "private key: expected 1 to the group order - 1");
    return OK;
}

static void compress(uint8_t out[static ECDSA_PUBLIC_BYTES], const secp256k1_pubkey *point)
{
    size_t n = ECDSA_PUBLIC_BYTES;

    must(secp256k1_ec_pubkey_serialize(context, out, &n, point, SECP256K1_EC_COMPRESSED) == 1);
    must(n == ECDSA_PUBLIC_BYTES);
}

struct err ecdsa_public(uint8_t out[static ECDSA_PUBLIC_BYTES], const struct seckey *key)
{
    secp256k1_pubkey point;

    must(context);
    ENSURE(secp256k1_ec_pubkey_create(context, &point, key->b) == 1, ERR_MALFORMED,
           "private key: expected 1 to the group order - 1");
    compress(out, &point);
    return OK;
}

struct err ecdsa_sign(uint8_t out[static ECDSA_SIGNATURE_BYTES], const uint8_t digest[static 32],
                      const struct seckey *key)
{
    secp256k1_ecdsa_recoverable_signature signature;
    int id = -1;

    must(context);
    ENSURE(secp256k1_ecdsa_sign_recoverable(context, &signature, digest, key->b, NULL, NULL) == 1,
           ERR_MALFORMED, "private key: expected 1 to the group order - 1");
    must(secp256k1_ecdsa_recoverable_signature_serialize_compact(context, out, &id, &signature) ==
         1);
    // r at or above the group order: one nonce in 2^128, and no Ethereum form for it.
    ENSURE(id == 0 || id == 1, ERR_INTERNAL, "signature: r exceeds the group order");
    out[64] = (uint8_t)id;
    return OK;
}

static bool is_low_s(const secp256k1_ecdsa_recoverable_signature *signature)
{
    secp256k1_ecdsa_signature plain;

    must(secp256k1_ecdsa_recoverable_signature_convert(context, &plain, signature) == 1);
    return secp256k1_ecdsa_signature_normalize(context, NULL, &plain) == 0;
}

struct err ecdsa_recover(uint8_t out[static ECDSA_PUBLIC_BYTES], const uint8_t digest[static 32],
                         const uint8_t signature[static ECDSA_SIGNATURE_BYTES])
{
    secp256k1_ecdsa_recoverable_signature parsed;
    secp256k1_pubkey point;

    must(context);
    ENSURE(signature[64] <= 1, ERR_UNTRUSTED, "signature: expected a y parity of 0 or 1");
    ENSURE(secp256k1_ecdsa_recoverable_signature_parse_compact(context, &parsed, signature,
                                                               signature[64]) == 1,
           ERR_UNTRUSTED, "signature: expected r and s below the group order");
    ENSURE(is_low_s(&parsed), ERR_UNTRUSTED, "signature: expected a low s (EIP-2)");
    ENSURE(secp256k1_ecdsa_recover(context, &point, &parsed, digest) == 1, ERR_UNTRUSTED,
           "signature: no public key fits it");
    compress(out, &point);
    return OK;
}

struct err ecdsa_address(uint8_t out[static 20],
                         const uint8_t public_key[static ECDSA_PUBLIC_BYTES])
{
    uint8_t whole[UNCOMPRESSED_BYTES];
    const secp256k1_context *plain = secp256k1_context_static; // no secret: nothing to blind
    size_t n = sizeof(whole);
    uint8_t hash[32];
    secp256k1_pubkey point;

    ENSURE(secp256k1_ec_pubkey_parse(plain, &point, public_key, ECDSA_PUBLIC_BYTES) == 1,
           ERR_MALFORMED, "public key: expected a compressed point on secp256k1");
    must(secp256k1_ec_pubkey_serialize(plain, whole, &n, &point, SECP256K1_EC_UNCOMPRESSED) == 1);
    keccak_256(hash, bytes_skip(bytes_of(whole, n), 1));
    for (size_t i = 0; i < 20; i++)
        out[i] = hash[12 + i];
    return OK;
}
