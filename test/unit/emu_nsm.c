// SPDX-License-Identifier: Apache-2.0
// emu/nsmdev.h: bytes as the real device's, PCRs that keep their locks, and documents that the
// product's verifier accepts.
#include "emu/nsmdev.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cbor.h"
#include "base/fd.h"
#include "base/hex.h"
#include "crypto/attest.h"
#include "emu/measure.h"
#include "emu_scene.h"

#include <time.h>

static struct nsmdev *dev;
static uint8_t answer[NSMDEV_RESPONSE_MAX];

static struct bytes ask(struct bytes request)
{
    struct wr wr = WR_OF(answer);

    nsmdev_answer(dev, &wr, request);
    assert_false(wr.bad);
    return wr_done(&wr);
}

static struct bytes ask_hex(const char *hex)
{
    static uint8_t request[8192];
    struct bytes text = bytes_str(hex);

    expect_ok(hex, hex_decode(request, text.n / 2, text));
    return ask(bytes_of(request, text.n / 2));
}

static void start(const struct nsmdev_options *options)
{
    nsmdev_free(&dev);
    expect_ok("module", nsmdev_new(&dev, options));
}

static int fresh(void **state)
{
    struct nsmdev_options options = scene_options();

    (void)state;
    start(&options);
    return 0;
}

static int gone(void **state)
{
    (void)state;
    nsmdev_free(&dev);
    return 0;
}

