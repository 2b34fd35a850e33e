// SPDX-License-Identifier: Apache-2.0
// crypto/ecdsa.h: RFC 6979 signatures, recovery, addresses, and everything that must be refused.
#include "crypto/ecdsa.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "crypto/openssl/sha2.h"
#include "expect.h"
#include "vectors.h"

#define ORDER      "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141"
#define ORDER_LESS "fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364140"
#define HALF_LESS  "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0"
#define HALF_MORE  "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a1"
#define ZEROS      "0000000000000000000000000000000000000000000000000000000000000000"
#define ONE        "0000000000000000000000000000000000000000000000000000000000000001"
#define G_X        "79be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f81798"

static void load(void *out, size_t n, const char *digits)
{
    assert_int_equal(hex_decode(out, n, bytes_str(digits)).code, ERR_NONE);
}

static void check(void **state)
{
    static const struct {
        const char *key;
        enum err_code code;
    } cases[] = {
        { ONE, ERR_NONE },
        { ORDER_LESS, ERR_NONE },
        { ZEROS, ERR_MALFORMED },
        { ORDER, ERR_MALFORMED },
        { "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", ERR_MALFORMED },
    };
    uint8_t out[ECDSA_SIGNATURE_BYTES];
    uint8_t digest[32] = { 1 };
    struct seckey key;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        load(key.b, sizeof(key.b), cases[i].key);
        expect_err(cases[i].key, ecdsa_check(&key), cases[i].code, NULL);
        expect_err(cases[i].key, ecdsa_public(out, &key), cases[i].code, NULL);
        expect_err(cases[i].key, ecdsa_sign(out, digest, &key), cases[i].code, NULL);
    }
}

static void public_and_address(void **state)
{
    static const struct {
        const char *key, *public_key, *address;
    } cases[] = {
        { ONE, "02" G_X, "7e5f4552091a69125d5dfcb7b8c2659029395bdf" },
        { ORDER_LESS, "03" G_X, "80c0dbf239224071c59dd8970ab9d542e3414ab2" },
        // The first account of the mnemonic "test test ... junk" (anvil, hardhat).
        { "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
          "038318535b54105d4a7aae60c08fc45f9687181b4fdfc625bd1a753fa7397fed75",
          "f39fd6e51aad88f6f4ce6ab8827279cfffb92266" },
    };
    uint8_t public_key[ECDSA_PUBLIC_BYTES];
    uint8_t address[20];
    struct seckey key;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        load(key.b, sizeof(key.b), cases[i].key);
        expect_ok("public", ecdsa_public(public_key, &key));
        expect_hex("public", BYTES_OF(public_key), cases[i].public_key);
        expect_ok("address", ecdsa_address(address, public_key));
        expect_hex("address", BYTES_OF(address), cases[i].address);
    }
}

// RFC 6979 with SHA-256 over secp256k1, as bitcoin-core, trezor and noble-curves publish them.
static void known_signatures(void **state)
{
    static const struct {
        const char *key, *message, *signature;
    } cases[] = {
        { ONE, "Satoshi Nakamoto",
          "934b1ea10a4b3c1757e2b0c017d0b6143ce3c9a7e6a4a49860d7a6ab210ee3d8"
          "2442ce9d2b916064108014783e923ec36b49743e2ffa1c4496f01a512aafd9e5" },
        { ONE, "All those moments will be lost in time, like tears in rain. Time to die...",
          "8600dbd41e348fe5c9465ab92d23e3db8b98b873beecd930736488696438cb6b"
          "547fe64427496db33bf66019dacbf0039c04199abb0122918601db38a72cfc21" },
        { ORDER_LESS, "Satoshi Nakamoto",
          "fd567d121db66e382991534ada77a6bd3106f0a1098c231e47993447cd6af2d0"
          "6b39cd0eb1bc8603e159ef5c20a5c8ad685a45b06ce9bebed3f153d10d93bed5" },
        { "f8b8af8ce3c7cca5e300d33939540c10d45ce001b8f252bfbc57ba0342904181", "Alan Turing",
          "7063ae83e7f62bbb171798131b4a0564b956930092b33b07b395615d9ec7e15c"
          "58dfcc1e00a35e1572f366ffe34ba0fc47db1e7189759b9fb233c5b05ab388ea" },
    };
    uint8_t signature[ECDSA_SIGNATURE_BYTES];
    uint8_t public_key[ECDSA_PUBLIC_BYTES];
    uint8_t recovered[ECDSA_PUBLIC_BYTES];
    uint8_t seed[32] = { 7 };
    uint8_t digest[32];
    struct seckey key;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        seed[1] = (uint8_t)i;
        ecdsa_init(seed); // another blinding, the same signature
        load(key.b, sizeof(key.b), cases[i].key);
        sha2_256(digest, bytes_str(cases[i].message));
        expect_ok(cases[i].message, ecdsa_sign(signature, digest, &key));
        expect_hex(cases[i].message, bytes_of(signature, 64), cases[i].signature);
        expect_ok(cases[i].message, ecdsa_public(public_key, &key));
        expect_ok(cases[i].message, ecdsa_recover(recovered, digest, signature));
        assert_memory_equal(recovered, public_key, sizeof(public_key));
    }
}

