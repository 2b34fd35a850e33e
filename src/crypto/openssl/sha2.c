// SPDX-License-Identifier: Apache-2.0
// SHA-256 and SHA-384 by libcrypto's low-level functions. OpenSSL 3 marks them deprecated in favour
// of EVP, which fetches by name, locks and allocates for every hash; these only compute. They are
// part of the stable ABI of OpenSSL 3, and the state lies in the caller's own memory.
#include "crypto/openssl/sha2.h"

#include "base/ct.h"
#include "base/must.h"

#include <openssl/sha.h>

#pragma GCC diagnostic ignored "-Wdeprecated-declarations"

_Static_assert(sizeof(SHA256_CTX) <= sizeof(struct sha2), "a SHA-256 state fits");
_Static_assert(sizeof(SHA512_CTX) <= sizeof(struct sha2), "a SHA-384 state fits");

void sha2_256(uint8_t out[static 32], struct bytes in)
{
    struct sha2 sha;

    sha2_256_start(&sha);
    sha2_256_add(&sha, in);
    sha2_256_end(&sha, out);
}

void sha2_384(uint8_t out[static 48], struct bytes in)
{
    struct sha2 sha;

    sha2_384_start(&sha);
    sha2_384_add(&sha, in);
    sha2_384_end(&sha, out);
}

static SHA256_CTX *ctx_256(struct sha2 *sha)
{
    return (SHA256_CTX *)(void *)sha->state;
}

static SHA512_CTX *ctx_384(struct sha2 *sha)
{
    return (SHA512_CTX *)(void *)sha->state;
}

void sha2_256_start(struct sha2 *sha)
{
    must(SHA256_Init(ctx_256(sha)) == 1);
}

void sha2_256_add(struct sha2 *sha, struct bytes in)
{
    if (in.n)
        must(SHA256_Update(ctx_256(sha), in.p, in.n) == 1);
}

void sha2_256_end(struct sha2 *sha, uint8_t out[static 32])
{
    must(SHA256_Final(out, ctx_256(sha)) == 1);
    ct_wipe(sha, sizeof(*sha)); // the input may have been a key (HMAC)
}

void sha2_384_start(struct sha2 *sha)
{
    must(SHA384_Init(ctx_384(sha)) == 1);
}

void sha2_384_add(struct sha2 *sha, struct bytes in)
{
    if (in.n)
        must(SHA384_Update(ctx_384(sha), in.p, in.n) == 1);
}

void sha2_384_end(struct sha2 *sha, uint8_t out[static 48])
{
    must(SHA384_Final(out, ctx_384(sha)) == 1);
    ct_wipe(sha, sizeof(*sha));
}
