// SPDX-License-Identifier: Apache-2.0
// crypto/openssl/hpke.h. The first case is CFRG's (test-vectors.json of RFC 9180: kem 32, kdf 1,
// aead 2, mode 0, encryption 0); the others were computed in Python, as was the message that
// another library sealed.
#include "crypto/openssl/hpke.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/hex.h"
#include "base/must.h"
#include "crypto/openssl/libcrypto.h"
#include "expect.h"

#include <string.h>

#define TEXT_MAX 256

static const char recipient_scalar[] =
    "497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d";
static const char recipient_public[] =
    "430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c";
static const char ephemeral_scalar[] =
    "179d4b53b6365c45b600c4163b61d95cbc2f4d9e36f1695558dce265ab8bab11";
static const char ephemeral_public[] =
    "6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256";

static struct hpke_key *recipient, *ephemeral;
static uint8_t public_key[HPKE_PUBLIC_BYTES], enc[HPKE_ENC_BYTES];
static uint8_t long_info[HPKE_INFO_MAX + 1], long_aad[300], long_text[200];

static struct hpke_key *key_of(const char *digits)
{
    struct seckey scalar;
    struct hpke_key *key;

    expect_ok("scalar", hex_decode(scalar.b, sizeof(scalar.b), bytes_str(digits)));
    expect_ok("key", hpke_key_of(&key, &scalar));
    return key;
}

static int make_keys(void **state)
{
    (void)state;
    memset(long_info, 'i', sizeof(long_info));
    memset(long_aad, 'a', sizeof(long_aad));
    memset(long_text, 'p', sizeof(long_text));
    recipient = key_of(recipient_scalar);
    ephemeral = key_of(ephemeral_scalar);
    expect_ok("public", hpke_key_public(recipient, public_key));
    expect_ok("enc", hpke_key_public(ephemeral, enc));
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    hpke_key_free(&recipient);
    hpke_key_free(&ephemeral);
    hpke_key_free(&ephemeral);
    return 0;
}

static void keys(void **state)
{
    AUTO(hpke_key_free) struct hpke_key *one = NULL;
    AUTO(hpke_key_free) struct hpke_key *other = NULL;
    uint8_t first[HPKE_PUBLIC_BYTES], second[HPKE_PUBLIC_BYTES];
    char digits[2 * HPKE_PUBLIC_BYTES + 1];

    (void)state;
    hex_encode(digits, BYTES_OF(public_key));
    assert_string_equal(digits, recipient_public);
    hex_encode(digits, BYTES_OF(enc));
    assert_string_equal(digits, ephemeral_public);
    expect_ok("new", hpke_key_new(&one));
    expect_ok("new", hpke_key_new(&other));
    expect_ok("public", hpke_key_public(one, first));
    expect_ok("public", hpke_key_public(other, second));
    assert_memory_not_equal(first, second, sizeof(first));
}

static void known_answers(void **state)
{
    const struct {
        const char *name;
        struct hpke_bound bound;
        struct bytes text;
        const char *sealed;
    } cases[] = {
        { "cfrg",
          { BYTES_LIT("Ode on a Grecian Urn"), BYTES_LIT("Count-0") },
          BYTES_LIT("Beauty is truth, truth beauty"),
          "e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f51"
          "2be9931980a41de125a925cdad859d5b7a" },
        { "empty", { BYTES_NONE, BYTES_NONE }, BYTES_NONE, "ba0d0907a174c2caaab219730c77c9e3" },
        { "long",
          { bytes_of(long_info, HPKE_INFO_MAX), BYTES_OF(long_aad) },
          BYTES_OF(long_text),
          "4ae99624da59e6ca6e80d4001541914509936ee9fcb17f9c99eb061497bd2856c30d144b7087910a0889bc75"
          "8ea3ac80dca10478b40c47741f1e8a13daaaedc41a6dec03b07a1caf624e0f20cdacd31fe964b88cb45c8efe"
          "63b663f0df49c871f1bd641e0007c4f0bd270845114f858dd8ad46241972d8381c588a3c38a3028f8eb6b5ff"
          "59927ba6331425b5f881ebcd68248be704b7bc41d5b761aebc67f8349fda4747a82add476293c6bb2449128d"
          "c03a9ea299123ac7f0d2745994914a32b9b5378352f6358e32e0bf8b77467297f42d287ec34dc557" },
    };
    uint8_t sealed[TEXT_MAX], text[TEXT_MAX];
    char digits[2 * TEXT_MAX + 1];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct wr box = WR_OF(sealed);
        struct wr opened = WR_OF(text);

        expect_ok(cases[i].name,
                  hpke_seal_with(&box, ephemeral, public_key, &cases[i].bound, cases[i].text));
        hex_encode(digits, wr_done(&box));
        assert_string_equal(digits, cases[i].sealed);
        expect_ok(cases[i].name,
                  hpke_open(&opened, recipient, enc, &cases[i].bound, wr_done(&box)));
        assert_true(bytes_equal(wr_done(&opened), cases[i].text));
    }
}

