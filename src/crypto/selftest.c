// SPDX-License-Identifier: Apache-2.0
// Known answers, each from a published source and each written down as it is printed there. Trusts
// no primitive before it gave the right answer once on this processor. RSA is not here: a new
// recipient key proves itself in rsa_key_new, and this test must not cost a key generation.
#include "crypto/selftest.h"

#include "base/bytes.h"
#include "base/hex.h"
#include "base/must.h"
#include "crypto/ecdsa.h"
#include "crypto/keccak.h"
#include "crypto/openssl/aead.h"
#include "crypto/openssl/aescbc.h"
#include "crypto/openssl/mac.h"
#include "crypto/openssl/p256.h"
#include "crypto/openssl/sha2.h"

#include <string.h>

#define ANSWER_BYTES_MAX 96

static FALLIBLE test_keccak(void);
static FALLIBLE test_sha2(void);
static FALLIBLE test_mac(void);
static FALLIBLE test_aead(void);
static FALLIBLE test_aescbc(void);
static FALLIBLE test_ecdsa(void);
static FALLIBLE test_p256(void);

struct err selftest_run(void)
{
    TRY(test_keccak());
    TRY(test_sha2());
    TRY(test_mac());
    TRY(test_aead());
    TRY(test_aescbc());
    TRY(test_ecdsa());
    return test_p256();
}

static void from_hex(uint8_t *out, size_t n, const char *text)
{
    must(hex_decode(out, n, bytes_str(text)).code == ERR_NONE);
}

static bool is(struct bytes got, const char *expected)
{
    uint8_t answer[ANSWER_BYTES_MAX];

    must(got.n <= sizeof(answer));
    from_hex(answer, got.n, expected);
    return bytes_equal(got, bytes_of(answer, got.n));
}

