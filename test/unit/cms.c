// SPDX-License-Identifier: Apache-2.0
// crypto/cms.h: genuine KMS answers, both content forms, and no other form.
#include "crypto/cms.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base64.h"
#include "base/wr.h"
#include "emu/envelope.h"
#include "expect.h"
#include "net/json.h"
#include "vectors.h"

#include <string.h>

// Where things lie in an answer of KMS's sizes.

#define SKI_AT     33
#define SKI_BYTES  32
#define KEY_AT     131
#define IV_AT      415
#define CONTENT_AT 431 // chunked: a0 80 04 30

static struct rsa_key *key;
static uint8_t spki[RSA_SPKI_BYTES];
static const uint8_t plain[CMS_CONTENT_MAX] = "a plaintext for the recipient";

static struct bytes decode(const struct json *text)
{
    uint8_t *out = vectors_memory(CMS_BYTES_MAX);
    size_t n = 0;

    expect_ok("base64", base64_decode(out, CMS_BYTES_MAX, &n, json_string(text)));
    return bytes_of(out, n);
}

static void check_sample(const struct json *sample)
{
    const struct json *parsed = json_get(sample, "parsed");
    struct bytes ber = decode(json_get(sample, "cms_base64"));
    struct bytes pem = json_string(json_get(sample, "private_key_pem"));
    struct rsa_key *recipient = NULL;
    uint8_t out[64];
    struct bytes expected = BYTES_NONE;
    struct cms cms;

    expect_ok("sample", cms_parse(&cms, ber));
    assert_true(
        bytes_equal(cms.encrypted_key, unhex(json_string(json_get(parsed, "encrypted_key")))));
    assert_true(bytes_equal(cms.iv, unhex(json_string(json_get(parsed, "iv")))));
    assert_true(bytes_equal(bytes_of(cms.content, cms.content_len),
                            unhex(json_string(json_get(parsed, "ciphertext")))));
    expect_err("another key", cms_open(out, 32, key, ber), ERR_CORRUPT, "CMS");
    if (!pem.p)
        return;
    expected = unhex(json_string(json_get(sample, "plaintext_hex")));
    assert_in_range(expected.n, 1, sizeof(out));
    expect_ok("pem", rsa_key_from_pem(&recipient, pem));
    expect_ok("open", cms_open(out, expected.n, recipient, ber));
    assert_memory_equal(out, expected.p, expected.n);
    expect_err("short", cms_open(out, expected.n - 1, recipient, ber), ERR_CORRUPT, "CMS");
    rsa_key_free(&recipient);
}

static void genuine_answers(void **state)
{
    static struct json nodes[256];
    struct bytes file = vectors_read("kms/ciphertext-for-recipient/samples.json");
    const struct json *root = NULL;
    unsigned checked = 0;

    (void)state;
    expect_ok("json", json_parse(&root, nodes, 256, (uint8_t *)(uintptr_t)file.p, file.n));
    for (const struct json *sample = root->child; sample; sample = sample->next, checked++)
        check_sample(sample);
    assert_int_equal(checked, 2);
}

static struct bytes seal(uint8_t *memory, size_t n, bool chunked)
{
    struct wr wr = wr_of(memory, CMS_BYTES_MAX);

    expect_ok("seal", envelope_seal(&wr, BYTES_OF(spki), bytes_of(plain, n), chunked));
    return wr_done(&wr);
}

// Sizes as AWS's answers have them: 457 primitive; 461, 477, 493 and 4573 in chunks.
static void both_forms(void **state)
{
    static const struct {
        size_t plain, sealed;
        bool chunked;
    } cases[] = {
        { 0, 457, false },    { 15, 457, false },    { 16, 473, false },   { 32, 489, false },
        { 1, 461, true },     { 28, 477, true },     { 32, 493, true },    { 1000, 1457, true },
        { 4096, 4573, true }, { 4096, 4555, false }, { 4111, 4573, true }, { 4111, 4555, false },
    };
    uint8_t memory[CMS_BYTES_MAX];
    uint8_t out[CMS_CONTENT_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct bytes ber = seal(memory, cases[i].plain, cases[i].chunked);

        assert_int_equal(ber.n, cases[i].sealed);
        expect_ok("open", cms_open(out, cases[i].plain, key, ber));
        assert_memory_equal(out, plain, cases[i].plain);
    }
}

static void seal_refusals(void **state)
{
    uint8_t memory[CMS_BYTES_MAX];
    uint8_t other[RSA_SPKI_BYTES];
    struct wr wr = WR_OF(memory);

    (void)state;
    expect_err("large", envelope_seal(&wr, BYTES_OF(spki), bytes_of(plain, 4112), true),
               ERR_TOO_LARGE, NULL);
    wr = wr_of(memory, 456);
    expect_err("no room", envelope_seal(&wr, BYTES_OF(spki), BYTES_NONE, false), ERR_TOO_LARGE,
               NULL);
    wr = WR_OF(memory);
    expect_err("no key", envelope_seal(&wr, BYTES_NONE, BYTES_NONE, false), ERR_MALFORMED, NULL);
    memcpy(other, spki, sizeof(other));
    other[10] ^= 1;
    expect_err("not RSA", envelope_seal(&wr, BYTES_OF(other), BYTES_NONE, false), ERR_MALFORMED,
               NULL);
    memcpy(other, spki, sizeof(other));
    other[sizeof(other) - 1] = 0; // an even exponent
    expect_err("exponent", envelope_seal(&wr, BYTES_OF(other), BYTES_NONE, false), ERR_MALFORMED,
               NULL);
}

