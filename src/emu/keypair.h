// SPDX-License-Identifier: Apache-2.0
// Asymmetric data key pairs as KMS makes them: PKCS#8 and SubjectPublicKeyInfo, both DER (AWS KMS
// API Reference, "GenerateDataKeyPair").
#pragma once

#include "base/err.h"
#include "base/wr.h"

#define KEYPAIR_PRIVATE_MAX 2048
#define KEYPAIR_PUBLIC_MAX  512

// A new pair of the spec ECC_SECG_P256K1, ECC_NIST_P256 or RSA_2048. ERR_UNSUPPORTED for others.
// The caller wipes what `private_key` was written to.
FALLIBLE keypair_new(struct wr *private_key, struct wr *public_key, struct bytes spec);
