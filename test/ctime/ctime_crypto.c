// SPDX-License-Identifier: Apache-2.0
// Groups of base and crypto, but for RSA.
#include "ctime.h"

#include "base/pool.h"
#include "crypto/ecdsa.h"
#include "crypto/keccak.h"
#include "crypto/openssl/aead.h"
#include "crypto/openssl/aescbc.h"
#include "crypto/openssl/hpke.h"
#include "crypto/openssl/libcrypto.h"
#include "crypto/openssl/mac.h"
#include "crypto/openssl/p256.h"
#include "crypto/openssl/sha2.h"
#include "crypto/shamir.h"

#include <string.h>

static const uint8_t nonce[16] = "public nonce 16";

static void compare(void)
{
    struct seckey a, b;
    bool equal, same, zero;

    ctime_key(&a, 1);
    ctime_key(&b, 1);
    equal = ct_equal(BYTES_OF(a.b), BYTES_OF(b.b));
    ctime_depends(&equal, sizeof(equal));
    must(ctime_verdict(equal));
    b.b[31] ^= 1;
    must(!ctime_verdict(ct_equal(BYTES_OF(a.b), BYTES_OF(b.b))));
    must(!ct_equal(BYTES_OF(a.b), bytes_of(b.b, 31)));
    same = seckey_equal(&a, &b);
    ctime_depends(&same, sizeof(same));
    must(!ctime_verdict(same));
    zero = ct_is_zero(BYTES_OF(a.b));
    ctime_depends(&zero, sizeof(zero));
    must(!ctime_verdict(zero));
}

static void wipe(void)
{
    static _Alignas(16) uint8_t region[1 << 16];
    struct seckey key;
    struct pool pool;
    uint8_t *block;

    ctime_key(&key, 1);
    ct_wipe(&key, sizeof(key));
    must(ct_is_zero(BYTES_OF(key.b))); // wiped bytes are defined: no verdict to show
    pool_init(&pool, region, sizeof(region));
    block = pool_get(&pool, 100);
    ctime_hide(block, 100);
    block = pool_resize(&pool, block, 3000);
    ctime_depends(block, 100);
    block = pool_resize(&pool, block, 20);
    pool_put(&pool, block);
    block = pool_get(&pool, 128); // the first block again
    must(ct_is_zero(bytes_of(block, 128)));
}

// The nonce is as secret as the key: it is hashed from key, message and random bytes.
static void p256(void)
{
    uint8_t public_key[P256_PUBLIC_BYTES], spki[P256_SPKI_BYTES], signature[P256_SIGNATURE_MAX];
    struct wr wr = WR_OF(signature);
    struct p256_key *ready;
    struct seckey key;

    must(!libcrypto_init().code);
    ctime_key(&key, 1);
    must(!p256_check(&key).code);
    must(!p256_key_of(&ready, &key).code);
    p256_key_public(ready, public_key);
    ctime_depends(public_key, sizeof(public_key));
    p256_key_spki(ready, spki);
    for (size_t i = 0; i < 3; i++) {
        wr.len = 0;
        must(!p256_sign(&wr, ready, BYTES_LIT("message")).code);
    }
    ctime_show(&wr.len, sizeof(wr.len));
    ctime_depends(signature, wr.len);
    p256_key_free(&ready);
}

// What the check exists to find. The compiler must not make it branchless: it returns early.
static void planted(void)
{
    static const uint8_t guess[32] = { 1, 8 };
    struct seckey key;
    volatile size_t at = 0;

    ctime_key(&key, 1);
    while (at < sizeof(key.b) && key.b[at] == guess[at])
        at++;
}

static const uint8_t table[256] = { 1 };

// The other kind of leak: an address that depends on the secret.
static void planted_index(void)
{
    struct seckey key;
    volatile uint8_t leaked;

    ctime_key(&key, 1);
    leaked = table[key.b[3]];
    (void)leaked;
}

static void start_ecdsa(void)
{
    static const uint8_t seed[32] = { 0x5e };

    ecdsa_init(seed);
}

static void ecdsa_start(void)
{
    struct seckey seed;

    start_ecdsa();
    ctime_key(&seed, 9);
    ecdsa_init(seed.b);
}

static void ecdsa_verify_key(void)
{
    struct seckey key;

    start_ecdsa();
    ctime_key(&key, 1);
    must(!ecdsa_check(&key).code);
    memset(key.b, 0xff, sizeof(key.b));
    ctime_hide(key.b, sizeof(key.b));
    must(ecdsa_check(&key).code == ERR_MALFORMED);
}

