// SPDX-License-Identifier: Apache-2.0
#include "vault/entropy.h"

#include "base/must.h"
#include "crypto/openssl/libcrypto.h"
#include "crypto/openssl/mac.h"

#include <string.h>

#define MODULE_BYTES 64 // twice the security strength, as SP 800-90C asks of a full-entropy source

struct module_bytes {
    uint8_t b[MODULE_BYTES];
};

static void module_bytes_wipe(struct module_bytes *bytes)
{
    ct_wipe(bytes->b, sizeof(bytes->b));
}

struct err entropy_key(const struct nsm *nsm, struct seckey *out)
{
    AUTO(module_bytes_wipe) struct module_bytes module = { 0 };
    AUTO(seckey_wipe) struct seckey salt = { 0 };

    libcrypto_random(salt.b, sizeof(salt.b));
    TRY(nsm_random(nsm, module.b, sizeof(module.b)));
    ENSURE(!ct_is_zero(BYTES_OF(module.b)), ERR_DEVICE, "NSM: random bytes are all zero");
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
