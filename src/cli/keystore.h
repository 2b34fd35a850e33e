// SPDX-License-Identifier: Apache-2.0
// Ethereum key files, Web3 Secret Storage version 3, as geth, ethers and others write them: one
// secp256k1 key under a password. Reading happens on the owner's own machine, never in the enclave
// or beside it. Who may include it: cli.
#pragma once

#include "base/err.h"
#include "base/seckey.h"
#include "cli/openssl/kdf.h"

#define KEYSTORE_BYTES_MAX 16384
#define KEYSTORE_SALT_MAX  128

// What a file says. Nothing in it is secret, and nothing is checked against anything yet.
struct keystore {
    bool is_scrypt;
    struct kdf_scrypt scrypt;
    uint64_t rounds; // of PBKDF2
    uint8_t salt[KEYSTORE_SALT_MAX];
    size_t salt_len;
    uint8_t iv[16];
    uint8_t ciphertext[32];
    size_t ciphertext_len; // old clients left out leading zeros of the key
    uint8_t mac[32];
    bool has_address;
    uint8_t address[20];
};

// Reads the file. ERR_MALFORMED and ERR_TOO_LARGE name the field; ERR_UNSUPPORTED for other
// versions (4 is EIP-2335, for validators), ciphers and functions. Costs are not judged here.
FALLIBLE keystore_read(struct keystore *out, struct bytes file);
// The private key in it. Takes seconds and up to 1 GiB of memory when the file asks for it
// (cli/openssl/kdf.h has the limits, and the errors past them). ERR_CORRUPT when password and
// MAC do not fit; ERR_MISMATCH when the file's address is not the key's. ecdsa_init comes before.
FALLIBLE keystore_unlock(struct seckey *out, const struct keystore *from, struct bytes password);
// Both.
FALLIBLE keystore_open(struct seckey *out, struct bytes file, struct bytes password);
