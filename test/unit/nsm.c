// SPDX-License-Identifier: Apache-2.0
// vault/nsm.h: requests byte for byte as nsm-api's serde form has them, and every answer that is
// not what was asked for refused. Documents are those of the emulated module.
#include "vault/nsm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/cbor.h"
#include "base/hex.h"
#include "emu_scene.h"

// A device that notes what it was asked and answers with what was prepared.
static struct {
    char request[2 * 4096 + 1];
    uint8_t answer[NSM_ANSWER_BYTES];
    size_t answer_len;
    struct err err;
} device;

static struct err play(int fd, struct bytes request, uint8_t *answer, size_t cap, size_t *n)
{
    assert_int_equal(fd, 7);
    hex_encode(device.request, request);
    if (device.err.code)
        return device.err;
    ENSURE(device.answer_len <= cap, ERR_TOO_LARGE, "answer");
    memcpy(answer, device.answer, device.answer_len);
    *n = device.answer_len;
    return OK;
}

static const struct nsm nsm = { .call = play, .fd = 7 };

static void prepare(const char *hex)
{
    struct bytes text = bytes_str(hex);

    device.err = OK;
    device.answer_len = text.n / 2;
    expect_ok(hex, hex_decode(device.answer, text.n / 2, text));
}

#define PCR                                                            \
    "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" \
    "202122232425262728292a2b2c2d2e2f"
#define DESCRIBE "a16b4465736372696265504352"
#define EXTEND   "a169457874656e64504352"
#define DATA     "6464617461"
#define LOCK     "646c6f636b"
#define RANDOM   "a16947657452616e646f6d"
#define REFUSED  "a1654572726f726c496e76616c6964496e646578" // {"Error": "InvalidIndex"}

static void random_bytes(void **state)
{
    uint8_t out[64];
    struct wr wr = WR_OF(device.answer);

    (void)state;
    cbor_put_map(&wr, 1);
    cbor_put_text(&wr, "GetRandom");
    cbor_put_map(&wr, 1);
    cbor_put_text(&wr, "random");
    cbor_put_bytes(&wr, bytes_of(device.request, 256));
    device.answer_len = wr.len;
    device.err = OK;
    memset(device.request, 0, sizeof(device.request));
    expect_ok("64 of 256", nsm_random(&nsm, out, sizeof(out)));
    assert_string_equal(device.request, "6947657452616e646f6d");
    prepare(RANDOM "a166"
                   "72616e646f6d"
                   "440a0b0c0d");
    expect_ok("4 of 4", nsm_random(&nsm, out, 4));
    assert_memory_equal(out, "\x0a\x0b\x0c\x0d", 4);
    prepare(RANDOM "a2"
                   "61780166"
                   "72616e646f6d"
                   "440a0b0c0d");
    expect_ok("a field more", nsm_random(&nsm, out, 4));
}

static void random_refusals(void **state)
{
    static const struct {
        const char *name, *answer;
    } cases[] = {
        { "nothing", "" },
        { "an error", REFUSED },
        { "too few", RANDOM "a1667261"
                            "6e646f6d"
                            "430a0b0c" },
        { "none", RANDOM "a1667261"
                         "6e646f6d"
                         "40" },
        { "no field", RANDOM "a0" },
        { "another field", RANDOM "a166"
                                  "72616e646f6e"
                                  "440a0b0c0d" },
        { "text for bytes", RANDOM "a166"
                                   "72616e646f6d"
                                   "6461626364" },
        { "cut off", RANDOM "a166"
                            "72616e646f6d"
                            "440a0b0c" },
        { "no inner map", RANDOM "440a0b0c0d" },
        { "bare name", "6947657452616e646f6d" },
        { "another name", "a16947657452616e646f6e"
                          "a166"
                          "72616e646f6d"
                          "440a0b0c0d" },
        { "two in the map", "a26947657452616e646f6d"
                            "a166"
                            "72616e646f6d"
                            "440a0b0c0d"
                            "6178"
                            "01" },
        { "a list", "81"
                    "a166"
                    "72616e646f6d"
                    "440a0b0c0d" },
        { "long form of a length", RANDOM "a166"
                                          "72616e646f6d"
                                          "58040a0b0c0d" },
        { "no CBOR", "ff" },
        { "a byte more", RANDOM "a166"
                                "72616e646f6d"
                                "440a0b0c0d00" },
    };
    uint8_t out[4];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        prepare(cases[i].answer);
        expect_err(cases[i].name, nsm_random(&nsm, out, sizeof(out)), ERR_DEVICE, "NSM");
    }
    device.err = FAIL(ERR_TIMEOUT, "device");
    expect_err("device", nsm_random(&nsm, out, sizeof(out)), ERR_TIMEOUT, "device");
}