static void another_library(void **state)
{
    static const char message[] =
        "e0032319aaccf54700ce32998ef2df2d09e5a3ded146b7b9bd09c150b56cd84a6204c91a73d1171a20344616"
        "969f35796ba09817f8e6fc48223ac2288f056c446819c82f7eed569410";
    const struct hpke_bound bound = { BYTES_LIT("interop"), BYTES_NONE };
    uint8_t whole[(sizeof(message) - 1) / 2], text[TEXT_MAX];
    struct wr opened = WR_OF(text);

    (void)state;
    expect_ok("hex", hex_decode(whole, sizeof(whole), bytes_str(message)));
    expect_ok("open", hpke_open(&opened, recipient, whole, &bound,
                                bytes_skip(BYTES_OF(whole), HPKE_ENC_BYTES)));
    assert_true(bytes_equal(wr_done(&opened), BYTES_LIT("sealed by another library")));
}

static void fresh_keys(void **state)
{
    const struct hpke_bound bound = { BYTES_LIT("info"), BYTES_LIT("aad") };
    uint8_t first[TEXT_MAX], second[TEXT_MAX], text[TEXT_MAX], other_enc[HPKE_ENC_BYTES];
    uint8_t first_enc[HPKE_ENC_BYTES];
    struct wr a = WR_OF(first), b = WR_OF(second), opened = WR_OF(text);

    (void)state;
    wr_str(&a, "before"); // what is in a writer stays
    expect_ok("seal", hpke_seal(&a, first_enc, public_key, &bound, BYTES_LIT("the same text")));
    expect_ok("seal", hpke_seal(&b, other_enc, public_key, &bound, BYTES_LIT("the same text")));
    assert_memory_not_equal(first_enc, other_enc, sizeof(other_enc));
    assert_memory_not_equal(first + 6, second, 13);
    wr_str(&opened, "before, ");
    expect_ok("open", hpke_open(&opened, recipient, first_enc, &bound, bytes_skip(wr_done(&a), 6)));
    assert_true(bytes_equal(wr_done(&opened), BYTES_LIT("before, the same text")));
}

