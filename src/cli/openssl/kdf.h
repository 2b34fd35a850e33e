// SPDX-License-Identifier: Apache-2.0
// Keys from passwords, as key files ask for them: scrypt (RFC 7914) and PBKDF2-HMAC-SHA-256 (RFC
// 8018), with limits on what a file may make this machine spend. Never in the enclave.
#pragma once

#include "base/err.h"
#include "base/seckey.h"

#define KDF_SCRYPT_MEMORY_MAX ((uint64_t)1 << 30) // 128 n r bytes
#define KDF_SCRYPT_WORK_MAX   ((uint64_t)1 << 24) // n r p: eight times what geth asks for
#define KDF_PBKDF2_ROUNDS_MAX 10000000U

struct kdf_scrypt {
    uint64_t n; // a power of 2, at least 2
    uint64_t r, p;
};

// 32 bytes; the first 32 of any longer output. ERR_MALFORMED for costs that RFC 7914 2 does not
// allow, ERR_TOO_LARGE past the limits above.
FALLIBLE kdf_scrypt(struct seckey *out, struct bytes password, struct bytes salt,
                    const struct kdf_scrypt *cost);
// 32 bytes after `rounds`, at least 1.
FALLIBLE kdf_pbkdf2(struct seckey *out, struct bytes password, struct bytes salt, uint64_t rounds);