static void pcrs(void **state)
{
    uint8_t value[48];
    bool locked = true;

    (void)state;
    prepare(DESCRIBE "a2" DATA "5830" PCR LOCK "f4");
    expect_ok("describe", nsm_describe_pcr(&nsm, 16, value, &locked));
    assert_string_equal(device.request, DESCRIBE "a165"
                                                 "696e64657810");
    assert_true(!locked && value[0] == 0 && value[47] == 0x2f);
    prepare(DESCRIBE "a2" LOCK "f5" DATA "5830" PCR);
    expect_ok("locked, other order", nsm_describe_pcr(&nsm, 0, value, &locked));
    assert_string_equal(device.request, DESCRIBE "a165"
                                                 "696e64657800");
    assert_true(locked);
    expect_ok("two bytes of index", nsm_describe_pcr(&nsm, 31, value, &locked));
    assert_string_equal(device.request, DESCRIBE "a165"
                                                 "696e646578181f");
    prepare(EXTEND "a1" DATA "5830" PCR);
    memset(value, 0, sizeof(value));
    expect_ok("extend", nsm_extend_pcr(&nsm, 16, BYTES_LIT("abc"), value));
    assert_string_equal(device.request, EXTEND "a265"
                                               "696e64657810" DATA "43616263");
    assert_int_equal(value[47], 0x2f);
}

static void pcr_refusals(void **state)
{
    static const struct {
        const char *name, *answer;
    } cases[] = {
        { "nothing", "" },
        { "an error", REFUSED },
        { "47 bytes", DESCRIBE "a2" DATA "582f000102030405060708090a0b0c0d0e0f1011121314151617"
                               "18191a1b1c1d1e1f202122232425262728292a2b2c2d2e" LOCK "f4" },
        { "no bytes", DESCRIBE "a2" DATA "40" LOCK "f4" },
        { "no data", DESCRIBE "a1" LOCK "f4" },
        { "no lock", DESCRIBE "a1" DATA "5830" PCR },
        { "a byte more", DESCRIBE "a2" DATA "5830" PCR LOCK "f400" },
        { "empty map", DESCRIBE "a0" },
        { "lock is a number", DESCRIBE "a2" DATA "5830" PCR LOCK "01" },
        { "lock is null", DESCRIBE "a2" DATA "5830" PCR LOCK "f6" },
        { "fewer fields than said", DESCRIBE "a3" DATA "5830" PCR LOCK "f4" },
        { "cut off", DESCRIBE "a2" DATA "5830"
                              "00010203" },
        { "answer to another request", EXTEND "a1" DATA "5830" PCR },
        { "bare name", "6b4465736372696265504352" },
    };
    uint8_t value[48];
    bool locked = true;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        prepare(cases[i].answer);
        expect_err(cases[i].name, nsm_describe_pcr(&nsm, 16, value, &locked), ERR_DEVICE, "NSM");
    }
    prepare(DESCRIBE "a2" DATA "5830" PCR LOCK "f4");
    expect_err("extend", nsm_extend_pcr(&nsm, 16, BYTES_LIT("abc"), value), ERR_DEVICE, "NSM");
    prepare(REFUSED);
    expect_err("extend", nsm_extend_pcr(&nsm, 16, BYTES_LIT("abc"), value), ERR_DEVICE, "NSM");
}

