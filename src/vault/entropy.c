// SPDX-License-Identifier: Apache-2.0
#include "vault/entropy.h"

#include "base/must.h"
#include "crypto/openssl/libcrypto.h"
#include "crypto/openssl/mac.h"
#include "crypto/openssl/sha2.h"

#include <string.h>

#define MODULE_BYTES 64 // twice the security strength, as SP 800-90C asks of a full-entropy source

struct module_bytes {
    uint8_t b[MODULE_BYTES];
};

static void module_bytes_wipe(struct module_bytes *bytes)
{
    ct_wipe(bytes->b, sizeof(bytes->b));
}

// A module that is broken is found here: one that has nothing, zeros, or always the same.
static FALLIBLE draw(const struct nsm *nsm, struct module_bytes *out)
{
    static uint8_t last[32]; // digest of the bytes before: they themselves are secret
    uint8_t digest[32];

    TRY(nsm_random(nsm, out->b, sizeof(out->b)));
    ENSURE(!ct_is_zero(BYTES_OF(out->b)), ERR_DEVICE, "NSM: random bytes are all zero");
    sha2_256(digest, BYTES_OF(out->b));
    ENSURE(!ct_equal(BYTES_OF(digest), BYTES_OF(last)), ERR_DEVICE,
           "NSM: random bytes are those that it gave before");
    memcpy(last, digest, sizeof(last));
    return OK;
}

struct err entropy_seed(const struct nsm *nsm)
{
    AUTO(module_bytes_wipe) struct module_bytes module = { 0 };

    TRY(draw(nsm, &module));
    return libcrypto_seed(BYTES_OF(module.b));
}

struct err entropy_key(const struct nsm *nsm, struct seckey *out)
{
    AUTO(module_bytes_wipe) struct module_bytes module = { 0 };
    AUTO(seckey_wipe) struct seckey salt = { 0 };

    libcrypto_random(salt.b, sizeof(salt.b));
    TRY(draw(nsm, &module));
    mac_hmac256_key(out->b, &salt, BYTES_OF(module.b));
    return OK;
}

struct err entropy_bytes(const struct nsm *nsm, uint8_t *out, size_t n)
{
    AUTO(seckey_wipe) struct seckey mixed = { 0 };

    must(n <= sizeof(mixed.b));
    TRY(entropy_key(nsm, &mixed));
    memcpy(out, mixed.b, n);
    return OK;
}

struct err entropy_id(const struct nsm *nsm, struct id *out)
{
    return entropy_bytes(nsm, out->b, sizeof(out->b));
}