// What a device answered to each request, in this order (a recorded session with QEMU's virtio-nsm
// and the constants of nsm-api).
static void answers(void **state)
{
    static const struct {
        const char *name, *request, *answer;
    } cases[] = {
        { "DescribePCR 16", "a16b4465736372696265504352a165696e64657810",
          "a16b4465736372696265504352a2646461746158300000000000000000000000000000000000000000000000"
          "0000"
          "0000000000000000000000000000000000000000000000646c6f636bf4" },
        { "ExtendPCR 16 with abc", "a169457874656e64504352a265696e64657810646461746143616263",
          "a169457874656e64504352a164646174615830b1c16eb7634112b7c9d5ebd27e62a2d4528bbfcfd68b62d3af"
          "d9"
          "ecf98e0f413a84314acce78317fb69fd895155343e09" },
        { "LockPCR 16", "a1674c6f636b504352a165696e64657810", "674c6f636b504352" },
        { "DescribePCR 16 again", "a16b4465736372696265504352a165696e64657810",
          "a16b4465736372696265504352a264646174615830b1c16eb7634112b7c9d5ebd27e62a2d4528bbfcfd68b62"
          "d3"
          "afd9ecf98e0f413a84314acce78317fb69fd895155343e09646c6f636bf5" },
        { "LockPCRs 32", "a1684c6f636b50435273a16572616e67651820", "684c6f636b50435273" },
        { "DescribePCR 40", "a16b4465736372696265504352a165696e6465781828",
          "a1654572726f726c496e76616c6964496e646578" },
        { "ExtendPCR 0", "a169457874656e64504352a265696e64657800646461746143616263",
          "a1654572726f726d526561644f6e6c79496e646578" },
        { "LockPCR of a locked one", "a1674c6f636b504352a165696e64657803",
          "a1654572726f726d526561644f6e6c79496e646578" },
        { "LockPCRs 33", "a1684c6f636b50435273a16572616e67651821",
          "a1654572726f726c496e76616c6964496e646578" },
        { "unknown operation", "63466f6f", "a1654572726f7270496e76616c69644f7065726174696f6e" },
        { "DescribeNSM with fields", "a16b44657363726962654e534da0",
          "a1654572726f7270496e76616c69644f7065726174696f6e" },
        { "GetRandom and more", "6947657452616e646f6d00",
          "a1654572726f7270496e76616c69644f7065726174696f6e" },
        { "ExtendPCR without data", "a169457874656e64504352a165696e64657810",
          "a1654572726f7270496e76616c69644f7065726174696f6e" },
        { "ExtendPCR, index twice", "a169457874656e64504352a265696e6465781065696e64657810",
          "a1654572726f7270496e76616c69644f7065726174696f6e" },
        { "no CBOR", "ff", "a1654572726f7270496e76616c69644f7065726174696f6e" },
        { "nothing", "", "a1654572726f7270496e76616c69644f7065726174696f6e" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char got[2 * 128 + 1];
        struct bytes b = ask_hex(cases[i].request);

        assert_true(b.n <= 128);
        hex_encode(got, b);
        if (strcmp(got, cases[i].answer) != 0)
            fail_msg("%s: %s", cases[i].name, got);
    }
}

// The 138 bytes of the recorded session, for the module id there.
static void describes(void **state)
{
    static const char expected[] =
        "a16b44657363726962654e534da76664696765737466534841333834686d61785f706372731820696d6f64756c"
        "655f69646e692d306162632d656e63303132336b6c6f636b65645f7063727390000102030405060708090a0b0c"
        "0d0e0f6d76657273696f6e5f6d616a6f72016d76657273696f6e5f6d696e6f72006d76657273696f6e5f706174"
        "636800";
    struct nsmdev_options options = scene_options();
    char got[2 * 138 + 1];
    struct bytes b;

    (void)state;
    options.module_id = "i-0abc-enc0123";
    start(&options);
    b = ask_hex("6b44657363726962654e534d");
    assert_int_equal(b.n, 138);
    hex_encode(got, b);
    assert_string_equal(got, expected);
}

static void gives_random(void **state)
{
    static const uint8_t head[] = "\xa1\x69GetRandom\xa1\x66random\x59\x01";
    uint8_t first[278];
    struct bytes b = ask_hex("6947657452616e646f6d");

    (void)state;
    assert_int_equal(b.n, 278);
    assert_true(bytes_equal(bytes_take(b, sizeof(head) - 1), bytes_of(head, sizeof(head) - 1)));
    memcpy(first, b.p, sizeof(first));
    b = ask_hex("6947657452616e646f6d");
    assert_false(bytes_equal(b, BYTES_OF(first)));
}

static struct bytes request_document(size_t user_data, size_t nonce, size_t public_key)
{
    static uint8_t request[8192], filler[4096];
    struct wr wr = WR_OF(request);

    memset(filler, 0x5a, sizeof(filler));
    cbor_put_map(&wr, 1);
    cbor_put_text(&wr, "Attestation");
    cbor_put_map(&wr, 3);
    cbor_put_text(&wr, "user_data");
    cbor_put_bytes_or_null(&wr, bytes_of(user_data == SIZE_MAX ? NULL : filler, user_data));
    cbor_put_text(&wr, "nonce");
    cbor_put_bytes_or_null(&wr, bytes_of(nonce == SIZE_MAX ? NULL : filler, nonce));
    cbor_put_text(&wr, "public_key");
    cbor_put_bytes_or_null(&wr, bytes_of(public_key == SIZE_MAX ? NULL : filler, public_key));
    return wr_done(&wr);
}

static struct bytes document_of(struct bytes b)
{
    struct rd rd = rd_of(b);
    struct bytes document;

    assert_int_equal(cbor_map(&rd), 1);
    assert_true(bytes_equal_str(cbor_text(&rd), "Attestation"));
    assert_int_equal(cbor_map(&rd), 1);
    assert_true(bytes_equal_str(cbor_text(&rd), "document"));
    document = cbor_bytes(&rd);
    expect_ok("answer", cbor_end(&rd));
    return document;
}

static struct bytes root(void)
{
    static uint8_t der[1024];
    char path[DISK_PATH_MAX];
    size_t n = 0;

    expect_ok("path", disk_path(path, sizeof(path), scene_pki, "nsm-root.der"));
    expect_ok("root", fd_read_file(path, der, sizeof(der), &n));
    return bytes_of(der, n);
}

static uint64_t now_ms(void)
{
    return (uint64_t)time(NULL) * 1000;
}

static void attests(void **state)
{
    struct nsmdev_options options = scene_options();
    struct attest doc;

    (void)state;
    memset(options.pcrs.signer, 0xa8, sizeof(options.pcrs.signer));
    start(&options);
    (void)ask_hex("a169457874656e64504352a265696e64657810646461746143616263");
    (void)ask_hex("a1674c6f636b504352a165696e64657810");
    expect_ok("document", attest_verify(&doc, document_of(ask(request_document(512, 512, 1024))),
                                        root(), now_ms(), false));
    assert_true(bytes_equal_str(doc.module_id, SCENE_MODULE));
    assert_int_equal(doc.pcr_present, 0x1ffff);
    assert_int_equal(doc.pcr[0][0], 0xa0);
    assert_int_equal(doc.pcr[4][47], 0xa4);
    assert_int_equal(doc.pcr[8][0], 0xa8);
    assert_true(attest_pcr_is_zero(&doc, 7) && attest_pcr_is_zero(&doc, 9));
    assert_int_equal(doc.public_key.n, 1024);
    assert_int_equal(doc.bundle_len, 4);
    expect_ok("fresh", attest_fresh(&doc, now_ms()));
    expect_ok("document",
              attest_verify(&doc, document_of(ask(request_document(0, SIZE_MAX, SIZE_MAX))), root(),
                            now_ms(), false));
    assert_true(doc.has_user_data && !doc.has_nonce && !doc.has_public_key);
}

static void attests_within_limits(void **state)
{
    static const struct {
        const char *name;
        size_t user_data, nonce, public_key;
        const char *error;
    } cases[] = {
        { "user_data of 513", 513, SIZE_MAX, SIZE_MAX, "InputTooLarge" },
        { "nonce of 513", SIZE_MAX, 513, SIZE_MAX, "InputTooLarge" },
        { "public_key of 1025", SIZE_MAX, SIZE_MAX, 1025, "InputTooLarge" },
        { "public_key of none", SIZE_MAX, SIZE_MAX, 0, "InvalidArgument" },
        { "over 4096 in all", 4000, 400, SIZE_MAX, "InputTooLarge" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct rd rd =
            rd_of(ask(request_document(cases[i].user_data, cases[i].nonce, cases[i].public_key)));

        assert_int_equal(cbor_map(&rd), 1);
        assert_true(bytes_equal_str(cbor_text(&rd), "Error"));
        if (!bytes_equal_str(cbor_text(&rd), cases[i].error))
            fail_msg("%s: expected %s", cases[i].name, cases[i].error);
    }
}

// PCR0 to 2 are zero, the role and the instance are not.
static void debug_mode(void **state)
{
    struct nsmdev_options options = scene_options();
    struct bytes document;
    struct attest doc;

    (void)state;
    options.debug = true;
    start(&options);
    document = document_of(ask(request_document(SIZE_MAX, SIZE_MAX, SIZE_MAX)));
    expect_ok("debug", attest_verify(&doc, document, root(), now_ms(), true));
    assert_true(attest_pcr_is_zero(&doc, 0) && attest_pcr_is_zero(&doc, 1) &&
                attest_pcr_is_zero(&doc, 2));
    assert_int_equal(doc.pcr[3][0], 0xa3);
    assert_int_equal(doc.pcr[4][0], 0xa4);
    assert_int_not_equal(attest_verify(&doc, document, root(), now_ms(), false).code, ERR_NONE);
}

static void skewed_clock(void **state)
{
    struct nsmdev_options options = scene_options();
    struct bytes document;
    struct attest doc;

    (void)state;
    options.clock_skew_s = -4 * 3600;
    start(&options);
    document = document_of(ask(request_document(SIZE_MAX, SIZE_MAX, SIZE_MAX)));
    assert_int_not_equal(attest_verify(&doc, document, root(), now_ms(), false).code, ERR_NONE);
    expect_ok("at its own time", attest_verify(&doc, document, root(), 0, false));
    expect_err("age", attest_fresh(&doc, now_ms()), ERR_EXPIRED, NULL);
}

// nitro.md's values: role ARN to PCR3, instance id to PCR4, no application to PCR2.
static void measures(void **state)
{
    struct nsmdev_pcrs pcrs;
    char path[DISK_PATH_MAX], hex[97];

    (void)state;
    expect_ok("path", disk_path(path, sizeof(path), scene_dir, "enclave"));
    expect_ok("file", disk_write(path, BYTES_LIT("abc"), 0600));
    expect_ok("measure",
              measure_enclave(&pcrs, path, "arn:aws:iam::123456789012:role/r", SCENE_INSTANCE));
    hex_encode(hex, BYTES_OF(pcrs.role));
    assert_string_equal(hex,
                        "31c5183b37461ff447e2fae8ca6a2a80aa1f82f16e5751aa30ef0acba669f67c0b3b86d9"
                        "0d73379dc8d2d179c1296305");
    hex_encode(hex, BYTES_OF(pcrs.instance));
    assert_string_equal(hex,
                        "d6432900ac1c343cb40286898792c55e962aef0cc35c4910c0c286145b51af19e782cb21"
                        "cc31a042671d7dfbd398251c");
    hex_encode(hex, BYTES_OF(pcrs.application));
    assert_string_equal(hex,
                        "21b9efbc184807662e966d34f390821309eeac6802309798826296bf3e8bec7c10edb309"
                        "48c90ba67310f7b964fc500a");
    expect_ok("no role", measure_enclave(&pcrs, path, NULL, NULL));
    assert_true(pcrs.role[0] == 0 && pcrs.instance[47] == 0);
    expect_err("no file", measure_enclave(&pcrs, scene_pki, NULL, NULL), ERR_IO, "enclave file");
    expect_err("no file", measure_enclave(&pcrs, "/nonexistent", NULL, NULL), ERR_NOT_FOUND,
               "enclave file");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(answers, fresh, gone),
        cmocka_unit_test_setup_teardown(describes, fresh, gone),
        cmocka_unit_test_setup_teardown(gives_random, fresh, gone),
        cmocka_unit_test_setup_teardown(attests, fresh, gone),
        cmocka_unit_test_setup_teardown(attests_within_limits, fresh, gone),
        cmocka_unit_test_setup_teardown(debug_mode, fresh, gone),
        cmocka_unit_test_setup_teardown(skewed_clock, fresh, gone),
        cmocka_unit_test(measures),
    };

    return cmocka_run_group_tests(tests, scene_setup, scene_teardown);
}
