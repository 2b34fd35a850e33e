// SPDX-License-Identifier: Apache-2.0
// Key pairs by libcrypto. What it leaves behind of a private key is wiped here; what is handed out
// belongs to the caller.
#include "emu/keypair.h"

#include "base/must.h"

#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>

static const struct spec {
    const char *name, *curve; // curve NULL: RSA
} specs[] = {
    { "ECC_SECG_P256K1", "secp256k1" },
    { "ECC_NIST_P256", "P-256" },
    { "RSA_2048", NULL },
};

static void free_pkey(EVP_PKEY **pkey)
{
    EVP_PKEY_free(*pkey);
}

static void free_info(PKCS8_PRIV_KEY_INFO **info)
{
    PKCS8_PRIV_KEY_INFO_free(*info);
}

static FALLIBLE write_private(struct wr *out, EVP_PKEY *pkey)
{
    AUTO(free_info) PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(pkey);
    unsigned char *der = NULL;
    int n = info ? i2d_PKCS8_PRIV_KEY_INFO(info, &der) : -1;

    if (n > 0)
        wr_bytes(out, bytes_of(der, (size_t)n));
    OPENSSL_clear_free(der, n > 0 ? (size_t)n : 0);
    ENSURE(n > 0, ERR_INTERNAL, "key pair: the private key cannot be encoded");
    return wr_end(out);
}

static FALLIBLE write_public(struct wr *out, EVP_PKEY *pkey)
{
    unsigned char *der = NULL;
    int n = i2d_PUBKEY(pkey, &der);

    if (n > 0)
        wr_bytes(out, bytes_of(der, (size_t)n));
    OPENSSL_free(der);
    ENSURE(n > 0, ERR_INTERNAL, "key pair: the public key cannot be encoded");
    return wr_end(out);
}

struct err keypair_new(struct wr *private_key, struct wr *public_key, struct bytes spec)
{
    AUTO(free_pkey) EVP_PKEY *pkey = NULL;
    bool known = false;

    for (size_t i = 0; i < ARRAY_LEN(specs); i++) {
        if (!bytes_equal_str(spec, specs[i].name))
            continue;
        known = true;
        pkey = specs[i].curve ? EVP_EC_gen(specs[i].curve) : EVP_RSA_gen(2048);
    }
    ENSURE(known, ERR_UNSUPPORTED, "key pair: expected ECC_SECG_P256K1, ECC_NIST_P256 or RSA_2048");
    ENSURE(pkey, ERR_INTERNAL, "key pair: cannot be generated");
    TRY(write_private(private_key, pkey));
    return write_public(public_key, pkey);
}
