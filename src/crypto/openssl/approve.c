// SPDX-License-Identifier: Apache-2.0
// Ed25519 and P-256 by EVP. Trusts libcrypto for the equations and the ranges of r, s and S; adds
// what it leaves out: Ed25519 keys that are no point, not in their canonical encoding (RFC 8032
// 5.1.3), or of small order, under which some signatures verify for any message. Nothing here is
// secret.
#include "crypto/openssl/approve.h"

#include "base/must.h"
#include "crypto/dersig.h"

#include <openssl/bn.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <string.h>

#define ED25519_BYTES 32
#define P256_BYTES    33

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

static void bn_ctx_free(BN_CTX **ctx)
{
    BN_CTX_end(*ctx);
    BN_CTX_free(*ctx);
    ERR_clear_error();
}

static FALLIBLE read_key(EVP_PKEY **out, enum approve_type type, struct bytes public_key);

struct err approve_check_key(enum approve_type type, struct bytes public_key)
{
    AUTO(pkey_free) EVP_PKEY *pkey = NULL;

    return read_key(&pkey, type, public_key);
}

// The digest that the signature is over; none: Ed25519 takes the message itself.
static const char *digest_of(enum approve_type type)
{
    return type == APPROVE_P256 ? "SHA256" : NULL;
}

struct err approve_verify(enum approve_type type, struct bytes public_key,
                          const uint8_t message[static APPROVE_MESSAGE_BYTES],
                          const uint8_t signature[static APPROVE_SIGNATURE_BYTES])
{
    AUTO(pkey_free) EVP_PKEY *pkey = NULL;
    AUTO(md_ctx_free) EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    uint8_t encoded[DERSIG_BYTES_MAX];
    struct wr wr = WR_OF(encoded);

    ENSURE(!read_key(&pkey, type, public_key).code, ERR_UNTRUSTED,
           "approval: the administrator's key is not usable");
    if (type == APPROVE_P256)
        dersig_write(&wr, bytes_of(signature, APPROVE_SIGNATURE_BYTES));
    else
        wr_bytes(&wr, bytes_of(signature, APPROVE_SIGNATURE_BYTES));
    ENSURE(ctx && EVP_DigestVerifyInit_ex(ctx, NULL, digest_of(type), NULL, NULL, pkey, NULL) == 1,
           ERR_INTERNAL, "approval: libcrypto does not start");
    ENSURE(EVP_DigestVerify(ctx, encoded, wr.len, message, APPROVE_MESSAGE_BYTES) == 1,
           ERR_UNTRUSTED, "approval: the signature is not the administrator's over this");
    return OK;
}

// Canonical encodings of the points of order 1, 2, 4 and 8, without the sign of x.
static bool has_small_order(const uint8_t y[static ED25519_BYTES])
{
    static const uint8_t small[][ED25519_BYTES] = {
        { 0 },
        { 1 },
        { 0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4,
          0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6,
          0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05 },
        { 0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b,
          0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39,
          0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a },
        { 0xec, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
          0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
          0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f },
    };

    for (size_t i = 0; i < ARRAY_LEN(small); i++)
        if (bytes_equal(bytes_of(y, ED25519_BYTES), BYTES_OF(small[i])))
            return true;
    return false;
}

// On the curve: x^2 = (y^2 - 1) / (d y^2 + 1) has a root, with d = -121665/121666 (RFC 8032 5.1).
// But for factors that are squares modulo p = 2^255 - 19, of which -1 is one, the right side is
// (y^2 - 1) (121665 y^2 - 121666) 121666.
static bool is_on_curve(const uint8_t y[static ED25519_BYTES])
{
    AUTO(bn_ctx_free) BN_CTX *ctx = BN_CTX_new();
    BIGNUM *p, *a, *b;

    if (!ctx)
        return false;
    BN_CTX_start(ctx);
    p = BN_CTX_get(ctx);
    a = BN_CTX_get(ctx);
    b = BN_CTX_get(ctx);
    return b && BN_set_bit(p, 255) == 1 && BN_sub_word(p, 19) == 1 &&
           BN_lebin2bn(y, ED25519_BYTES, a) && BN_cmp(a, p) < 0 && BN_mod_sqr(a, a, p, ctx) == 1 &&
           BN_copy(b, a) && BN_mul_word(b, 121665) == 1 && BN_sub_word(b, 121666) == 1 &&
           BN_sub_word(a, 1) == 1 && BN_mod_mul(a, a, b, p, ctx) == 1 &&
           BN_mul_word(a, 121666) == 1 && BN_kronecker(a, p, ctx) == 1;
}

static FALLIBLE read_ed25519(EVP_PKEY **out, struct bytes public_key)
{
    uint8_t y[ED25519_BYTES];

    ENSURE(public_key.n == ED25519_BYTES, ERR_MALFORMED, "ed25519 key: expected 32 bytes");
    memcpy(y, public_key.p, sizeof(y));
    y[ED25519_BYTES - 1] &= 0x7f; // the sign of x, which has both when it is not 0
    ENSURE(!has_small_order(y) && is_on_curve(y), ERR_MALFORMED,
           "ed25519 key: expected a point of large order in its canonical encoding");
    *out = EVP_PKEY_new_raw_public_key_ex(NULL, "ED25519", NULL, public_key.p, public_key.n);
    ENSURE(*out, ERR_INTERNAL, "ed25519 key: no memory");
    return OK;
}

// Uncompressing finds y for a canonical x, or refuses: there is no point off the curve.
static FALLIBLE read_p256(EVP_PKEY **out, struct bytes public_key)
{
    // SubjectPublicKeyInfo up to the point (RFC 5480 2): id-ecPublicKey, secp256r1, 33 bytes.
    struct bytes head = BYTES_LIT("\x30\x39\x30\x13\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08"
                                  "\x2a\x86\x48\xce\x3d\x03\x01\x07\x03\x22\x00");
    uint8_t spki[64];
    struct wr wr = WR_OF(spki);
    const uint8_t *p = spki;

    ENSURE(public_key.n == P256_BYTES && (public_key.p[0] == 2 || public_key.p[0] == 3),
           ERR_MALFORMED, "p-256 key: expected 33 bytes, a compressed point");
    wr_bytes(&wr, head);
    wr_bytes(&wr, public_key);
    *out = d2i_PUBKEY(NULL, &p, (long)wr.len);
    ENSURE(*out, ERR_MALFORMED, "p-256 key: expected a point on the curve");
    return OK;
}

static FALLIBLE read_key(EVP_PKEY **out, enum approve_type type, struct bytes public_key)
{
    ENSURE(type == APPROVE_ED25519 || type == APPROVE_P256, ERR_MALFORMED,
           "administrator: expected type Ed25519 or P-256");
    return type == APPROVE_ED25519 ? read_ed25519(out, public_key) : read_p256(out, public_key);
}
