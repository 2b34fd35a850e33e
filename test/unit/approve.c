// SPDX-License-Identifier: Apache-2.0
// crypto/openssl/approve.h and crypto/dersig.h. The signatures were computed by a few lines of
// Python after RFC 8032 and SEC 1, which another library confirmed; the refusals follow those of
// Wycheproof.
#include "crypto/openssl/approve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "approving.h"
#include "base/must.h"
#include "crypto/dersig.h"
#include "expect.h"

#include <string.h>

// The same S with the group order added.
#define ED_S_HIGH "819308100abfaf1c6a0f8e166c53b529e0dd0ff9a432b050d15de32091fc0411"

#define EC_X    "bf97d0ee1866aac6f80826ebadc42f3d81e1b6b8f298f5d3ebe7542b7cb483a7"
#define EC_KEY  "02" EC_X
#define EC_R    "4692f05cc81f736bc2d5866a11d0207d38f0710a6218befe66e0a2c36690e8bb"
#define EC_S    "f7b04a1985eec2f63d1b9d80c9897981a7cf9cd1d2b4be60d24cdec0aa7d3b99"
#define EC_NO_S "084fb5e57a113d0ac2e4627f3676867e15175ddbd462e024216cec0251e5e9b8" // n - s
#define EC_N    "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551"

#define ZERO "0000000000000000000000000000000000000000000000000000000000000000"
#define ONE  "0000000000000000000000000000000000000000000000000000000000000001"

static void keys(void **state)
{
    static const struct {
        const char *name;
        enum approve_type type;
        const char *key;
    } good[] = {
        { "ed25519", APPROVE_ED25519, ED_KEY },
        { "ed25519, the other x", APPROVE_ED25519,
          "2543b92ff1095511476adc8369db6ddc933665a11978dda1404ee1066ca9551d" },
        { "ed25519, base point", APPROVE_ED25519,
          "5866666666666666666666666666666666666666666666666666666666666666" },
        { "ed25519, y = 3", APPROVE_ED25519,
          "0300000000000000000000000000000000000000000000000000000000000000" },
        { "p-256", APPROVE_P256, EC_KEY },
        { "p-256, the other y", APPROVE_P256, "03" EC_X },
        { "p-256, x = 5", APPROVE_P256,
          "020000000000000000000000000000000000000000000000000000000000000005" },
    };
    struct hex key;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++)
        expect_ok(good[i].name, approve_check_key(good[i].type, from_hex(&key, good[i].key)));
}

