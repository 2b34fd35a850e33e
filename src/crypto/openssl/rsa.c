// SPDX-License-Identifier: Apache-2.0
// RSA-2048 by EVP: the recipient key of attested KMS answers, and RSAES-OAEP with SHA-256 and
// MGF1-SHA-256. The private key lives in libcrypto's memory (the vault's pool) and never leaves it.
// Every failure of opening is one error with one text (Manger's attack on OAEP needs two).
#include "crypto/openssl/rsa.h"

#include "base/ct.h"
#include "base/must.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <string.h>

#define RSA_BITS      2048
#define PEM_BYTES_MAX 16384

struct rsa_key {
    EVP_PKEY *pkey;
};

static void pkey_free(EVP_PKEY **pkey)
{
    EVP_PKEY_free(*pkey);
    ERR_clear_error();
}

static void ctx_free(EVP_PKEY_CTX **ctx)
{
    EVP_PKEY_CTX_free(*ctx);
    ERR_clear_error();
}

static void bio_free(BIO **bio)
{
    (void)BIO_free(*bio);
}

void rsa_key_free(struct rsa_key **key)
{
    if (!*key)
        return;
    pkey_free(&(*key)->pkey);
    OPENSSL_clear_free(*key, sizeof(**key));
    *key = NULL;
}

// Takes over *pkey.
static FALLIBLE wrap(struct rsa_key **out, EVP_PKEY **pkey)
{
    *out = OPENSSL_zalloc(sizeof(**out));
    ENSURE(*out, ERR_INTERNAL, "rsa: no memory for a key");
    (*out)->pkey = *pkey;
    *pkey = NULL;
    return OK;
}

static bool proves_itself(const struct rsa_key *key);

struct err rsa_key_new(struct rsa_key **out)
{
    AUTO(ctx_free) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, "RSA", NULL);
    AUTO(pkey_free) EVP_PKEY *pkey = NULL;

    *out = NULL;
    ENSURE(ctx, ERR_INTERNAL, "rsa: libcrypto has no RSA");
    ENSURE(EVP_PKEY_keygen_init(ctx) == 1 && EVP_PKEY_CTX_set_rsa_keygen_bits(ctx, RSA_BITS) == 1 &&
               EVP_PKEY_keygen(ctx, &pkey) == 1,
           ERR_INTERNAL, "rsa: key generation failed");
    TRY(wrap(out, &pkey));
    if (proves_itself(*out))
        return OK;
    rsa_key_free(out);
    return FAIL(ERR_INTERNAL, "rsa: the new key does not open what it sealed");
}

static bool is_ours(const EVP_PKEY *pkey)
{
    return EVP_PKEY_is_a(pkey, "RSA") && EVP_PKEY_get_bits(pkey) == RSA_BITS;
}

// Without this, libcrypto would ask for a password on the terminal.
static int no_password(char *buf, int cap, int writing, void *user)
{
    (void)buf;
    (void)cap;
    (void)writing;
    (void)user;
    return -1;
}

struct err rsa_key_from_pem(struct rsa_key **out, struct bytes pem)
{
    AUTO(bio_free) BIO *bio = NULL;
    AUTO(pkey_free) EVP_PKEY *pkey = NULL;

    *out = NULL;
    ENSURE(pem.n > 0 && pem.n <= PEM_BYTES_MAX, ERR_MALFORMED, "rsa key: expected PEM text");
    bio = BIO_new_mem_buf(pem.p, (int)pem.n);
    ENSURE(bio, ERR_INTERNAL, "rsa: no memory for a key");
    pkey = PEM_read_bio_PrivateKey(bio, NULL, no_password, NULL);
    ENSURE(pkey && is_ours(pkey), ERR_MALFORMED,
           "rsa key: expected an RSA-2048 private key in PEM");
    return wrap(out, &pkey);
}

// Any other exponent is refused: hostile ones are slow (large) or no keys at all (even).
static bool has_usual_exponent(const uint8_t spki[static RSA_SPKI_BYTES])
{
    struct bytes exponent = BYTES_LIT("\x02\x03\x01\x00\x01");

    return bytes_equal(bytes_skip(bytes_of(spki, RSA_SPKI_BYTES), RSA_SPKI_BYTES - exponent.n),
                       exponent);
}

static FALLIBLE write_spki(const EVP_PKEY *pkey, uint8_t out[static RSA_SPKI_BYTES])
{
    uint8_t *end = out;

    ENSURE(i2d_PUBKEY(pkey, NULL) == RSA_SPKI_BYTES, ERR_MALFORMED,
           "rsa public key: expected 2048 bits and exponent 65537");
    ENSURE(i2d_PUBKEY(pkey, &end) == RSA_SPKI_BYTES, ERR_INTERNAL, "rsa: no public key");
    ENSURE(has_usual_exponent(out), ERR_MALFORMED,
           "rsa public key: expected 2048 bits and exponent 65537");
    return OK;
}

