// SPDX-License-Identifier: Apache-2.0
// Wycheproof's vectors for AES-GCM, HMAC, HKDF, RSA-OAEP and ECDSA's inputs, and the keccak and
// RFC 6979 values of ethers and noble-curves: every case that our narrower interfaces can express.
#include "crypto/openssl/aead.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/rd.h"
#include "crypto/ecdsa.h"
#include "crypto/keccak.h"
#include "crypto/openssl/mac.h"
#include "crypto/openssl/rsa.h"
#include "crypto/openssl/sha2.h"
#include "expect.h"
#include "net/json.h"
#include "vectors.h"

#include <string.h>

#define NODES_MAX 20000

static const struct json *load(const char *name)
{
    static struct json nodes[NODES_MAX];
    const struct json *root = NULL;
    struct bytes file = vectors_read(name);

    expect_ok(name, json_parse(&root, nodes, NODES_MAX, (uint8_t *)(uintptr_t)file.p, file.n));
    return root;
}

static struct bytes hex_of(const struct json *object, const char *key)
{
    return unhex(json_string(json_get(object, key)));
}

static uint64_t number_of(const struct json *object, const char *key)
{
    uint64_t value = 0;

    expect_ok(key, json_u64(&value, json_get(object, key)));
    return value;
}

static bool is_valid(const struct json *test)
{
    return bytes_equal_str(json_string(json_get(test, "result")), "valid");
}

// Calls `check` for each test of each group; it answers whether the test was one for us.
static unsigned each(const char *name,
                     bool (*check)(const struct json *group, const struct json *test))
{
    const struct json *groups = json_get(load(name), "testGroups");
    unsigned checked = 0;

    for (const struct json *group = groups->child; group; group = group->next)
        for (const struct json *test = json_get(group, "tests")->child; test; test = test->next)
            checked += check(group, test);
    return checked;
}

static bool check_gcm(const struct json *group, const struct json *test)
{
    struct bytes msg = hex_of(test, "msg");
    struct bytes iv = hex_of(test, "iv");
    struct bytes aad = hex_of(test, "aad");
    uint8_t expected[1024];
    uint8_t out[1024];
    struct wr wr = WR_OF(expected);
    struct seckey key;

    if (number_of(group, "keySize") != 256 || iv.n != AEAD_NONCE_BYTES ||
        number_of(group, "tagSize") != 128)
        return false;
    memcpy(key.b, hex_of(test, "key").p, sizeof(key.b));
    wr_bytes(&wr, hex_of(test, "ct"));
    wr_bytes(&wr, hex_of(test, "tag"));
    expect_err("open", aead_open(out, &key, iv.p, aad, wr_done(&wr)),
               is_valid(test) ? ERR_NONE : ERR_CORRUPT, NULL);
    assert_true(!is_valid(test) || bytes_equal(bytes_of(out, msg.n), msg));
    expect_ok("seal", aead_seal(out, &key, iv.p, aad, msg));
    assert_int_equal(bytes_equal(bytes_of(out, wr.len), wr_done(&wr)), is_valid(test));
    return true;
}

static void aes_gcm(void **state)
{
    (void)state;
    assert_int_equal(each("crypto/aes_gcm_test.json", check_gcm), 66);
}

static bool check_hmac(const struct json *group, const struct json *test)
{
    uint8_t out[32];
    size_t n = number_of(group, "tagSize") / 8;

    mac_hmac256(out, hex_of(test, "key"), hex_of(test, "msg"));
    assert_int_equal(bytes_equal(bytes_of(out, n), hex_of(test, "tag")), is_valid(test));
    return true;
}

static void hmac(void **state)
{
    (void)state;
    assert_int_equal(each("crypto/hmac_sha256_test.json", check_hmac), 174);
}

static bool check_hkdf(const struct json *group, const struct json *test)
{
    static uint8_t out[8192];
    size_t n = number_of(test, "size");

    (void)group;
    if (!is_valid(test)) {
        expect_err("size", mac_hkdf256_raw(out, n, BYTES_NONE, BYTES_NONE, BYTES_NONE),
                   ERR_TOO_LARGE, "8160");
        return true;
    }
    expect_ok("hkdf", mac_hkdf256_raw(out, n, hex_of(test, "ikm"), hex_of(test, "salt"),
                                      hex_of(test, "info")));
    assert_true(bytes_equal(bytes_of(out, n), hex_of(test, "okm")));
    return true;
}

static void hkdf(void **state)
{
    (void)state;
    assert_int_equal(each("crypto/hkdf_sha256_test.json", check_hkdf), 86);
}

static bool check_oaep(const struct json *group, const struct json *test)
{
    struct bytes msg = hex_of(test, "msg");
    bool opens = is_valid(test) && json_string(json_get(test, "label")).n == 0;
    struct rsa_key *key = NULL;
    uint8_t out[RSA_MODULUS_BYTES];
    size_t n = 0;

    expect_ok("pem", rsa_key_from_pem(&key, json_string(json_get(group, "privateKeyPem"))));
    expect_err("oaep", rsa_oaep_open(key, out, sizeof(out), &n, hex_of(test, "ct")),
               opens ? ERR_NONE : ERR_CORRUPT, opens ? NULL : "encrypted key does not open");
    assert_true(!opens || bytes_equal(bytes_of(out, n), msg));
    rsa_key_free(&key);
    return true;
}

