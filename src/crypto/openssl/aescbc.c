// SPDX-License-Identifier: Apache-2.0
// AES-256-CBC with PKCS#7 padding by EVP. Who holds a ciphertext and may ask whether changed ones
// open has them decrypted byte by byte, if a right padding of any length opens (Vaudenay 2002, RFC
// 3218). So the caller says how long the text is, and the whole padding is compared at once, in
// constant time. Never authenticates: what comes out is to be checked by its user.
#include "crypto/openssl/aescbc.h"

#include "base/must.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <string.h>

#define AES_BLOCK_BYTES 16

static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;
static EVP_CIPHER *cbc;

static void fetch(void)
{
    cbc = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
}

static void ctx_free(EVP_CIPHER_CTX **ctx)
{
    EVP_CIPHER_CTX_free(*ctx);
    ERR_clear_error();
}

static FALLIBLE start(EVP_CIPHER_CTX **ctx, const struct seckey *key, const uint8_t *iv, int seal)
{
    must(pthread_once(&fetch_once, fetch) == 0);
    ENSURE(cbc, ERR_INTERNAL, "aescbc: libcrypto has no AES-256-CBC");
    *ctx = EVP_CIPHER_CTX_new();
    ENSURE(*ctx, ERR_INTERNAL, "aescbc: no memory for a cipher context");
    ENSURE(EVP_CipherInit_ex2(*ctx, cbc, key->b, iv, seal, NULL) == 1, ERR_INTERNAL,
           "aescbc: the cipher does not start");
    return OK;
}

// False when libcrypto refuses; *n is what it wrote in all.
static bool run(EVP_CIPHER_CTX *ctx, uint8_t *out, size_t *n, struct bytes in)
{
    int first = 0;
    int rest = 0;

    if (in.n && EVP_CipherUpdate(ctx, out, &first, in.p, (int)in.n) != 1)
        return false;
    if (EVP_CipherFinal_ex(ctx, out + first, &rest) != 1)
        return false;
    *n = (size_t)first + (size_t)rest;
    return true;
}

// The bytes behind the text are as many as their value says (RFC 5652 6.3).
static bool padding_is_right(struct bytes padding)
{
    uint8_t expected[AES_BLOCK_BYTES];

    memset(expected, (int)padding.n, sizeof(expected));
    return ct_equal(padding, bytes_of(expected, padding.n));
}

struct err aescbc_open(uint8_t *out, size_t n, const struct seckey *key,
                       const uint8_t iv[static 16], struct bytes in)
{
    AUTO(ctx_free) EVP_CIPHER_CTX *ctx = NULL;
    size_t got = 0;

    ENSURE(in.n <= INT_MAX && in.n == n / AES_BLOCK_BYTES * AES_BLOCK_BYTES + AES_BLOCK_BYTES,
           ERR_CORRUPT, "encrypted content does not open");
    TRY(start(&ctx, key, iv, 0));
    if (EVP_CIPHER_CTX_set_padding(ctx, 0) == 1 && run(ctx, out, &got, in) && got == in.n &&
        padding_is_right(bytes_of(out + n, in.n - n)))
        return OK;
    ct_wipe(out, in.n);
    return FAIL(ERR_CORRUPT, "encrypted content does not open");
}

struct err aescbc_seal(uint8_t *out, size_t *n, const struct seckey *key,
                       const uint8_t iv[static 16], struct bytes in)
{
    AUTO(ctx_free) EVP_CIPHER_CTX *ctx = NULL;

    *n = 0;
    ENSURE(in.n <= INT_MAX - AES_BLOCK_BYTES, ERR_TOO_LARGE, "aescbc: expected less than 2 GiB");
    TRY(start(&ctx, key, iv, 1));
    ENSURE(run(ctx, out, n, in), ERR_INTERNAL, "aescbc: the cipher stopped");
    return OK;
}