static void ecdsa_derive(void)
{
    uint8_t point[ECDSA_PUBLIC_BYTES];
    struct seckey key;

    start_ecdsa();
    ctime_key(&key, 1);
    must(!ecdsa_public(point, &key).code);
    ctime_depends(point, sizeof(point));
}

static void ecdsa_signs(void)
{
    static const uint8_t digest[32] = { 0xd1 };
    uint8_t signature[ECDSA_SIGNATURE_BYTES], point[ECDSA_PUBLIC_BYTES];
    struct seckey key;

    start_ecdsa();
    ctime_key(&key, 1);
    for (unsigned i = 0; i < 4; i++) { // both parities, low and high s before EIP-2
        uint8_t changed[32];

        memcpy(changed, digest, sizeof(changed));
        changed[31] = (uint8_t)i;
        must(!ecdsa_sign(signature, changed, &key).code);
        ctime_depends(signature, 64);
        ctime_show(signature, sizeof(signature));
        must(!ecdsa_recover(point, changed, signature).code);
    }
}

static void mac(void)
{
    uint8_t out[32], text[100];
    struct seckey key, derived;

    ctime_key(&key, 1);
    ctime_hide(text, sizeof(text));
    mac_hmac256_key(out, &key, BYTES_OF(nonce));
    ctime_depends(out, sizeof(out));
    mac_hmac256_key(out, &key, BYTES_OF(text));
    mac_hmac256(out, BYTES_OF(text), BYTES_OF(nonce)); // longer than a block
    ctime_depends(out, sizeof(out));
    must(!mac_hkdf256(&derived, &key, BYTES_OF(nonce)).code);
    ctime_depends(derived.b, sizeof(derived.b));
}

static void sha2(void)
{
    uint8_t text[300], out[48];
    struct sha2 sha;

    memset(text, 3, sizeof(text));
    ctime_hide(text, sizeof(text));
    sha2_256(out, BYTES_OF(text));
    ctime_depends(out, 32);
    sha2_384(out, BYTES_OF(text));
    ctime_depends(out, 48);
    sha2_256_start(&sha);
    sha2_256_add(&sha, bytes_of(text, 7));
    sha2_256_add(&sha, bytes_of(text, 200));
    sha2_256_end(&sha, out);
    sha2_384_start(&sha);
    sha2_384_add(&sha, bytes_of(text, 7));
    sha2_384_add(&sha, bytes_of(text, 200));
    sha2_384_end(&sha, out);
    ctime_depends(out, 48);
}

static void keccak(void)
{
    uint8_t text[300], out[32];

    memset(text, 3, sizeof(text));
    ctime_hide(text, sizeof(text));
    keccak_256(out, BYTES_OF(text));
    ctime_depends(out, sizeof(out));
    keccak_256(out, bytes_of(text, 135));
    ctime_depends(out, sizeof(out));
}

static void seal(uint8_t *out, const struct seckey *key, struct bytes text)
{
    must(!aead_seal(out, key, nonce, BYTES_LIT("aad"), text).code);
    ctime_depends(out, text.n);
    ctime_depends(out + text.n, AEAD_TAG_BYTES);
}

static void aead_seals(void)
{
    uint8_t text[300], out[sizeof(text) + AEAD_TAG_BYTES];
    struct seckey key;

    must(!libcrypto_init().code);
    ctime_key(&key, 1);
    memset(text, 3, sizeof(text));
    ctime_hide(text, sizeof(text));
    seal(out, &key, bytes_of(text, 32)); // a key
    seal(out, &key, BYTES_OF(text));     // long enough for the vector paths
}

static void aead_opens(void)
{
    uint8_t text[300], sealed[sizeof(text) + AEAD_TAG_BYTES];
    struct seckey key;

    must(!libcrypto_init().code);
    for (size_t n = 32; n <= sizeof(text); n += sizeof(text) - 32) {
        struct bytes whole = bytes_of(sealed, n + AEAD_TAG_BYTES);

        memset(text, 3, sizeof(text));
        ctime_key(&key, 1);
        seal(sealed, &key, bytes_of(text, n));
        ctime_show(sealed, whole.n); // what is stored
        must(!aead_open(text, &key, nonce, BYTES_LIT("aad"), whole).code);
        ctime_depends(text, n);
        sealed[n] ^= 1;
        must(aead_open(text, &key, nonce, BYTES_LIT("aad"), whole).code == ERR_CORRUPT);
    }
}

