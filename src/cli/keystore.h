// SPDX-License-Identifier: Apache-2.0
// Ethereum key files, Web3 Secret Storage version 3, as geth, ethers and others write them: one
// secp256k1 key under a password. Reading happens on the owner's own machine, never in the enclave
// or beside it. Who may include it: cli.
#pragma once

#include "base/err.h"
#include "base/seckey.h"

#define KEYSTORE_BYTES_MAX 16384

// The private key in the file. Takes seconds and up to 1 GiB of memory when the file asks for it
// (cli/openssl/kdf.h has the limits). ERR_MALFORMED and ERR_TOO_LARGE name the field;
// ERR_UNSUPPORTED for other versions (4 is EIP-2335, for validators), ciphers and functions;
// ERR_CORRUPT when password and MAC do not fit; ERR_MISMATCH when the file's address is not the
// key's. ecdsa_init comes before.
FALLIBLE keystore_open(struct seckey *out, struct bytes file, struct bytes password);