struct err rsa_key_spki(const struct rsa_key *key, uint8_t out[static RSA_SPKI_BYTES])
{
    struct err err = write_spki(key->pkey, out);

    ERR_clear_error();
    return err;
}

// RSAES-OAEP with SHA-256, MGF1-SHA-256 and an empty label, set on an initialised context.
static bool set_oaep(EVP_PKEY_CTX *ctx)
{
    return EVP_PKEY_CTX_set_rsa_padding(ctx, RSA_PKCS1_OAEP_PADDING) == 1 &&
           EVP_PKEY_CTX_set_rsa_oaep_md_name(ctx, "SHA256", NULL) == 1 &&
           EVP_PKEY_CTX_set_rsa_mgf1_md_name(ctx, "SHA256", NULL) == 1;
}

static bool open_block(const struct rsa_key *key, uint8_t *out, size_t *n, struct bytes in)
{
    AUTO(ctx_free) EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);

    return ctx && EVP_PKEY_decrypt_init(ctx) == 1 && set_oaep(ctx) &&
           EVP_PKEY_decrypt(ctx, out, n, in.p, in.n) == 1;
}

struct err rsa_oaep_open(const struct rsa_key *key, uint8_t *out, size_t cap, size_t *n,
                         struct bytes in)
{
    uint8_t block[RSA_MODULUS_BYTES];
    size_t got = sizeof(block);
    bool opened = in.n == RSA_MODULUS_BYTES && open_block(key, block, &got, in) && got <= cap;

    *n = opened ? got : 0;
    if (opened)
        memcpy(out, block, got);
    ct_wipe(block, sizeof(block));
    ENSURE(opened, ERR_CORRUPT, "encrypted key does not open");
    return OK;
}

// Reads a SubjectPublicKeyInfo and demands that its bytes are the only way to write that key.
static FALLIBLE read_spki(EVP_PKEY **out, struct bytes spki)
{
    const uint8_t *p = spki.p;
    uint8_t again[RSA_SPKI_BYTES];

    ENSURE(spki.n == RSA_SPKI_BYTES, ERR_MALFORMED,
           "rsa public key: expected 294 bytes of SubjectPublicKeyInfo");
    *out = d2i_PUBKEY(NULL, &p, RSA_SPKI_BYTES);
    ENSURE(*out && is_ours(*out), ERR_MALFORMED, "rsa public key: expected an RSA-2048 key");
    TRY(write_spki(*out, again));
    ENSURE(bytes_equal(BYTES_OF(again), spki), ERR_MALFORMED, "rsa public key: expected DER");
    return OK;
}

struct err rsa_oaep_seal(uint8_t out[static RSA_MODULUS_BYTES], struct bytes spki, struct bytes in)
{
    AUTO(pkey_free) EVP_PKEY *pkey = NULL;
    AUTO(ctx_free) EVP_PKEY_CTX *ctx = NULL;
    size_t n = RSA_MODULUS_BYTES;

    TRY(read_spki(&pkey, spki));
    ctx = EVP_PKEY_CTX_new_from_pkey(NULL, pkey, NULL);
    ENSURE(ctx && EVP_PKEY_encrypt_init(ctx) == 1 && set_oaep(ctx), ERR_INTERNAL,
           "rsa: libcrypto has no OAEP with SHA-256");
    ENSURE(EVP_PKEY_encrypt(ctx, out, &n, in.p, in.n) == 1 && n == RSA_MODULUS_BYTES, ERR_MALFORMED,
           "rsa: expected at most 190 bytes and a usable public key");
    return OK;
}

// One block sealed and opened: a new key must fit itself, and OAEP must work on this processor.
static bool proves_itself(const struct rsa_key *key)
{
    uint8_t spki[RSA_SPKI_BYTES];
    uint8_t sealed[RSA_MODULUS_BYTES];
    uint8_t opened[8];
    size_t n = 0;

    return rsa_key_spki(key, spki).code == ERR_NONE &&
           rsa_oaep_seal(sealed, BYTES_OF(spki), BYTES_LIT("pairwise")).code == ERR_NONE &&
           rsa_oaep_open(key, opened, sizeof(opened), &n, BYTES_OF(sealed)).code == ERR_NONE &&
           bytes_equal(bytes_of(opened, n), BYTES_LIT("pairwise"));
}