static void keys_refused(void **state)
{
    static const struct {
        const char *name;
        enum approve_type type;
        const char *key, *what;
    } cases[] = {
        { "type 0", (enum approve_type)0, ED_KEY, "type" },
        { "type 3", (enum approve_type)3, ED_KEY, "type" },
        { "ed25519, nothing", APPROVE_ED25519, "", "32 bytes" },
        { "ed25519, 31 bytes", APPROVE_ED25519, &ED_KEY[2], "32 bytes" },
        { "ed25519, 33 bytes", APPROVE_ED25519, EC_KEY, "32 bytes" },
        { "ed25519, y = 2, off the curve", APPROVE_ED25519,
          "0200000000000000000000000000000000000000000000000000000000000000", "canonical" },
        { "ed25519, y = 7, off the curve", APPROVE_ED25519,
          "0700000000000000000000000000000000000000000000000000000000000080", "canonical" },
        { "ed25519, identity", APPROVE_ED25519,
          "0100000000000000000000000000000000000000000000000000000000000000", "large order" },
        { "ed25519, identity with a sign", APPROVE_ED25519,
          "0100000000000000000000000000000000000000000000000000000000000080", "large order" },
        { "ed25519, order 2", APPROVE_ED25519,
          "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "large order" },
        { "ed25519, order 4", APPROVE_ED25519, ZERO, "large order" },
        { "ed25519, order 4, the other", APPROVE_ED25519,
          "0000000000000000000000000000000000000000000000000000000000000080", "large order" },
        { "ed25519, order 8", APPROVE_ED25519,
          "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05", "large order" },
        { "ed25519, order 8, the second", APPROVE_ED25519,
          "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85", "large order" },
        { "ed25519, order 8, the third", APPROVE_ED25519,
          "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", "large order" },
        { "ed25519, order 8, the fourth", APPROVE_ED25519,
          "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa", "large order" },
        { "ed25519, 0 written as p", APPROVE_ED25519,
          "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "canonical" },
        { "ed25519, 1 written as p + 1", APPROVE_ED25519,
          "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "canonical" },
        { "ed25519, 3 written as p + 3", APPROVE_ED25519,
          "f0ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", "canonical" },
        { "ed25519, 18 written as p + 18", APPROVE_ED25519,
          "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff", "canonical" },
        { "p-256, nothing", APPROVE_P256, "", "33 bytes" },
        { "p-256, identity", APPROVE_P256, "00", "33 bytes" },
        { "p-256, identity, filled up", APPROVE_P256, "00" ZERO, "compressed" },
        { "p-256, 32 bytes", APPROVE_P256, EC_X, "33 bytes" },
        { "p-256, not compressed", APPROVE_P256, "04" EC_X EC_X, "33 bytes" },
        { "p-256, form 04 of 33 bytes", APPROVE_P256, "04" EC_X, "compressed" },
        { "p-256, form 06", APPROVE_P256, "06" EC_X, "compressed" },
        { "p-256, x = 1, off the curve", APPROVE_P256, "02" ONE, "on the curve" },
        { "p-256, x = 5 written as p + 5", APPROVE_P256,
          "02ffffffff00000001000000000000000000000001000000000000000000000004", "on the curve" },
        { "p-256, x = p", APPROVE_P256,
          "02ffffffff00000001000000000000000000000000ffffffffffffffffffffffff", "on the curve" },
    };
    uint8_t signature[APPROVE_SIGNATURE_BYTES] = { 1 };
    struct hex key;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        (void)from_hex(&key, cases[i].key);
        expect_err(cases[i].name, approve_check_key(cases[i].type, bytes_of(key.b, key.n)),
                   ERR_MALFORMED, cases[i].what);
        expect_err(cases[i].name,
                   approve_verify(cases[i].type, bytes_of(key.b, key.n), message, signature),
                   ERR_UNTRUSTED, "not usable");
    }
}

static void signatures(void **state)
{
    static const struct {
        const char *name;
        enum approve_type type;
        const char *key, *signature;
    } good[] = {
        { "ed25519", APPROVE_ED25519, ED_KEY, ED_R ED_S },
        { "p-256, high s", APPROVE_P256, EC_KEY, EC_R EC_S },
        { "p-256, low s", APPROVE_P256, EC_KEY, EC_R EC_NO_S },
        { "p-256, s of 31 bytes", APPROVE_P256, EC_KEY,
          "63ae8412ef568e3e8168111f066d9357d402378c8e769d4517ac2bd6e77d5cf5"
          "009110f77f391e39d0e01491b81aaf31108a12ccb6c9047c9a1901dcf64a5b01" },
    };
    struct hex key, signature;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        struct bytes public_key = from_hex(&key, good[i].key);

        assert_int_equal(from_hex(&signature, good[i].signature).n, APPROVE_SIGNATURE_BYTES);
        expect_ok(good[i].name, approve_verify(good[i].type, public_key, message, signature.b));
        for (unsigned bit = 0; bit < 8 * APPROVE_SIGNATURE_BYTES; bit += 3) {
            signature.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
            expect_err(good[i].name, approve_verify(good[i].type, public_key, message, signature.b),
                       ERR_UNTRUSTED, "signature");
            signature.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        }
    }
}

static void signatures_refused(void **state)
{
    static const struct {
        const char *name;
        enum approve_type type;
        const char *key, *signature;
    } cases[] = {
        { "ed25519, zeros", APPROVE_ED25519, ED_KEY, ZERO ZERO },
        { "ed25519, S + L", APPROVE_ED25519, ED_KEY, ED_R ED_S_HIGH },
        { "ed25519, S and R exchanged", APPROVE_ED25519, ED_KEY, ED_S ED_R },
        { "ed25519, the key's other x", APPROVE_ED25519,
          "2543b92ff1095511476adc8369db6ddc933665a11978dda1404ee1066ca9551d", ED_R ED_S },
        { "ed25519, any message under the identity", APPROVE_ED25519,
          "0100000000000000000000000000000000000000000000000000000000000000",
          "ef4f62f8479733ad879cfaced3c89a9c39dd4fc795ef2efa1c3eafe4d729a081"
          "3930000000000000000000000000000000000000000000000000000000000000" },
        { "ed25519 taken for p-256", APPROVE_P256, EC_KEY, ED_R ED_S },
        { "p-256 taken for ed25519", APPROVE_ED25519, ED_KEY, EC_R EC_S },
        { "p-256, zeros", APPROVE_P256, EC_KEY, ZERO ZERO },
        { "p-256, r = 0", APPROVE_P256, EC_KEY, ZERO EC_S },
        { "p-256, s = 0", APPROVE_P256, EC_KEY, EC_R ZERO },
        { "p-256, r = 1, s = 1", APPROVE_P256, EC_KEY, ONE ONE },
        { "p-256, r = n", APPROVE_P256, EC_KEY, EC_N EC_S },
        { "p-256, s = n", APPROVE_P256, EC_KEY, EC_R EC_N },
        { "p-256, r = n, s = n", APPROVE_P256, EC_KEY, EC_N EC_N },
        { "p-256, r = n, s = 0", APPROVE_P256, EC_KEY, EC_N ZERO },
        { "p-256, largest", APPROVE_P256, EC_KEY,
          "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff"
          "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff" },
        { "p-256, r and s exchanged", APPROVE_P256, EC_KEY, EC_S EC_R },
        { "p-256, the key's other y", APPROVE_P256, "03" EC_X, EC_R EC_S },
        { "p-256, message taken for its digest", APPROVE_P256, EC_KEY,
          EC_R "81a1c4e1fddffff7bda7e06746ffc7a1fe7fc0d980b1eef790097baa62615428" },
    };
    struct hex key, signature;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        (void)from_hex(&key, cases[i].key);
        assert_int_equal(from_hex(&signature, cases[i].signature).n, APPROVE_SIGNATURE_BYTES);
        expect_err(cases[i].name,
                   approve_verify(cases[i].type, bytes_of(key.b, key.n), message, signature.b),
                   ERR_UNTRUSTED, NULL);
    }
}

