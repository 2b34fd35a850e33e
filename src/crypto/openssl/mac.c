// SPDX-License-Identifier: Apache-2.0
// HMAC-SHA-256 and HKDF-SHA-256, written over sha2.h as RFC 2104 and RFC 5869 define them: a few
// lines, no allocation and no fetch by name. Keys and everything derived from them that stays on
// the stack is wiped; only the length of a key decides a branch.
#include "crypto/openssl/mac.h"

#include "base/must.h"
#include "crypto/openssl/sha2.h"

#include <string.h>

#define HASH_BYTES  32
#define BLOCK_BYTES 64

// HMAC of several fields without joining them.
struct hmac {
    struct sha2 inner;
    uint8_t outer_pad[BLOCK_BYTES];
};

static void hmac_wipe(struct hmac *hmac)
{
    ct_wipe(hmac, sizeof(*hmac));
}

static void block_wipe(uint8_t (*block)[BLOCK_BYTES])
{
    ct_wipe(block, sizeof(*block));
}

static void hmac_start(struct hmac *hmac, struct bytes key)
{
    AUTO(block_wipe) uint8_t inner_pad[BLOCK_BYTES] = { 0 };

    if (key.n > BLOCK_BYTES)
        sha2_256(inner_pad, key);
    else if (key.n)
        memcpy(inner_pad, key.p, key.n);
    for (size_t i = 0; i < BLOCK_BYTES; i++) {
        hmac->outer_pad[i] = inner_pad[i] ^ 0x5c;
        inner_pad[i] ^= 0x36;
    }
    sha2_256_start(&hmac->inner);
    sha2_256_add(&hmac->inner, BYTES_OF(inner_pad));
}

static void hmac_end(struct hmac *hmac, uint8_t out[static HASH_BYTES])
{
    uint8_t inner[HASH_BYTES];

    sha2_256_end(&hmac->inner, inner);
    sha2_256_start(&hmac->inner);
    sha2_256_add(&hmac->inner, BYTES_OF(hmac->outer_pad));
    sha2_256_add(&hmac->inner, BYTES_OF(inner));
    sha2_256_end(&hmac->inner, out);
    ct_wipe(inner, sizeof(inner));
}

void mac_hmac256(uint8_t out[static 32], struct bytes key, struct bytes in)
{
    AUTO(hmac_wipe) struct hmac hmac;

    hmac_start(&hmac, key);
    sha2_256_add(&hmac.inner, in);
    hmac_end(&hmac, out);
}

void mac_hmac256_key(uint8_t out[static 32], const struct seckey *key, struct bytes in)
{
    mac_hmac256(out, BYTES_OF(key->b), in);
}

struct err mac_hkdf256(struct seckey *out, const struct seckey *key, struct bytes info)
{
    return mac_hkdf256_raw(out->b, sizeof(out->b), BYTES_OF(key->b), BYTES_NONE, info);
}

// T(i) = HMAC(PRK, T(i-1) | info | i), RFC 5869 2.3. `before` is empty for the first block.
static void expand_block(struct seckey *block, const struct seckey *prk, struct bytes before,
                         struct bytes info, uint8_t index)
{
    AUTO(hmac_wipe) struct hmac hmac;

    hmac_start(&hmac, BYTES_OF(prk->b));
    sha2_256_add(&hmac.inner, before);
    sha2_256_add(&hmac.inner, info);
    sha2_256_add(&hmac.inner, BYTES_OF(index));
    hmac_end(&hmac, block->b);
}

struct err mac_hkdf256_raw(uint8_t *out, size_t n, struct bytes ikm, struct bytes salt,
                           struct bytes info)
{
    AUTO(seckey_wipe) struct seckey prk = { 0 };
    AUTO(seckey_wipe) struct seckey block = { 0 };
    struct bytes before = BYTES_NONE;

    ENSURE(n <= 255 * HASH_BYTES, ERR_TOO_LARGE, "hkdf: expected at most 8160 bytes of output");
    // An absent salt is a string of zeros (RFC 5869 2.2), which HMAC makes of an empty key.
    mac_hmac256(prk.b, salt, ikm);
    for (size_t done = 0; done < n; done += HASH_BYTES) {
        expand_block(&block, &prk, before, info, (uint8_t)(done / HASH_BYTES + 1));
        before = BYTES_OF(block.b);
        memcpy(out + done, block.b, n - done < HASH_BYTES ? n - done : HASH_BYTES);
    }
    return OK;
}
