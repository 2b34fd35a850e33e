// SPDX-License-Identifier: Apache-2.0
// AES-128-CTR by EVP, whose key schedule is wiped with its context.
#include "cli/openssl/aesctr.h"

#include "base/must.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>

static void ctx_free(EVP_CIPHER_CTX **ctx)
{
    EVP_CIPHER_CTX_free(*ctx);
    ERR_clear_error();
}

struct err aesctr_128(uint8_t *out, const uint8_t key[static AESCTR_KEY_BYTES],
                      const uint8_t iv[static 16], struct bytes in)
{
    AUTO(ctx_free) EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    int n = 0;

    ENSURE(in.n <= INT_MAX, ERR_TOO_LARGE, "aesctr: expected less than 2 GiB");
    ENSURE(ctx && EVP_EncryptInit_ex2(ctx, EVP_aes_128_ctr(), key, iv, NULL) == 1, ERR_INTERNAL,
           "aesctr: the cipher does not start");
    if (in.n == 0)
        return OK;
    ENSURE(EVP_EncryptUpdate(ctx, out, &n, in.p, (int)in.n) == 1 && n == (int)in.n, ERR_INTERNAL,
           "aesctr: the cipher stopped");
    return OK;
}