static void message_decides(void **state)
{
    uint8_t other[APPROVE_MESSAGE_BYTES];
    struct hex ed, ec, ed_signature, ec_signature;

    (void)state;
    (void)from_hex(&ed_signature, ED_R ED_S);
    (void)from_hex(&ec_signature, EC_R EC_S);
    for (unsigned bit = 0; bit < 8 * APPROVE_MESSAGE_BYTES; bit += 5) {
        memcpy(other, message, sizeof(other));
        other[bit / 8] ^= (uint8_t)(1 << bit % 8);
        expect_err("ed25519",
                   approve_verify(APPROVE_ED25519, from_hex(&ed, ED_KEY), other, ed_signature.b),
                   ERR_UNTRUSTED, "over this");
        expect_err("p-256",
                   approve_verify(APPROVE_P256, from_hex(&ec, EC_KEY), other, ec_signature.b),
                   ERR_UNTRUSTED, "over this");
    }
}

static void der(void **state)
{
    static const struct {
        const char *name, *raw, *der;
    } cases[] = {
        { "small", "0102", "3006020101020102" },
        { "high bits", "80ff", "300802020080020200ff" },
        { "leading zeros", "0000000100000080", "300702010102020080" },
        { "zeros", "00000000", "3006020100020100" },
    };
    struct hex raw, expected;
    uint8_t out[DERSIG_BYTES_MAX];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct wr wr = WR_OF(out);
        struct bytes r_s = from_hex(&raw, cases[i].raw);

        dersig_write(&wr, r_s);
        assert_true(bytes_equal(wr_done(&wr), from_hex(&expected, cases[i].der)));
    }
    for (size_t n = 1; n <= 48; n++) { // the largest of each size
        struct wr wr = WR_OF(out);

        memset(raw.b, 0xff, 2 * n);
        dersig_write(&wr, bytes_of(raw.b, 2 * n));
        assert_int_equal(wr.len, 2 * n + 8);
        for (size_t i = 0; i < 2; i++) {
            const uint8_t head[] = { 0x02, (uint8_t)(n + 1), 0 };

            assert_memory_equal(out + 2 + i * (n + 3), head, sizeof(head));
            assert_memory_equal(out + 5 + i * (n + 3), raw.b, n);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys),
        cmocka_unit_test(keys_refused),
        cmocka_unit_test(signatures),
        cmocka_unit_test(signatures_refused),
        cmocka_unit_test(message_decides),
        cmocka_unit_test(der),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