static void oaep(void **state)
{
    (void)state;
    assert_int_equal(each("crypto/rsa_oaep_2048_sha256_mgf1sha256_test.json", check_oaep), 37);
}

// A strict DER signature of two integers that fit 32 bytes, as r || s; false for anything else.
static bool read_der(uint8_t out[64], struct bytes der)
{
    struct rd rd = rd_of(der);
    struct bytes part[2];

    if (rd_u8(&rd) != 0x30 || rd_u8(&rd) != der.n - 2)
        return false;
    for (size_t i = 0; i < 2; i++) {
        if (rd_u8(&rd) != 0x02)
            return false;
        part[i] = rd_var8(&rd, 33);
        if (part[i].n == 0 || part[i].p[0] > 0x7f || (part[i].n == 33 && part[i].p[0]))
            return false;
        if (part[i].n > 1 && part[i].p[0] == 0 && part[i].p[1] <= 0x7f)
            return false;
        if (part[i].n == 33)
            part[i] = bytes_skip(part[i], 1);
        memset(out + 32 * i, 0, 32);
        memcpy(out + 32 * i + 32 - part[i].n, part[i].p, part[i].n);
    }
    return rd_end(&rd).code == ERR_NONE;
}

// Recovery must find the signer of a valid low-s signature, and of no invalid one.
static bool check_recover(const struct json *group, const struct json *test)
{
    struct bytes point = hex_of(json_get(group, "publicKey"), "uncompressed");
    uint8_t signature[ECDSA_SIGNATURE_BYTES];
    uint8_t out[ECDSA_PUBLIC_BYTES];
    uint8_t digest[32];
    bool found = false;
    bool low;

    if (!read_der(signature, hex_of(test, "sig")))
        return false;
    sha2_256(digest, hex_of(test, "msg"));
    for (uint8_t parity = 0; parity < 2; parity++) {
        signature[64] = parity;
        found |= ecdsa_recover(out, digest, signature).code == ERR_NONE &&
                 memcmp(out + 1, point.p + 1, 32) == 0 && out[0] == 2 + point.p[64] % 2;
    }
    low = signature[32] <= 0x7f; // as good as: no case lies between 7fff... and the half
    if (!is_valid(test))
        assert_false(found);
    if (is_valid(test) && !low)
        assert_false(found);
    return found;
}

static void recover(void **state)
{
    unsigned found;

    (void)state;
    found = each("crypto/ecdsa_secp256k1_sha256_test.json", check_recover);
    // The others have a high s, a malformed DER or an r that wrapped around the order.
    assert_int_equal(found, 96);
}

static void rfc6979(void **state)
{
    const struct json *root = load("crypto/rfc6979.json");
    uint8_t signature[ECDSA_SIGNATURE_BYTES];
    uint8_t recovered[ECDSA_PUBLIC_BYTES];
    uint8_t public_key[ECDSA_PUBLIC_BYTES];
    uint8_t digest[32];
    struct seckey key;

    (void)state;
    assert_int_equal(root->count, 10);
    for (const struct json *test = root->child; test; test = test->next) {
        memcpy(key.b, hex_of(test, "d").p, sizeof(key.b));
        sha2_256(digest, json_string(json_get(test, "message")));
        expect_ok("sign", ecdsa_sign(signature, digest, &key));
        expect_ok("public", ecdsa_public(public_key, &key));
        expect_ok("recover", ecdsa_recover(recovered, digest, signature));
        assert_memory_equal(recovered, public_key, sizeof(public_key));
    }
}

static void hashes(void **state)
{
    const struct json *root = load("crypto/ethers-hashes.json");
    uint8_t out[32];

    (void)state;
    assert_int_equal(root->count, 257);
    for (const struct json *test = root->child; test; test = test->next) {
        struct bytes data = unhex(bytes_skip(json_string(json_get(test, "data")), 2));

        keccak_256(out, data);
        assert_true(bytes_equal(BYTES_OF(out),
                                unhex(bytes_skip(json_string(json_get(test, "keccak256")), 2))));
        sha2_256(out, data);
        assert_true(bytes_equal(BYTES_OF(out),
                                unhex(bytes_skip(json_string(json_get(test, "sha256")), 2))));
    }
}

static int init(void **state)
{
    static const uint8_t seed[32] = { 9 };

    (void)state;
    ecdsa_init(seed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(aes_gcm), cmocka_unit_test(hmac),    cmocka_unit_test(hkdf),
        cmocka_unit_test(oaep),    cmocka_unit_test(recover), cmocka_unit_test(rfc6979),
        cmocka_unit_test(hashes),
    };

    return cmocka_run_group_tests(tests, init, NULL);
}