static void locks(void **state)
{
    static const struct {
        const char *name, *answer;
        bool one, all;
    } cases[] = {
        { "LockPCR", "674c6f636b504352", true, false },
        { "LockPCRs", "684c6f636b50435273", false, true },
        { "nothing", "", false, false },
        { "an error", REFUSED, false, false },
        { "in a map", "a1674c6f636b504352a0", false, false },
        { "bytes", "474c6f636b504352", false, false },
        { "cut off", "674c6f636b5043", false, false },
        { "LockPCR and a byte more", "674c6f636b50435200", false, false },
        { "LockPCRs and a byte more", "684c6f636b50435273f6", false, false },
        { "null", "f6", false, false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        prepare(cases[i].answer);
        expect_err(cases[i].name, nsm_lock_pcr(&nsm, 16), cases[i].one ? ERR_NONE : ERR_DEVICE,
                   NULL);
        assert_string_equal(device.request, "a1674c6f636b504352a165"
                                            "696e64657810");
        expect_err(cases[i].name, nsm_lock_pcrs(&nsm, 32), cases[i].all ? ERR_NONE : ERR_DEVICE,
                   NULL);
        assert_string_equal(device.request, "a1684c6f636b50435273a165"
                                            "72616e67651820");
    }
}

static struct bytes real_answer(void)
{
    static const uint8_t request[] =
        "\xa1\x6b"
        "Attestation\xa3\x69user_data\xf6\x65nonce\xf6\x6apublic_key\xf6";
    static uint8_t answer[NSMDEV_RESPONSE_MAX];
    struct nsmdev_options options = scene_options();
    AUTO(nsmdev_free) struct nsmdev *dev = NULL;
    struct wr wr = WR_OF(answer);

    expect_ok("module", nsmdev_new(&dev, &options));
    nsmdev_answer(dev, &wr, bytes_of(request, sizeof(request) - 1));
    return wr_done(&wr);
}

static void attests(void **state)
{
    static uint8_t document[ATTEST_BYTES_MAX];
    struct nsm_request request = { .user_data = BYTES_LIT("u"), .public_key = BYTES_LIT("pk") };
    struct wr wr = WR_OF(document), small = wr_of(document, 100);
    struct bytes real = real_answer();
    uint64_t timestamp = 0;

    (void)state;
    device.err = OK;
    memcpy(device.answer, real.p, real.n);
    device.answer_len = real.n;
    expect_ok("document", nsm_attest(&nsm, &request, &wr, &timestamp));
    assert_string_equal(device.request, "a16b4174746573746174696f6ea3"
                                        "69757365725f64617461"
                                        "4175"
                                        "656e6f6e6365"
                                        "f6"
                                        "6a7075626c69635f6b6579"
                                        "42706b");
    assert_true(timestamp > 1700000000000);
    assert_true(wr.len > 2000 && wr.len < real.n);
    request = (struct nsm_request) { .nonce = bytes_of("", 0) };
    expect_err("no room", nsm_attest(&nsm, &request, &small, &timestamp), ERR_TOO_LARGE, NULL);
    assert_string_equal(device.request, "a16b4174746573746174696f6ea3"
                                        "69757365725f64617461"
                                        "f6"
                                        "656e6f6e6365"
                                        "40"
                                        "6a7075626c69635f6b6579"
                                        "f6");
    request.user_data = bytes_of(device.answer, 4096);
    expect_err("request", nsm_attest(&nsm, &request, &wr, &timestamp), ERR_TOO_LARGE, NULL);
}

static void attest_refusals(void **state)
{
#define ATTEST "a16b4174746573746174696f6e"
#define FIELD  "68646f63756d656e74"
    static const struct {
        const char *name, *answer;
    } cases[] = {
        { "nothing", "" },
        { "an error", REFUSED },
        { "no field", ATTEST "a0" },
        { "empty document", ATTEST "a1" FIELD "40" },
        { "null", ATTEST "a1" FIELD "f6" },
        { "text", ATTEST "a1" FIELD "6161" },
        { "no document", ATTEST "a1" FIELD "4161" },
        { "cut off", ATTEST "a1" FIELD "4a6161" },
        { "another request's name", "a16b4174746573746174696f6f"
                                    "a1" FIELD "4161" },
    };
    static uint8_t document[ATTEST_BYTES_MAX];
    struct bytes real = real_answer();
    struct wr wr = WR_OF(document);
    uint64_t timestamp = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        prepare(cases[i].answer);
        expect_err(cases[i].name, nsm_attest(&nsm, &(struct nsm_request) { 0 }, &wr, &timestamp),
                   ERR_DEVICE, "NSM");
    }
    memcpy(device.answer, real.p, real.n);
    device.answer[real.n] = 0;
    device.answer_len = real.n + 1;
    expect_err("a byte more", nsm_attest(&nsm, &(struct nsm_request) { 0 }, &wr, &timestamp),
               ERR_DEVICE, "NSM");
    for (size_t n = 0; n < real.n; n += n < 64 ? 1 : 97) {
        device.answer_len = n;
        expect_err("cut off", nsm_attest(&nsm, &(struct nsm_request) { 0 }, &wr, &timestamp),
                   ERR_DEVICE, "NSM");
    }
    assert_true(wr.len == 0 && timestamp == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_bytes),
        cmocka_unit_test(random_refusals),
        cmocka_unit_test(pcrs),
        cmocka_unit_test(pcr_refusals),
        cmocka_unit_test(locks),
        cmocka_unit_test(attests),
        cmocka_unit_test(attest_refusals),
    };

    return cmocka_run_group_tests(tests, scene_setup, scene_teardown);
}