static void truncated_or_longer(void **state)
{
    uint8_t memory[CMS_BYTES_MAX];
    struct cms cms;

    (void)state;
    for (int chunked = 0; chunked < 2; chunked++) {
        struct bytes ber = seal(memory, 32, chunked);

        for (size_t n = 0; n < ber.n; n++)
            expect_err("cut", cms_parse(&cms, bytes_of(memory, n)), ERR_MALFORMED, "CMS");
        memory[ber.n] = 0;
        expect_err("longer", cms_parse(&cms, bytes_of(memory, ber.n + 1)), ERR_MALFORMED, "CMS");
    }
    expect_err("limit", cms_parse(&cms, bytes_of(plain, CMS_BYTES_MAX + 1)), ERR_TOO_LARGE, NULL);
}

// What is not structure: the key identifier (not looked at), the IV and the encrypted content,
// which CBC does not authenticate.
static bool is_free(size_t at, size_t size)
{
    return (at >= SKI_AT && at < SKI_AT + SKI_BYTES) || (at >= IV_AT && at < IV_AT + 16) ||
           (at >= CONTENT_AT + 2 && at < size - 8);
}

static void every_changed_byte(void **state)
{
    static const uint8_t changes[] = { 0x01, 0x02, 0x80, 0xff };
    uint8_t memory[CMS_BYTES_MAX];
    uint8_t out[CMS_CONTENT_MAX];
    struct bytes ber = seal(memory, 32, false);

    (void)state;
    for (size_t i = 0; i < ber.n * sizeof(changes); i++) {
        size_t at = i / sizeof(changes);

        // An RSA operation for each byte of the encrypted key takes long: every 16th is enough.
        if (is_free(at, ber.n) || (at >= KEY_AT && at < KEY_AT + 256 && at % 16))
            continue;
        memory[at] ^= changes[i % sizeof(changes)];
        if (cms_open(out, 32, key, ber).code == ERR_NONE)
            fail_msg("opens with byte %zu changed", at);
        memory[at] ^= changes[i % sizeof(changes)];
    }
    expect_ok("as it was", cms_open(out, 32, key, ber));
}

// Replaces `n` bytes at `at` by `with`.
static struct bytes splice(uint8_t *out, struct bytes ber, size_t at, size_t n, struct bytes with)
{
    struct wr wr = wr_of(out, CMS_BYTES_MAX);

    wr_bytes(&wr, bytes_take(ber, at));
    wr_bytes(&wr, with);
    wr_bytes(&wr, bytes_skip(ber, at + n));
    return wr_done(&wr);
}

static void other_shapes(void **state)
{
    static const struct {
        const char *name;
        size_t at, n;
        struct bytes with;
    } cases[] = {
        { "no content", CONTENT_AT, 52, { NULL, 0 } },
        { "empty chunk", CONTENT_AT + 2, 0, { (const uint8_t *)"\x04", 2 } },
        { "chunk missing", CONTENT_AT + 2, 50, { NULL, 0 } },
        { "chunk of indefinite length", CONTENT_AT + 2, 2, { (const uint8_t *)"\x04\x80", 2 } },
        { "long form of a short length", CONTENT_AT + 3, 1, { (const uint8_t *)"\x81\x30", 2 } },
        { "longer form of a short length",
          CONTENT_AT + 3,
          1,
          { (const uint8_t *)"\x82\0\x30", 3 } },
        { "four bytes of length", CONTENT_AT + 3, 1, { (const uint8_t *)"\x84\0\0\0\x30", 5 } },
        { "not a whole block", CONTENT_AT + 3, 2, { (const uint8_t *)"\x2f", 1 } },
        { "chunk of another type", CONTENT_AT + 2, 1, { (const uint8_t *)"\x05", 1 } },
        { "definite outer length", 0, 2, { (const uint8_t *)"\x30\x82\x01\xe9", 4 } },
        { "no end", 483, 2, { NULL, 0 } },
        { "a fifth end", 483, 0, { (const uint8_t *)"\0", 2 } },
    };
    uint8_t memory[CMS_BYTES_MAX];
    uint8_t changed[CMS_BYTES_MAX];
    struct bytes ber = seal(memory, 32, true);
    struct cms cms;

    (void)state;
    expect_ok("as it is", cms_parse(&cms, ber));
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        expect_err(cases[i].name,
                   cms_parse(&cms, splice(changed, ber, cases[i].at, cases[i].n, cases[i].with)),
                   ERR_MALFORMED, "CMS");
}

static void content_limit(void **state)
{
    uint8_t memory[CMS_BYTES_MAX];
    uint8_t changed[CMS_BYTES_MAX];
    uint8_t chunk[18] = { 0x04, 16 };
    struct bytes ber = seal(memory, 4096, true);
    struct cms cms;

    (void)state;
    ber = splice(changed, ber, CONTENT_AT + 2, 0, BYTES_OF(chunk));
    expect_err("4128 bytes", cms_parse(&cms, ber), ERR_MALFORMED, "CMS");
}

static int init(void **state)
{
    (void)state;
    return rsa_key_new(&key).code || rsa_key_spki(key, spki).code;
}

static int done(void **state)
{
    (void)state;
    rsa_key_free(&key);
    return key != NULL;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(genuine_answers),    cmocka_unit_test(truncated_or_longer),
        cmocka_unit_test(other_shapes),       cmocka_unit_test(content_limit),
        cmocka_unit_test(every_changed_byte), cmocka_unit_test(both_forms),
        cmocka_unit_test(seal_refusals),
    };

    return cmocka_run_group_tests(tests, init, done);
}
