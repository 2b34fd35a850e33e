// SPDX-License-Identifier: Apache-2.0
// scrypt and PBKDF2 by libcrypto. The costs stand in files from elsewhere, so they are judged
// before anything is computed; what libcrypto allocates for scrypt it wipes.
#include "cli/openssl/kdf.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>

#define TEXT_MAX 65536 // of password and salt
#define SCRYPT_ROOM \
    ((uint64_t)64 << 20) // beside the 128 n r bytes: the 128 r p and libcrypto's own

static FALLIBLE check_scrypt(const struct kdf_scrypt *cost)
{
    // Each alone first, so that the products cannot overflow.
    ENSURE(cost->n <= KDF_SCRYPT_WORK_MAX && cost->r <= KDF_SCRYPT_WORK_MAX &&
               cost->p <= KDF_SCRYPT_WORK_MAX,
           ERR_TOO_LARGE, "scrypt: n, r or p too large");
    ENSURE(cost->n >= 2 && (cost->n & (cost->n - 1)) == 0, ERR_MALFORMED,
           "scrypt: expected a power of 2 for n");
    ENSURE(cost->r >= 1 && cost->p >= 1, ERR_MALFORMED, "scrypt: expected r and p from 1");
    // Some old key files have n = 2^18 with r = 1; libcrypto does not compute that either.
    ENSURE(cost->r >= 4 || cost->n < (uint64_t)1 << 16 * cost->r, ERR_MALFORMED,
           "scrypt: expected n below 2^(16 r)");
    ENSURE(128 * cost->n * cost->r <= KDF_SCRYPT_MEMORY_MAX, ERR_TOO_LARGE,
           "scrypt: expected n and r that need at most 1 GiB");
    ENSURE(cost->n * cost->r <= KDF_SCRYPT_WORK_MAX / cost->p, ERR_TOO_LARGE,
           "scrypt: expected n * r * p up to 2^24");
    return OK;
}

struct err kdf_scrypt(struct seckey *out, struct bytes password, struct bytes salt,
                      const struct kdf_scrypt *cost)
{
    int made;

    TRY(check_scrypt(cost));
    ENSURE(password.n <= TEXT_MAX && salt.n <= TEXT_MAX, ERR_TOO_LARGE,
           "scrypt: password or salt too long");
    made = EVP_PBE_scrypt((const char *)password.p, password.n, salt.p, salt.n, cost->n, cost->r,
                          cost->p, KDF_SCRYPT_MEMORY_MAX + SCRYPT_ROOM, out->b, sizeof(out->b));
    ERR_clear_error();
    ENSURE(made == 1, ERR_INTERNAL, "scrypt: libcrypto does not compute it");
    return OK;
}

struct err kdf_pbkdf2(struct seckey *out, struct bytes password, struct bytes salt, uint64_t rounds)
{
    int made;

    ENSURE(rounds >= 1, ERR_MALFORMED, "pbkdf2: expected at least 1 round");
    ENSURE(rounds <= KDF_PBKDF2_ROUNDS_MAX, ERR_TOO_LARGE, "pbkdf2: expected at most 10^7 rounds");
    ENSURE(password.n <= TEXT_MAX && salt.n <= TEXT_MAX, ERR_TOO_LARGE,
           "pbkdf2: password or salt too long");
    made = PKCS5_PBKDF2_HMAC((const char *)password.p, (int)password.n, salt.p, (int)salt.n,
                             (int)rounds, EVP_sha256(), sizeof(out->b), out->b);
    ERR_clear_error();
    ENSURE(made == 1, ERR_INTERNAL, "pbkdf2: libcrypto does not compute it");
    return OK;
}