static void every_bit(void **state)
{
    const struct hpke_bound bound = { BYTES_LIT("info"), BYTES_LIT("aad") };
    uint8_t sealed[40], text[40], changed[HPKE_ENC_BYTES];
    struct wr box = WR_OF(sealed);

    (void)state;
    expect_ok("seal", hpke_seal_with(&box, ephemeral, public_key, &bound, BYTES_LIT("a text")));
    for (unsigned bit = 0; bit < 8 * box.len; bit++) {
        struct wr opened = WR_OF(text);

        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        memset(text, 0xee, sizeof(text));
        expect_err("ciphertext", hpke_open(&opened, recipient, enc, &bound, wr_done(&box)),
                   ERR_CORRUPT, "does not open");
        assert_true(opened.bad && wr_done(&opened).n == 0);
        assert_true(ct_is_zero(bytes_of(text, 6)));
        sealed[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    for (unsigned bit = 0; bit < 8 * HPKE_ENC_BYTES; bit++) { // the unused highest one, too
        struct wr opened = WR_OF(text);

        memcpy(changed, enc, sizeof(changed));
        changed[bit / 8] ^= (uint8_t)(1 << bit % 8);
        expect_err("enc", hpke_open(&opened, recipient, changed, &bound, wr_done(&box)),
                   ERR_CORRUPT, "does not open");
    }
}

static void other_things(void **state)
{
    const struct hpke_bound bound = { BYTES_LIT("info"), BYTES_LIT("aad") };
    const struct {
        const char *name;
        struct hpke_bound bound;
        size_t cut;
    } cases[] = {
        { "other info", { BYTES_LIT("infp"), BYTES_LIT("aad") }, 0 },
        { "no info", { BYTES_NONE, BYTES_LIT("aad") }, 0 },
        { "other aad", { BYTES_LIT("info"), BYTES_LIT("aae") }, 0 },
        { "no aad", { BYTES_LIT("info"), BYTES_NONE }, 0 },
        { "moved from one to the other", { BYTES_LIT("infoaad"), BYTES_NONE }, 0 },
        { "info too long", { BYTES_OF(long_info), BYTES_LIT("aad") }, 0 },
        { "one byte less", bound, 1 },
        { "the tag alone", bound, 6 },
        { "less than a tag", bound, 7 },
        { "nothing", bound, 22 },
    };
    AUTO(hpke_key_free) struct hpke_key *other = NULL;
    uint8_t sealed[40], text[40];
    struct wr box = WR_OF(sealed), opened = WR_OF(text);

    (void)state;
    expect_ok("seal", hpke_seal_with(&box, ephemeral, public_key, &bound, BYTES_LIT("a text")));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        opened = WR_OF(text);
        expect_err(cases[i].name,
                   hpke_open(&opened, recipient, enc, &cases[i].bound,
                             bytes_take(wr_done(&box), box.len - cases[i].cut)),
                   ERR_CORRUPT, "does not open");
    }
    expect_ok("other key", hpke_key_new(&other));
    opened = WR_OF(text);
    expect_err("other key", hpke_open(&opened, other, enc, &bound, wr_done(&box)), ERR_CORRUPT,
               "does not open");
    opened = wr_of(text, 5);
    expect_err("no room", hpke_open(&opened, recipient, enc, &bound, wr_done(&box)), ERR_TOO_LARGE,
               "longer");
    opened = wr_of(text, 6);
    expect_ok("room", hpke_open(&opened, recipient, enc, &bound, wr_done(&box)));
}

// Points of order 1, 2, 4 and 8, also in encodings that are not the shortest (RFC 7748 6.1; the
// list is D. J. Bernstein's): the shared secret would be zeros for every scalar.
static const char *const small_order[] = {
    "0000000000000000000000000000000000000000000000000000000000000000",
    "0000000000000000000000000000000000000000000000000000000000000080",
    "0100000000000000000000000000000000000000000000000000000000000000",
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
};

static void small_orders(void **state)
{
    const struct hpke_bound bound = { BYTES_NONE, BYTES_NONE };
    uint8_t point[HPKE_PUBLIC_BYTES], made[HPKE_ENC_BYTES], sealed[64] = { 0 }, text[64];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(small_order); i++) {
        struct wr box = WR_OF(sealed), opened = WR_OF(text);

        expect_ok("hex", hex_decode(point, sizeof(point), bytes_str(small_order[i])));
        expect_err("seal", hpke_seal(&box, made, point, &bound, BYTES_LIT("text")), ERR_MALFORMED,
                   "large order");
        assert_int_equal(box.len, 0);
        expect_err("open", hpke_open(&opened, recipient, point, &bound, BYTES_OF(sealed)),
                   ERR_CORRUPT, "does not open");
    }
}

static void seal_refused(void **state)
{
    const struct hpke_bound bound = { BYTES_LIT("info"), BYTES_NONE };
    const struct hpke_bound too_long = { BYTES_OF(long_info), BYTES_NONE };
    uint8_t sealed[20], made[HPKE_ENC_BYTES];
    struct wr box = WR_OF(sealed);

    (void)state;
    expect_err("info", hpke_seal(&box, made, public_key, &too_long, BYTES_LIT("four")),
               ERR_TOO_LARGE, "1024");
    expect_ok("fits", hpke_seal(&box, made, public_key, &bound, BYTES_LIT("four")));
    expect_err("full", hpke_seal(&box, made, public_key, &bound, BYTES_LIT("four")), ERR_TOO_LARGE,
               "no room");
    box = WR_OF(sealed);
    expect_err("room", hpke_seal(&box, made, public_key, &bound, BYTES_LIT("seven b")),
               ERR_TOO_LARGE, "no room");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys),
        cmocka_unit_test(known_answers),
        cmocka_unit_test(another_library),
        cmocka_unit_test(fresh_keys),
        cmocka_unit_test(every_bit),
        cmocka_unit_test(other_things),
        cmocka_unit_test(small_orders),
        cmocka_unit_test(seal_refused),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
