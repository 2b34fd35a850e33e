// SPDX-License-Identifier: Apache-2.0
// AES-256-GCM by EVP. The algorithm is fetched once; a call makes only its own context, whose key
// schedule libcrypto wipes when it is freed. Trusts libcrypto for constant time (AES-NI, PCLMUL).
// Never hands out a byte of plaintext whose tag did not match, and never chooses a nonce: that no
// nonce repeats under a key is the caller's duty.
#include "crypto/openssl/aead.h"

#include "base/must.h"

#include <limits.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <pthread.h>

static pthread_once_t fetch_once = PTHREAD_ONCE_INIT;
static EVP_CIPHER *gcm;

static void fetch(void)
{
    gcm = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
}

static void ctx_free(EVP_CIPHER_CTX **ctx)
{
    EVP_CIPHER_CTX_free(*ctx);
    ERR_clear_error();
}

static FALLIBLE start(EVP_CIPHER_CTX **ctx, const struct seckey *key, const uint8_t *nonce,
                      int seal)
{
    must(pthread_once(&fetch_once, fetch) == 0);
    ENSURE(gcm, ERR_INTERNAL, "aead: libcrypto has no AES-256-GCM");
    *ctx = EVP_CIPHER_CTX_new();
    ENSURE(*ctx, ERR_INTERNAL, "aead: no memory for a cipher context");
    ENSURE(EVP_CipherInit_ex2(*ctx, gcm, key->b, nonce, seal, NULL) == 1, ERR_INTERNAL,
           "aead: the cipher does not start");
    return OK;
}

static FALLIBLE run(EVP_CIPHER_CTX *ctx, uint8_t *out, struct bytes in)
{
    int n = 0;

    ENSURE(in.n <= INT_MAX - AEAD_TAG_BYTES, ERR_TOO_LARGE, "aead: expected less than 2 GiB");
    // EVP takes an absent pointer for something else than "no bytes".
    if (in.n == 0)
        return OK;
    ENSURE(EVP_CipherUpdate(ctx, out, &n, in.p, (int)in.n) == 1 && n == (int)in.n, ERR_INTERNAL,
           "aead: the cipher stopped");
    return OK;
}

struct err aead_seal(uint8_t *out, const struct seckey *key,
                     const uint8_t nonce[static AEAD_NONCE_BYTES], struct bytes aad,
                     struct bytes in)
{
    AUTO(ctx_free) EVP_CIPHER_CTX *ctx = NULL;
    uint8_t *tag = out + in.n;
    int n = 0;

    TRY(start(&ctx, key, nonce, 1));
    TRY(run(ctx, NULL, aad));
    TRY(run(ctx, out, in));
    ENSURE(EVP_CipherFinal_ex(ctx, tag, &n) == 1 && n == 0, ERR_INTERNAL, "aead: no end");
    ENSURE(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_GET_TAG, AEAD_TAG_BYTES, tag) == 1, ERR_INTERNAL,
           "aead: no tag");
    return OK;
}

static FALLIBLE open_text(EVP_CIPHER_CTX *ctx, uint8_t *out, struct bytes text, const uint8_t *tag)
{
    uint8_t expected[AEAD_TAG_BYTES];
    uint8_t none[AEAD_TAG_BYTES];
    int n = 0;

    for (size_t i = 0; i < AEAD_TAG_BYTES; i++)
        expected[i] = tag[i];
    ENSURE(EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, AEAD_TAG_BYTES, expected) == 1,
           ERR_INTERNAL, "aead: the cipher takes no tag");
    TRY(run(ctx, out, text));
    ENSURE(EVP_CipherFinal_ex(ctx, none, &n) == 1, ERR_CORRUPT, "aead: the tag does not match");
    return OK;
}

struct err aead_open(uint8_t *out, const struct seckey *key,
                     const uint8_t nonce[static AEAD_NONCE_BYTES], struct bytes aad,
                     struct bytes in)
{
    AUTO(ctx_free) EVP_CIPHER_CTX *ctx = NULL;
    struct bytes text;
    struct err err;

    ENSURE(in.n >= AEAD_TAG_BYTES, ERR_CORRUPT, "aead: shorter than its tag");
    text = bytes_take(in, in.n - AEAD_TAG_BYTES);
    TRY(start(&ctx, key, nonce, 0));
    TRY(run(ctx, NULL, aad));
    err = open_text(ctx, out, text, in.p + text.n);
    if (err.code)
        ct_wipe(out, text.n);
    return err;
}