// The Keccak team's Keccak-256 of nothing, and of "abc" as in the ethers test data; the third one
// is longer than one block.
static FALLIBLE test_keccak(void)
{
    uint8_t long_input[200];
    uint8_t out[32];

    keccak_256(out, BYTES_NONE);
    ENSURE(is(BYTES_OF(out), "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
           ERR_INTERNAL, "self-test: keccak");
    keccak_256(out, BYTES_LIT("abc"));
    ENSURE(is(BYTES_OF(out), "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
           ERR_INTERNAL, "self-test: keccak");
    memset(long_input, 0xa3, sizeof(long_input));
    keccak_256(out, BYTES_OF(long_input));
    ENSURE(is(BYTES_OF(out), "3a57666b048777f2c953dc4456f45a2588e1cb6f2da760122d530ac2ce607d4a"),
           ERR_INTERNAL, "self-test: keccak");
    return OK;
}

// FIPS 180-4's examples.
static FALLIBLE test_sha2(void)
{
    uint8_t out256[32];
    uint8_t out384[48];

    sha2_256(out256, BYTES_LIT("abc"));
    ENSURE(is(BYTES_OF(out256), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
           ERR_INTERNAL, "self-test: sha-256");
    sha2_384(out384, BYTES_LIT("abc"));
    ENSURE(is(BYTES_OF(out384), "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed"
                                "8086072ba1e7cc2358baeca134c825a7"),
           ERR_INTERNAL, "self-test: sha-384");
    return OK;
}

// RFC 4231 4.3 and RFC 5869 A.1.
static FALLIBLE test_mac(void)
{
    uint8_t ikm[22];
    uint8_t salt[13];
    uint8_t info[10];
    uint8_t okm[42];
    uint8_t out[32];

    mac_hmac256(out, BYTES_LIT("Jefe"), BYTES_LIT("what do ya want for nothing?"));
    ENSURE(is(BYTES_OF(out), "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
           ERR_INTERNAL, "self-test: hmac");
    memset(ikm, 0x0b, sizeof(ikm));
    from_hex(salt, sizeof(salt), "000102030405060708090a0b0c");
    from_hex(info, sizeof(info), "f0f1f2f3f4f5f6f7f8f9");
    TRY(mac_hkdf256_raw(okm, sizeof(okm), BYTES_OF(ikm), BYTES_OF(salt), BYTES_OF(info)));
    ENSURE(is(BYTES_OF(okm), "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf"
                             "34007208d5b887185865"),
           ERR_INTERNAL, "self-test: hkdf");
    return OK;
}

// Test case 16 of "The Galois/Counter Mode of Operation" (McGrew, Viega), and a damaged tag.
static FALLIBLE test_aead(void)
{
    struct seckey key;
    uint8_t nonce[AEAD_NONCE_BYTES];
    uint8_t aad[20];
    uint8_t text[60];
    uint8_t sealed[sizeof(text) + AEAD_TAG_BYTES];
    uint8_t opened[sizeof(text)];

    from_hex(key.b, sizeof(key.b),
             "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
    from_hex(nonce, sizeof(nonce), "cafebabefacedbaddecaf888");
    from_hex(aad, sizeof(aad), "feedfacedeadbeeffeedfacedeadbeefabaddad2");
    from_hex(text, sizeof(text),
             "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
             "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39");
    TRY(aead_seal(sealed, &key, nonce, BYTES_OF(aad), BYTES_OF(text)));
    ENSURE(is(BYTES_OF(sealed), "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
                                "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
                                "76fc6ece0f4e1768cddf8853bb2d551b"),
           ERR_INTERNAL, "self-test: aes-gcm does not seal");
    TRY(aead_open(opened, &key, nonce, BYTES_OF(aad), BYTES_OF(sealed)));
    ENSURE(bytes_equal(BYTES_OF(opened), BYTES_OF(text)), ERR_INTERNAL,
           "self-test: aes-gcm does not open");
    sealed[sizeof(sealed) - 1] ^= 1;
    ENSURE(aead_open(opened, &key, nonce, BYTES_OF(aad), BYTES_OF(sealed)).code == ERR_CORRUPT,
           ERR_INTERNAL, "self-test: aes-gcm opens what was changed");
    return OK;
}

// NIST SP 800-38A F.2.5, first block; sealing adds a block of padding.
static FALLIBLE test_aescbc(void)
{
    struct seckey key;
    uint8_t iv[16];
    uint8_t text[16];
    uint8_t sealed[32];
    uint8_t opened[32];
    size_t n = 0;

    from_hex(key.b, sizeof(key.b),
             "603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
    from_hex(iv, sizeof(iv), "000102030405060708090a0b0c0d0e0f");
    from_hex(text, sizeof(text), "6bc1bee22e409f96e93d7e117393172a");
    TRY(aescbc_seal(sealed, &n, &key, iv, BYTES_OF(text)));
    ENSURE(n == sizeof(sealed) && is(bytes_of(sealed, 16), "f58c4c04d6e5f1ba779eabfb5f7bfbd6"),
           ERR_INTERNAL, "self-test: aes-cbc does not seal");
    TRY(aescbc_open(opened, sizeof(text), &key, iv, BYTES_OF(sealed)));
    ENSURE(bytes_equal(bytes_of(opened, sizeof(text)), BYTES_OF(text)), ERR_INTERNAL,
           "self-test: aes-cbc does not open");
    return OK;
}

// RFC 6979 over secp256k1 with key 1 and SHA-256 of "Satoshi Nakamoto", a value that many
// libraries publish; the address of key 1 is as well known.
static FALLIBLE test_ecdsa(void)
{
    struct seckey key = { { [31] = 1 } };
    uint8_t digest[32];
    uint8_t public_key[ECDSA_PUBLIC_BYTES];
    uint8_t recovered[ECDSA_PUBLIC_BYTES];
    uint8_t signature[ECDSA_SIGNATURE_BYTES];
    uint8_t address[20];

    TRY(ecdsa_public(public_key, &key));
    ENSURE(is(BYTES_OF(public_key),
              "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"),
           ERR_INTERNAL, "self-test: secp256k1 public key");
    TRY(ecdsa_address(address, public_key));
    ENSURE(is(BYTES_OF(address), "7e5f4552091a69125d5dfcb7b8c2659029395bdf"), ERR_INTERNAL,
           "self-test: address");
    sha2_256(digest, BYTES_LIT("Satoshi Nakamoto"));
    TRY(ecdsa_sign(signature, digest, &key));
    ENSURE(is(bytes_of(signature, 64),
              "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8"
              "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5"),
           ERR_INTERNAL, "self-test: secp256k1 signature");
    TRY(ecdsa_recover(recovered, digest, signature));
    ENSURE(bytes_equal(BYTES_OF(recovered), BYTES_OF(public_key)), ERR_INTERNAL,
           "self-test: secp256k1 recovery");
    return OK;
}

// RFC 6979 A.2.5's key. Signatures have no known answer: their nonces are random.
static FALLIBLE test_p256(void)
{
    uint8_t public_key[P256_PUBLIC_BYTES];
    struct seckey key;

    from_hex(key.b, sizeof(key.b),
             "c9afa9d845ba75166b5c215767b1d6934e50c3db36e89b127b8a622b120f6721");
    TRY(p256_public(public_key, &key));
    ENSURE(is(BYTES_OF(public_key),
              "0360fed4ba255a9d31c961eb74c6356d68c049b8923b61fa6ce669622e60f29fb6"),
           ERR_INTERNAL, "self-test: p-256 public key");
    return OK;
}
