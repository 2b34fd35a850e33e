// SPDX-License-Identifier: Apache-2.0
// net/tls_key.h: the two inputs that a TLS server signs reach the key's owner as they should, and
// nothing else does, whoever in this process asks.
#include "net/tls_key.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/async.h>

#include "base/wr.h"
#include "expect.h"
#include "tlspki.h"

#define SPACES    "                                                                "
#define VERIFY13  "TLS 1.3, server CertificateVerify\0"
#define BYTES_32  "0123456789abcdef0123456789ABCDEF"
#define BYTES_48  BYTES_32 "0123456789abcdef"
#define BYTES_64  BYTES_32 BYTES_32
#define POINT_65  "\x04" BYTES_64
#define POINT_97  "\x04" BYTES_48 BYTES_48
#define SIGNATURE "\x30\x06\x02\x01\x01\x02\x01\x01"

enum mode { NOW, LATER, EMPTY, LONG, REFUSES, NEVER };

static struct owner {
    enum mode mode;
    unsigned asked, woken, released;
    enum tls_key_kind kind;
    uint8_t input[256];
    size_t n;
    struct tls_key_job *job;
} owner;

static struct tlspki pair;
static EVP_PKEY *key;

static struct err owner_sign(void *context, struct tls_key_job *job, enum tls_key_kind kind,
                             struct bytes input)
{
    static uint8_t much[TLS_KEY_DER_MAX + 1];

    assert_ptr_equal(context, &owner);
    assert_true(input.n <= sizeof(owner.input));
    owner.asked++;
    owner.kind = kind;
    memcpy(owner.input, input.p, input.n);
    owner.n = input.n;
    owner.job = NULL;
    if (owner.mode == REFUSES)
        return FAIL(ERR_BUSY, "not now");
    if (owner.mode == NOW)
        tls_key_done(job, BYTES_LIT(SIGNATURE));
    else if (owner.mode == EMPTY)
        tls_key_done(job, BYTES_NONE);
    else if (owner.mode == LONG)
        tls_key_done(job, BYTES_OF(much));
    else
        owner.job = job;
    return OK;
}

static void owner_release(void *context)
{
    assert_ptr_equal(context, &owner);
    owner.released++;
}

static int owner_woken(void *context)
{
    assert_ptr_equal(context, &owner);
    owner.woken++;
    return 1;
}

// What somebody wants signed, and what came of it.
struct wish {
    const char *digest;
    struct bytes data;
    size_t cap, n;
    uint8_t out[128];
    int result;
};

static int wish_sign(void *argument)
{
    struct wish *wish = *(struct wish **)argument;
    EVP_MD_CTX *md = EVP_MD_CTX_new();

    wish->result =
        EVP_DigestSignInit_ex(md, NULL, wish->digest, tls_key_library(), NULL, key, NULL);
    if (wish->result == 1) {
        wish->n = wish->cap;
        wish->result = EVP_DigestSign(md, wish->out, &wish->n, wish->data.p, wish->data.n);
    }
    EVP_MD_CTX_free(md);
    return 1;
}

// In a fibre, as libssl does it; `answer` is given in between.
static void carry_out(struct wish *wish, const struct bytes *answer)
{
    ASYNC_WAIT_CTX *wait = ASYNC_WAIT_CTX_new();
    ASYNC_JOB *fibre = NULL;
    int result;

    assert_int_equal(ASYNC_WAIT_CTX_set_callback(wait, owner_woken, &owner), 1);
    for (;;) {
        int state = ASYNC_start_job(&fibre, wait, &result, wish_sign, &wish, sizeof(struct wish *));

        if (state != ASYNC_PAUSE) {
            assert_int_equal(state, ASYNC_FINISH);
            break;
        }
        if (answer) {
            assert_int_equal(owner.woken, 0);
            tls_key_done(owner.job, *answer);
            assert_int_equal(owner.woken, 1);
        }
    }
    ASYNC_WAIT_CTX_free(wait);
}

#define WISH(text)                                                          \
    {                                                                       \
        .digest = "SHA256", .data = BYTES_LIT(text), .cap = TLS_KEY_DER_MAX \
    }

