// SPDX-License-Identifier: Apache-2.0
// Administrators' signatures (crypto/openssl/approve.h) by a private key in a file: PEM, not
// encrypted (PKCS#8, RFC 5958), of Ed25519 or P-256; ERR_MALFORMED when it is none of the two. The
// caller wipes the text.
#pragma once

#include "crypto/openssl/approve.h"

// Writes the public key, 32 or 33 bytes, *n in all.
FALLIBLE pemkey_public(enum approve_type *type, uint8_t public_key[static APPROVE_KEY_MAX],
                       size_t *n, struct bytes pem);
// Signs, and verifies what it signed.
FALLIBLE pemkey_sign(uint8_t signature[static APPROVE_SIGNATURE_BYTES], struct bytes pem,
                     const uint8_t message[static APPROVE_MESSAGE_BYTES]);
