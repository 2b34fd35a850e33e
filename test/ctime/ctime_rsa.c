// SPDX-License-Identifier: Apache-2.0
// RSAES-OAEP and KMS's envelopes with every number of the private key hidden. libcrypto keeps them
// where no interface reaches, so its heap is a pool of the test, in which the numbers are looked
// for.
#include "ctime.h"

#include "crypto/cms.h"
#include "crypto/openssl/libcrypto.h"
#include "emu/envelope.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <string.h>

#define NUMBER_BYTES_MAX 256
#define KEY_AT           131 // where the encrypted key stands in KMS's envelope
#define LAST_BLOCK_AT    28  // from the end: six closings, one block

static _Alignas(16) uint8_t heap[4 << 20];
static struct pool pool;

static const char *const private_numbers[] = {
    OSSL_PKEY_PARAM_RSA_D,         OSSL_PKEY_PARAM_RSA_FACTOR1,   OSSL_PKEY_PARAM_RSA_FACTOR2,
    OSSL_PKEY_PARAM_RSA_EXPONENT1, OSSL_PKEY_PARAM_RSA_EXPONENT2, OSSL_PKEY_PARAM_RSA_COEFFICIENT1,
};

// A number as libcrypto stores it: limbs, the least significant first, without leading zeros.
struct number {
    uint8_t limbs[NUMBER_BYTES_MAX];
    size_t n;
};

static void read_number(struct number *out, const EVP_PKEY *pkey, const char *name)
{
    BIGNUM *number = NULL;

    must(EVP_PKEY_get_bn_param(pkey, name, &number) == 1);
    out->n = ((size_t)BN_num_bytes(number) + 7) / 8 * 8;
    must(out->n <= sizeof(out->limbs) && BN_bn2lebinpad(number, out->limbs, (int)out->n) > 0);
    BN_clear_free(number);
}

// Where the copies of private numbers lie. They are all found before the first is hidden: looking
// at hidden bytes would be a report.
struct copies {
    size_t at[64], n[64];
    size_t count;
};

static void find_copies(struct copies *copies, const struct number *number)
{
    size_t before = copies->count;

    for (size_t at = 0; at + number->n <= pool.used; at += 8) {
        if (memcmp(heap + at, number->limbs, number->n) != 0)
            continue;
        must(copies->count < ARRAY_LEN(copies->at));
        copies->at[copies->count] = at;
        copies->n[copies->count++] = number->n;
    }
    must(copies->count > before);
}

static EVP_PKEY *make_key(uint8_t *pem, size_t cap, size_t *n)
{
    EVP_PKEY *pkey = EVP_RSA_gen(2048);
    BIO *bio = BIO_new(BIO_s_mem());
    int got;

    must(pkey && bio && PEM_write_bio_PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL) == 1);
    got = BIO_read(bio, pem, (int)cap);
    must(got > 0);
    *n = (size_t)got;
    (void)BIO_free(bio);
    return pkey;
}

// Hides the private numbers in `key` and in whatever libcrypto derived from it on first use.
static void hide_key(const EVP_PKEY *same)
{
    static struct number numbers[ARRAY_LEN(private_numbers)];
    static struct copies copies;

    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        read_number(&numbers[i], same, private_numbers[i]);
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        find_copies(&copies, &numbers[i]);
    for (size_t i = 0; i < copies.count; i++)
        ctime_hide(heap + copies.at[i], copies.n[i]);
}

struct rsa_key *ctime_rsa_key(void)
{
    static uint8_t pem[4096];
    uint8_t spki[RSA_SPKI_BYTES], sealed[RSA_MODULUS_BYTES], opened[64];
    struct rsa_key *key = NULL;
    EVP_PKEY *same;
    size_t n = 0;

    pool_init(&pool, heap, sizeof(heap));
    must(!libcrypto_init_in(&pool).code);
    same = make_key(pem, sizeof(pem), &n);
    must(!rsa_key_from_pem(&key, bytes_of(pem, n)).code);
    must(!rsa_key_spki(key, spki).code);
    must(!rsa_oaep_seal(sealed, BYTES_OF(spki), BYTES_LIT("x")).code);
    // The first use makes the Montgomery forms of the moduli and the blinding, once for each key.
    must(!rsa_oaep_open(key, opened, sizeof(opened), &n, BYTES_OF(sealed)).code);
    hide_key(same);
    return key;
}

static void oaep(void)
{
    struct rsa_key *key = ctime_rsa_key();
    uint8_t spki[RSA_SPKI_BYTES], sealed[RSA_MODULUS_BYTES], opened[64];
    size_t n = 0;

    must(!rsa_key_spki(key, spki).code);
    must(
        !rsa_oaep_seal(sealed, BYTES_OF(spki), BYTES_LIT("thirty-two bytes of a data key..")).code);
    must(!rsa_oaep_open(key, opened, sizeof(opened), &n, BYTES_OF(sealed)).code);
    ctime_show(&n, sizeof(n));
    must(n == 32);
    ctime_depends(opened, 32);
    sealed[9] ^= 1;
    must(rsa_oaep_open(key, opened, sizeof(opened), &n, BYTES_OF(sealed)).code == ERR_CORRUPT);
}

// Content key and text are secret because the private key is.
static void cms(void)
{
    struct rsa_key *key = ctime_rsa_key();
    uint8_t spki[RSA_SPKI_BYTES], whole[CMS_BYTES_MAX], opened[32];
    struct wr wr = WR_OF(whole);

    must(!rsa_key_spki(key, spki).code);
    must(!envelope_seal(&wr, BYTES_OF(spki), BYTES_LIT("thirty-two bytes of a data key.."), true)
              .code);
    must(!cms_open(opened, sizeof(opened), key, wr_done(&wr)).code);
    ctime_depends(opened, sizeof(opened));
    must(cms_open(opened, 16, key, wr_done(&wr)).code == ERR_CORRUPT);
    whole[wr.len - LAST_BLOCK_AT] ^= 1; // the padding
    must(cms_open(opened, sizeof(opened), key, wr_done(&wr)).code == ERR_CORRUPT);
    whole[KEY_AT + 9] ^= 1;
    must(cms_open(opened, sizeof(opened), key, wr_done(&wr)).code == ERR_CORRUPT);
}

const struct ctime_group ctime_groups_rsa[] = {
    { "rsa_oaep_open", oaep },
    { "cms_open", cms },
    { NULL, NULL },
};