static void test_taken(void **state)
{
    const struct {
        const char *name;
        struct bytes data;
        enum tls_key_kind kind;
        struct bytes input;
    } cases[] = {
        { "1.3, SHA-256", BYTES_LIT(SPACES VERIFY13 BYTES_32), TLS_KEY_VERIFY13,
          BYTES_LIT(BYTES_32) },
        { "1.3, SHA-384", BYTES_LIT(SPACES VERIFY13 BYTES_48), TLS_KEY_VERIFY13,
          BYTES_LIT(BYTES_48) },
        { "1.2, P-256", BYTES_LIT(BYTES_64 "\x03\x00\x17\x41" POINT_65), TLS_KEY_EXCHANGE12,
          BYTES_LIT(BYTES_64 "\x03\x00\x17\x41" POINT_65) },
        { "1.2, P-384", BYTES_LIT(BYTES_64 "\x03\x00\x18\x61" POINT_97), TLS_KEY_EXCHANGE12,
          BYTES_LIT(BYTES_64 "\x03\x00\x18\x61" POINT_97) },
        { "1.2, X25519", BYTES_LIT(BYTES_64 "\x03\x00\x1d\x20" BYTES_32), TLS_KEY_EXCHANGE12,
          BYTES_LIT(BYTES_64 "\x03\x00\x1d\x20" BYTES_32) },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct wish wish = { "SHA256", cases[i].data, TLS_KEY_DER_MAX, 0, { 0 }, 0 };

        owner = (struct owner) { .mode = NOW };
        carry_out(&wish, NULL);
        if (wish.result != 1 || owner.asked != 1 || owner.kind != cases[i].kind ||
            !bytes_equal(bytes_of(owner.input, owner.n), cases[i].input) ||
            !bytes_equal(bytes_of(wish.out, wish.n), BYTES_LIT(SIGNATURE)))
            fail_msg("%s", cases[i].name);
    }
}

static void test_refused(void **state)
{
    const struct {
        const char *name;
        struct wish wish;
    } cases[] = {
        { "nothing", WISH("") },
        { "any text", WISH("sign this") },
        { "32 bytes", WISH(BYTES_32) },
        { "a client's", WISH(SPACES "TLS 1.3, client CertificateVerify\0" BYTES_32) },
        { "another context", WISH(SPACES "TLS 1.3, server CertificateVerifx\0" BYTES_32) },
        { "no NUL", WISH(SPACES "TLS 1.3, server CertificateVerify " BYTES_32) },
        { "a space less", WISH("x" SPACES VERIFY13 BYTES_32 "") },
        { "one space more", WISH(" " SPACES VERIFY13 BYTES_32) },
        { "no hash", WISH(SPACES VERIFY13) },
        { "a short hash", WISH(SPACES VERIFY13 "0123456789abcdef0123456789ABCDE") },
        { "a long hash", WISH(SPACES VERIFY13 BYTES_32 "0") },
        { "SHA-512", WISH(SPACES VERIFY13 BYTES_64) },
        { "explicit prime", WISH(BYTES_64 "\x01\x00\x17\x41" POINT_65) },
        { "secp256k1", WISH(BYTES_64 "\x03\x00\x16\x41" POINT_65) },
        { "P-521", WISH(BYTES_64 "\x03\x00\x19\x41" POINT_65) },
        { "X448", WISH(BYTES_64 "\x03\x00\x1e\x38" BYTES_48 "01234567") },
        { "a short point", WISH(BYTES_64 "\x03\x00\x17\x40" BYTES_64) },
        { "X25519 of 65", WISH(BYTES_64 "\x03\x00\x1d\x41" POINT_65) },
        { "a cut point", WISH(BYTES_64 "\x03\x00\x17\x41" BYTES_64) },
        { "bytes after it", WISH(BYTES_64 "\x03\x00\x1d\x20" BYTES_32 "0") },
        { "randoms only", WISH(BYTES_64) },
        { "SHA-384",
          { .digest = "SHA384", .data = BYTES_LIT(SPACES VERIFY13 BYTES_32), .cap = 72 } },
        { "SHA-1", { .digest = "SHA1", .data = BYTES_LIT(SPACES VERIFY13 BYTES_32), .cap = 72 } },
        { "no room",
          { .digest = "SHA256", .data = BYTES_LIT(SPACES VERIFY13 BYTES_32), .cap = 71 } },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct wish wish = cases[i].wish;

        owner = (struct owner) { .mode = NOW };
        carry_out(&wish, NULL);
        if (wish.result == 1 || owner.asked != 0)
            fail_msg("%s", cases[i].name);
    }
}