static void aescbc_opens(void)
{
    uint8_t text[96], sealed[sizeof(text) + 16], opened[sizeof(sealed)];
    struct seckey key, other;
    size_t n = 0;

    must(!libcrypto_init().code);
    memset(text, 3, sizeof(text));
    ctime_key(&key, 1);
    ctime_hide(text, sizeof(text));
    must(!aescbc_seal(sealed, &n, &key, nonce, BYTES_OF(text)).code);
    ctime_show(sealed, sizeof(sealed));
    must(!aescbc_open(opened, sizeof(text), &key, nonce, bytes_of(sealed, n)).code);
    ctime_depends(opened, sizeof(text));
    ctime_key(&other, 2);
    must(aescbc_open(opened, sizeof(text), &other, nonce, bytes_of(sealed, n)).code == ERR_CORRUPT);
}

static void shamir_splits(void)
{
    struct seckey secret, share[SHAMIR_SHARES_MAX], coefficient[SHAMIR_SHARES_MAX - 1];

    ctime_key(&secret, 1);
    for (unsigned i = 0; i < ARRAY_LEN(coefficient); i++)
        ctime_key(&coefficient[i], (uint8_t)(2 + i));
    for (unsigned k = 1; k <= SHAMIR_SHARES_MAX; k++) {
        must(!shamir_split(share, k, SHAMIR_SHARES_MAX, &secret, coefficient).code);
        for (unsigned i = 0; i < SHAMIR_SHARES_MAX; i++)
            ctime_depends(share[i].b, sizeof(share[i].b));
    }
}

static void shamir_joins(void)
{
    static const uint8_t x[] = { 5, 1, 4, 2, 3 };
    struct seckey share[SHAMIR_SHARES_MAX], secret;

    for (unsigned i = 0; i < SHAMIR_SHARES_MAX; i++)
        ctime_key(&share[i], (uint8_t)i);
    for (unsigned k = 1; k <= SHAMIR_SHARES_MAX; k++) {
        must(!shamir_join(&secret, share, x, k).code);
        ctime_depends(secret.b, sizeof(secret.b));
    }
}

// Both scalars and the text are hidden. A public key is computed from its scalar, and looked at
// only by the functions that hash it.
static void hpke_opens(void)
{
    const struct hpke_bound bound = { BYTES_LIT("info"), BYTES_LIT("aad") };
    uint8_t public_key[HPKE_PUBLIC_BYTES], enc[HPKE_ENC_BYTES];
    uint8_t text[32], sealed[sizeof(text) + HPKE_TAG_BYTES];
    struct wr box = WR_OF(sealed), opened = WR_OF(text);
    struct hpke_key *recipient, *ephemeral;
    struct seckey scalar;

    must(!libcrypto_init().code);
    ctime_key(&scalar, 1);
    must(!hpke_key_of(&recipient, &scalar).code);
    ctime_key(&scalar, 2);
    must(!hpke_key_of(&ephemeral, &scalar).code);
    must(!hpke_key_public(recipient, public_key).code);
    must(!hpke_key_public(ephemeral, enc).code);
    ctime_depends(public_key, sizeof(public_key));
    ctime_show(public_key, sizeof(public_key));
    ctime_show(enc, sizeof(enc));
    memset(text, 3, sizeof(text));
    ctime_hide(text, sizeof(text));
    must(!hpke_seal_with(&box, ephemeral, public_key, &bound, BYTES_OF(text)).code);
    ctime_show(sealed, sizeof(sealed));
    must(!hpke_open(&opened, recipient, enc, &bound, wr_done(&box)).code);
    ctime_depends(text, sizeof(text));
    sealed[9] ^= 1;
    opened = WR_OF(text);
    must(hpke_open(&opened, recipient, enc, &bound, wr_done(&box)).code == ERR_CORRUPT);
    hpke_key_free(&ephemeral);
    hpke_key_free(&recipient);
}

const struct ctime_group ctime_groups_crypto[] = {
    { "planted", planted },
    { "planted_index", planted_index },
    { "compare", compare },
    { "wipe", wipe },
    { "ecdsa_init", ecdsa_start },
    { "ecdsa_check", ecdsa_verify_key },
    { "ecdsa_public", ecdsa_derive },
    { "ecdsa_sign", ecdsa_signs },
    { "p256", p256 },
    { "mac", mac },
    { "sha2", sha2 },
    { "keccak", keccak },
    { "aead_seal", aead_seals },
    { "aead_open", aead_opens },
    { "aescbc_open", aescbc_opens },
    { "shamir_split", shamir_splits },
    { "shamir_join", shamir_joins },
    { "hpke_open", hpke_opens },
    { NULL, NULL },
};
