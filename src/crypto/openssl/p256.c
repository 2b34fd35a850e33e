// SPDX-License-Identifier: Apache-2.0
// P-256 by libcrypto. A key that is open keeps its EVP_PKEY and a context that is ready to sign:
// making them costs several times what a signature does.
#include "crypto/openssl/p256.h"

#include "base/must.h"
#include "crypto/openssl/sha2.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/obj_mac.h>
#include <string.h>

#define COORDINATE_BYTES 32U
#define POINT_BYTES      (1 + 2 * COORDINATE_BYTES) // uncompressed: 4, x, y
#define POINT_384_BYTES  97U

// ECPrivateKey (RFC 5915 3) around the key: version 1, 32 bytes, secp256r1, no public key.
#define PRIVATE_HEAD BYTES_LIT("\x30\x31\x02\x01\x01\x04\x20")
#define PRIVATE_TAIL BYTES_LIT("\xa0\x0a\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07")

// SubjectPublicKeyInfo up to the point: id-ecPublicKey, secp256r1, a bit string of 65 bytes.
#define SPKI_HEAD                                                                    \
    BYTES_LIT("\x30\x59\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86" \
              "\x48\xce\x3d\x03\x01\x07\x03\x42\x00")

struct p256_key {
    EVP_PKEY *pkey;
    EVP_PKEY_CTX *signer; // initialised once; a signature leaves it as it was
    uint8_t point[POINT_BYTES];
};

struct private_der {
    uint8_t b[51];
};

static void private_der_wipe(struct private_der *der)
{
    ct_wipe(der->b, sizeof(der->b));
}

// The key less the group order borrows when it is smaller: no branch on the key itself.
struct err p256_check(const struct seckey *key)
{
    static const uint8_t order[32] = { 0xff, 0xff, 0xff, 0xff, 0x00, 0x00, 0x00, 0x00,
                                       0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                       0xbc, 0xe6, 0xfa, 0xad, 0xa7, 0x17, 0x9e, 0x84,
                                       0xf3, 0xb9, 0xca, 0xc2, 0xfc, 0x63, 0x25, 0x51 };
    unsigned borrow = 0;
    bool valid;

    for (size_t i = sizeof(order); i-- > 0;)
        borrow = ((unsigned)key->b[i] - order[i] - borrow) >> 8 & 1;
    valid = borrow & !ct_is_zero(BYTES_OF(key->b));
    ENSURE(valid, ERR_MALFORMED, "private key: expected 1 to the group order - 1");
    return OK;
}

static bool pkey_read(struct p256_key *out, const struct seckey *key)
{
    AUTO(private_der_wipe) struct private_der der = { 0 };
    struct wr wr = WR_OF(der.b);
    const uint8_t *p = der.b;
    size_t n = 0;

    wr_bytes(&wr, PRIVATE_HEAD);
    wr_bytes(&wr, BYTES_OF(key->b));
    wr_bytes(&wr, PRIVATE_TAIL);
    must(wr.len == sizeof(der.b));
    out->pkey = d2i_PrivateKey(EVP_PKEY_EC, NULL, &p, sizeof(der.b));
    return out->pkey &&
           EVP_PKEY_get_octet_string_param(out->pkey, OSSL_PKEY_PARAM_ENCODED_PUBLIC_KEY,
                                           out->point, sizeof(out->point), &n) == 1 &&
           n == sizeof(out->point);
}

struct err p256_key_of(struct p256_key **out, const struct seckey *key)
{
    bool made;

    *out = NULL;
    TRY(p256_check(key));
    *out = OPENSSL_zalloc(sizeof(**out));
    ENSURE(*out, ERR_INTERNAL, "p-256: no memory for a key");
    made = pkey_read(*out, key);
    if (made)
        (*out)->signer = EVP_PKEY_CTX_new_from_pkey(NULL, (*out)->pkey, NULL);
    made = made && (*out)->signer && EVP_PKEY_sign_init((*out)->signer) == 1;
    ERR_clear_error();
    if (made)
        return OK;
    p256_key_free(out);
    return FAIL(ERR_INTERNAL, "p-256: no memory for a key");
}

void p256_key_free(struct p256_key **key)
{
    if (!*key)
        return;
    EVP_PKEY_CTX_free((*key)->signer);
    EVP_PKEY_free((*key)->pkey);
    OPENSSL_free(*key);
    *key = NULL;
}

struct err p256_public(uint8_t out[static P256_PUBLIC_BYTES], const struct seckey *key)
{
    AUTO(p256_key_free) struct p256_key *ready = NULL;

    TRY(p256_key_of(&ready, key));
    p256_key_public(ready, out);
    return OK;
}

void p256_key_public(const struct p256_key *key, uint8_t out[static P256_PUBLIC_BYTES])
{
    out[0] = (uint8_t)(2 | (key->point[POINT_BYTES - 1] & 1));
    memcpy(out + 1, key->point + 1, COORDINATE_BYTES);
}

void p256_key_spki(const struct p256_key *key, uint8_t out[static P256_SPKI_BYTES])
{
    struct wr wr = wr_of(out, P256_SPKI_BYTES);

    wr_bytes(&wr, SPKI_HEAD);
    wr_bytes(&wr, BYTES_OF(key->point));
    must(wr.len == P256_SPKI_BYTES);
}

struct err p256_sign(struct wr *out, const struct p256_key *key, struct bytes message)
{
    uint8_t digest[32], der[P256_SIGNATURE_MAX];
    size_t n = sizeof(der);
    bool done;

    sha2_256(digest, message);
    done = EVP_PKEY_sign(key->signer, der, &n, digest, sizeof(digest)) == 1;
    if (!done)
        ERR_clear_error();
    ENSURE(done, ERR_INTERNAL, "p-256: no signature");
    wr_bytes(out, bytes_of(der, n));
    return OK;
}

// The group is public and made once.
static bool is_on(EC_GROUP **group, int curve, struct bytes encoded)
{
    EC_POINT *point;
    bool on;

    if (!*group)
        *group = EC_GROUP_new_by_curve_name(curve);
    point = *group ? EC_POINT_new(*group) : NULL;
    on = point && EC_POINT_oct2point(*group, point, encoded.p, encoded.n, NULL) == 1;
    EC_POINT_free(point);
    ERR_clear_error();
    return on;
}

bool p256_is_point(struct bytes point)
{
    static EC_GROUP *group;

    return point.n == POINT_BYTES && point.p[0] == POINT_CONVERSION_UNCOMPRESSED &&
           is_on(&group, NID_X9_62_prime256v1, point);
}

bool p256_is_point_384(struct bytes point)
{
    static EC_GROUP *group;

    return point.n == POINT_384_BYTES && point.p[0] == POINT_CONVERSION_UNCOMPRESSED &&
           is_on(&group, NID_secp384r1, point);
}