// Without a fibre nobody can wait: nothing is asked.
static void test_no_fibre(void **state)
{
    struct wish wish = WISH(SPACES VERIFY13 BYTES_32), *argument = &wish;

    (void)state;
    owner = (struct owner) { .mode = NOW };
    assert_int_equal(wish_sign(&argument), 1);
    assert_int_equal(wish.result, 0);
    assert_int_equal(owner.asked, 0);
}

static void test_owners(void **state)
{
    const struct {
        const char *name;
        enum mode mode;
        struct bytes answer;
        int result;
    } cases[] = {
        { "later", LATER, BYTES_LIT(SIGNATURE), 1 }, { "fails later", LATER, BYTES_NONE, 0 },
        { "fails at once", EMPTY, BYTES_NONE, 0 },   { "too long", LONG, BYTES_NONE, 0 },
        { "refuses", REFUSES, BYTES_NONE, 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct wish wish = WISH(SPACES VERIFY13 BYTES_32);

        owner = (struct owner) { .mode = cases[i].mode };
        carry_out(&wish, &cases[i].answer);
        if (wish.result != cases[i].result || owner.asked != 1)
            fail_msg("%s", cases[i].name);
    }
}

// A fibre that goes on before the answer ends without a signature; the answer finds nobody.
static void test_abandoned(void **state)
{
    struct wish wish = WISH(SPACES VERIFY13 BYTES_32);

    (void)state;
    owner = (struct owner) { .mode = NEVER };
    carry_out(&wish, NULL);
    assert_int_equal(wish.result, 0);
    tls_key_done(owner.job, BYTES_LIT(SIGNATURE));
    assert_int_equal(owner.woken, 0);
}

static struct tls_key describe(void)
{
    struct tls_key described = { .sign = owner_sign, .context = &owner };

    tlspki_point(described.point, &pair);
    return described;
}

static void test_points(void **state)
{
    struct tls_key described = describe();
    EVP_PKEY *made = NULL;

    (void)state;
    owner = (struct owner) { .mode = NOW };
    memset(described.point + 1, 0xff, 32);
    expect_err("no point", tls_key_new(&made, &described, owner_release, &owner), ERR_MALFORMED,
               "P-256");
    described = describe();
    described.point[0] = 4;
    expect_err("form", tls_key_new(&made, &described, owner_release, &owner), ERR_MALFORMED,
               "P-256");
    assert_null(made);
    assert_int_equal(owner.released, 0);
    described = describe();
    expect_ok("key", tls_key_new(&made, &described, owner_release, &owner));
    assert_int_equal(EVP_PKEY_eq(made, pair.key), 1);
    assert_int_equal(EVP_PKEY_get_size(made), TLS_KEY_DER_MAX);
    EVP_PKEY_free(made);
    assert_int_equal(owner.released, 1);
}

// Nothing that there is of the private key can be had, as there is nothing.
static void test_no_private_key(void **state)
{
    uint8_t out[64];
    size_t n = 0;
    BIGNUM *number = NULL;

    (void)state;
    assert_int_equal(EVP_PKEY_get_bn_param(key, "priv", &number), 0);
    assert_int_equal(EVP_PKEY_get_raw_private_key(key, out, &n), 0);
    assert_true(i2d_PrivateKey(key, NULL) <= 0);
}

static int set_up(void **state)
{
    struct tls_key described;

    (void)state;
    pair = tlspki_make(&(struct tlspki_form) { .name = "pair" }, NULL);
    described = describe();
    tls_key_enter_thread();
    return tls_key_new(&key, &described, owner_release, &owner).code ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    EVP_PKEY_free(key);
    tlspki_done(&pair);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_taken),          cmocka_unit_test(test_refused),
        cmocka_unit_test(test_no_fibre),       cmocka_unit_test(test_owners),
        cmocka_unit_test(test_abandoned),      cmocka_unit_test(test_points),
        cmocka_unit_test(test_no_private_key),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
