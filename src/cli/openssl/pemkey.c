// SPDX-License-Identifier: Apache-2.0
// Ed25519 and P-256 by EVP. The private key lives in libcrypto's memory, which wipes it when it is
// freed. Every signature is verified by approve.h, which is what the vault does with it.
#include "cli/openssl/pemkey.h"

#include "base/must.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#define SCALAR_BYTES  32
#define PEM_BYTES_MAX 4096
#define DER_BYTES_MAX 72 // two integers of 33 bytes with their heads, and the sequence's

static void pkey_free(EVP_PKEY **pkey)
{
    EVP_PKEY_free(*pkey);
    ERR_clear_error();
}

static void md_ctx_free(EVP_MD_CTX **ctx)
{
    EVP_MD_CTX_free(*ctx);
    ERR_clear_error();
}

static void bio_free(BIO **bio)
{
    (void)BIO_free(*bio);
}

static void ecdsa_sig_free(ECDSA_SIG **sig)
{
    ECDSA_SIG_free(*sig);
}

static FALLIBLE read_pem(EVP_PKEY **out, enum approve_type *type, struct bytes pem)
{
    AUTO(bio_free) BIO *bio = NULL;
    char curve[32] = "";
    char password[] = ""; // without one, libcrypto would ask for it on the terminal

    ENSURE(pem.n > 0 && pem.n <= PEM_BYTES_MAX, ERR_MALFORMED, "private key: expected PEM text");
    bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    ENSURE(bio, ERR_INTERNAL, "private key: no memory");
    *out = PEM_read_bio_PrivateKey(bio, NULL, NULL, password);
    ENSURE(*out, ERR_MALFORMED, "private key: expected PKCS#8 in PEM that is not encrypted");
    *type = EVP_PKEY_is_a(*out, "ED25519") ? APPROVE_ED25519 : APPROVE_P256;
    ENSURE(*type == APPROVE_ED25519 ||
               (EVP_PKEY_get_group_name(*out, curve, sizeof(curve), NULL) == 1 &&
                strcmp(curve, "prime256v1") == 0),
           ERR_MALFORMED, "private key: expected Ed25519 or P-256");
    return OK;
}

static bool write_p256(uint8_t public_key[static APPROVE_KEY_MAX], size_t *n, EVP_PKEY *pkey)
{
    return EVP_PKEY_set_utf8_string_param(pkey, OSSL_PKEY_PARAM_EC_POINT_CONVERSION_FORMAT,
                                          OSSL_PKEY_EC_POINT_CONVERSION_FORMAT_COMPRESSED) == 1 &&
           EVP_PKEY_get_octet_string_param(pkey, OSSL_PKEY_PARAM_PUB_KEY, public_key, *n, n) == 1;
}

static FALLIBLE write_public(uint8_t public_key[static APPROVE_KEY_MAX], size_t *n,
                             enum approve_type type, EVP_PKEY *pkey)
{
    *n = APPROVE_KEY_MAX;
    if (type == APPROVE_P256)
        ENSURE(write_p256(public_key, n, pkey), ERR_INTERNAL, "private key: no public key");
    else
        ENSURE(EVP_PKEY_get_raw_public_key(pkey, public_key, n) == 1, ERR_INTERNAL,
               "private key: no public key");
    return approve_check_key(type, bytes_of(public_key, *n));
}

struct err pemkey_public(enum approve_type *type, uint8_t public_key[static APPROVE_KEY_MAX],
                         size_t *n, struct bytes pem)
{
    AUTO(pkey_free) EVP_PKEY *pkey = NULL;

    TRY(read_pem(&pkey, type, pem));
    return write_public(public_key, n, *type, pkey);
}

// libcrypto's DER as r || s.
static FALLIBLE unwrap(uint8_t signature[static APPROVE_SIGNATURE_BYTES], struct bytes der)
{
    const uint8_t *p = der.p;
    AUTO(ecdsa_sig_free) ECDSA_SIG *sig = d2i_ECDSA_SIG(NULL, &p, (long)der.n);

    ENSURE(sig && BN_bn2binpad(ECDSA_SIG_get0_r(sig), signature, SCALAR_BYTES) == SCALAR_BYTES &&
               BN_bn2binpad(ECDSA_SIG_get0_s(sig), signature + SCALAR_BYTES, SCALAR_BYTES) ==
                   SCALAR_BYTES,
           ERR_INTERNAL, "approval: libcrypto does not sign");
    return OK;
}

static FALLIBLE sign(uint8_t signature[static APPROVE_SIGNATURE_BYTES], enum approve_type type,
                     EVP_PKEY *pkey, const uint8_t *message)
{
    AUTO(md_ctx_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t encoded[DER_BYTES_MAX];
    size_t n = sizeof(encoded);

    ENSURE(ctx &&
               EVP_DigestSignInit_ex(ctx, NULL, type == APPROVE_P256 ? "SHA256" : NULL, NULL, NULL,
                                     pkey, NULL) == 1 &&
               EVP_DigestSign(ctx, encoded, &n, message, APPROVE_MESSAGE_BYTES) == 1,
           ERR_INTERNAL, "approval: libcrypto does not sign");
    if (type == APPROVE_P256)
        return unwrap(signature, bytes_of(encoded, n));
    must(n == APPROVE_SIGNATURE_BYTES);
    memcpy(signature, encoded, n);
    return OK;
}

struct err pemkey_sign(uint8_t signature[static APPROVE_SIGNATURE_BYTES], struct bytes pem,
                       const uint8_t message[static APPROVE_MESSAGE_BYTES])
{
    AUTO(pkey_free) EVP_PKEY *pkey = NULL;
    enum approve_type type;
    uint8_t public_key[APPROVE_KEY_MAX];
    size_t n;

    TRY(read_pem(&pkey, &type, pem));
    TRY(write_public(public_key, &n, type, pkey));
    TRY(sign(signature, type, pkey, message));
    return approve_verify(type, bytes_of(public_key, n), message, signature);
}