static void many_recover_and_are_low(void **state)
{
    uint8_t signature[ECDSA_SIGNATURE_BYTES];
    uint8_t public_key[ECDSA_PUBLIC_BYTES];
    uint8_t recovered[ECDSA_PUBLIC_BYTES];
    uint8_t digest[32] = { 0 };
    unsigned odd = 0;
    struct seckey key;

    (void)state;
    for (unsigned i = 0; i < 200; i++) {
        digest[0] = (uint8_t)i;
        sha2_256(key.b, BYTES_OF(digest));
        expect_ok("public", ecdsa_public(public_key, &key));
        expect_ok("sign", ecdsa_sign(signature, digest, &key));
        assert_true(signature[32] <= 0x7f && signature[64] <= 1);
        odd += signature[64];
        expect_ok("recover", ecdsa_recover(recovered, digest, signature));
        assert_memory_equal(recovered, public_key, sizeof(public_key));
        signature[64] ^= 1;
        if (ecdsa_recover(recovered, digest, signature).code == ERR_NONE)
            assert_memory_not_equal(recovered, public_key, sizeof(public_key));
    }
    assert_true(odd > 50 && odd < 150);
}

static void recover_refusals(void **state)
{
    static const struct {
        const char *name, *signature;
    } cases[] = {
        { "r is zero", ZEROS ONE "00" },
        { "s is zero", G_X ZEROS "00" },
        { "both are zero", ZEROS ZEROS "00" },
        { "r is the order", ORDER ONE "00" },
        { "s is the order", G_X ORDER "00" },
        { "r is all ones",
          "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff" ONE "00" },
        { "high s", G_X ORDER_LESS "00" },
        { "s just above the half", G_X HALF_MORE "00" },
        { "parity 2", G_X ONE "02" },
        { "parity 3", G_X ONE "03" },
        { "parity 27", G_X ONE "1b" },
        { "parity 255", G_X ONE "ff" },
        { "r is no x of a point",
          "0000000000000000000000000000000000000000000000000000000000000005" ONE "00" },
    };
    uint8_t digest[32] = { 1 };
    uint8_t signature[ECDSA_SIGNATURE_BYTES];
    uint8_t out[ECDSA_PUBLIC_BYTES];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        load(signature, sizeof(signature), cases[i].signature);
        expect_err(cases[i].name, ecdsa_recover(out, digest, signature), ERR_UNTRUSTED, NULL);
    }
    load(signature, sizeof(signature), G_X HALF_LESS "00");
    expect_ok("s is the half", ecdsa_recover(out, digest, signature));
}

static void address_refusals(void **state)
{
    static const struct {
        const char *name, *public_key;
    } cases[] = {
        { "zeros", "00" ZEROS },
        { "even zero x", "02" ZEROS },
        { "first byte of an uncompressed point", "04" G_X },
        { "hybrid", "06" G_X },
        { "x above the field", "02"
                               "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff" },
        { "x is the field's prime",
          "03fffffffffffffffffffffffffffffffffffffffffffffffffffffffefffffc2f" },
        { "not on the curve",
          "020000000000000000000000000000000000000000000000000000000000000005" },
    };
    uint8_t public_key[ECDSA_PUBLIC_BYTES];
    uint8_t address[20];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        load(public_key, sizeof(public_key), cases[i].public_key);
        expect_err(cases[i].name, ecdsa_address(address, public_key), ERR_MALFORMED, "public key");
    }
}

static int init(void **state)
{
    static const uint8_t seed[32] = { 1, 2, 3 };

    (void)state;
    ecdsa_init(seed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(check),
        cmocka_unit_test(public_and_address),
        cmocka_unit_test(known_signatures),
        cmocka_unit_test(many_recover_and_are_low),
        cmocka_unit_test(recover_refusals),
        cmocka_unit_test(address_refusals),
    };

    return cmocka_run_group_tests(tests, init, NULL);
}
