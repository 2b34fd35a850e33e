// SPDX-License-Identifier: Apache-2.0
// Phases of the vault: what is possible before the configuration and before the first keyset, that
// a dirty PCR16 ends it, and that KMS's answers are checked as far as they can be.
#include "vaulthost.h"

#include "base/deadline.h"
#include "base/must.h"
#include "crypto/cms.h"
#include "crypto/openssl/aead.h"
#include "crypto/openssl/libcrypto.h"
#include "emu/envelope.h"
#include "emu/nsmdev.h"
#include "proto/receipt.h"
#include "vault/limits.h"
#include "vault/seal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static struct vaulthost host;

static int start(void **context)
{
    const char *pki = getenv("CLOISTER_PKI");

    (void)context;
    must(pki);
    vaulthost_start(&host, pki);
    return 0;
}

static int stop(void **context)
{
    (void)context;
    vaulthost_stop(&host);
    return 0;
}

static enum err_code call(uint16_t type, struct bytes body)
{
    return vaulthost_call(&host, type, body).verdict.code;
}

static void test_unconfigured(void **context)
{
    static const uint8_t none[2] = { 0 };

    (void)context;
    assert_int_equal(call(MSG_STATUS, BYTES_NONE), ERR_NONE);
    assert_int_equal(call(MSG_ATTESTATION, BYTES_OF(none)), ERR_NONE);
    for (uint16_t type = MSG_CONFIG; type <= MSG_SIGN_TX; type++)
        assert_int_equal(call(type, BYTES_OF(none)), ERR_PHASE);
    for (uint16_t type = MSG_MANIFEST; type <= MSG_DENIAL; type++)
        assert_int_equal(call(type, BYTES_OF(none)), ERR_PHASE);
}

static void test_configured_without_keyset(void **context)
{
    (void)context;
    vaulthost_configure(&host, 1);
    assert_int_equal(call(MSG_CONFIG, BYTES_NONE), ERR_NONE);
    assert_int_equal(call(MSG_CONFIGURE, vaulthost_config(1)), ERR_PHASE);
    assert_int_equal(call(MSG_ACCOUNT_CREATE, BYTES_LIT("x")), ERR_PHASE);
    assert_int_equal(call(MSG_ACCOUNT_OPEN, BYTES_LIT("x")), ERR_PHASE);
    assert_int_equal(call(MSG_SIGN_TX, BYTES_LIT("x")), ERR_PHASE);
    assert_int_equal(call(MSG_KEYSET_CREATE, BYTES_LIT("\x05other\x00")), ERR_NOT_FOUND);
    assert_int_equal(call(MSG_KEYSET_OPEN, BYTES_LIT("x")), ERR_MALFORMED);
    assert_int_equal(call(MSG_ANCHOR_ANSWER, BYTES_LIT("x")), ERR_MALFORMED);
    assert_int_equal(call(MSG_TLS_OPEN, BYTES_LIT("x")), ERR_PHASE);
    assert_int_equal(call(MSG_TLS_SIGN, BYTES_LIT("x")), ERR_PHASE);
    assert_int_equal(call(MSG_TLS_CERTIFY, BYTES_LIT("x")), ERR_PHASE);
    assert_int_equal(call(MSG_CLIENTS, BYTES_NONE), ERR_NONE);
    assert_int_equal(call(MSG_DENIAL, BYTES_LIT("x")), ERR_MALFORMED);
}

// Documents that anybody may ask for are limited; those for KMS, and signatures, are not.
static void test_floods_of_documents(void **context)
{
    static const uint8_t none[2] = { 0 };
    uint8_t keyset[KEYSET_BYTES_MAX];
    struct id id;
    unsigned given = 0;
    int64_t began;
    enum err_code refused;

    (void)context;
    vaulthost_configure(&host, 1);
    began = deadline_now_ms();
    while ((refused = call(MSG_ATTESTATION, BYTES_OF(none))) == ERR_NONE) {
        assert_true(++given < 100 * VAULT_DOCUMENT_BURST);
        if (given % 64 == 0 && deadline_now_ms() - began > given * VAULT_DOCUMENT_MS)
            skip(); // valgrind's NSM takes longer than documents are limited to
    }
    assert_true(given >= VAULT_DOCUMENT_BURST);
    assert_int_equal(refused, ERR_BUSY);
    assert_true(vaulthost_keyset(&host, keyset, &id) > 0);
    usleep(20 * VAULT_DOCUMENT_MS * 1000);
    assert_int_equal(call(MSG_ATTESTATION, BYTES_OF(none)), ERR_NONE);
}

static void test_bad_configurations_change_nothing(void **context)
{
    static uint8_t damaged[4096];
    struct bytes good = vaulthost_config(1);

    (void)context;
    assert_int_not_equal(call(MSG_CONFIGURE, BYTES_NONE), ERR_NONE);
    for (size_t n = 0; n < good.n; n++)
        assert_int_not_equal(call(MSG_CONFIGURE, bytes_take(good, n)), ERR_NONE);
    memcpy(damaged, good.p, good.n);
    assert_int_not_equal(call(MSG_CONFIGURE, bytes_of(damaged, good.n + 1)), ERR_NONE);
    assert_true(vaulthost_alive(&host));
    vaulthost_configure(&host, 1);
}

static void test_dirty_pcr16_ends_the_vault(void **context)
{
    uint8_t space[256];
    struct wr wr = WR_OF(space);

    (void)context;
    // The parent cannot extend a PCR, but a first stage inside the image could have.
    nsmdev_answer(host.nsm, &wr,
                  BYTES_LIT("\xa1\x69"
                            "ExtendPCR\xa2\x65index\x10\x64"
                            "data\x43"
                            "abc"));
    assert_int_equal(call(MSG_STATUS, BYTES_NONE), ERR_CLOSED);
    assert_true(vaulthost_ends(&host));
}

#define RANDOM_HEAD "\xa1\x69GetRandom\xa1\x66random\x59\x01\x00"
#define RANDOM_AT   (sizeof(RANDOM_HEAD) - 1)

static bool is_random(const uint8_t *answer, size_t n)
{
    return bytes_equal(bytes_take(bytes_of(answer, n), RANDOM_AT), BYTES_LIT(RANDOM_HEAD));
}

static size_t random_zero(uint8_t *answer, size_t n)
{
    if (is_random(answer, n))
        memset(answer + RANDOM_AT, 0, n - RANDOM_AT);
    return n;
}

static size_t random_same(uint8_t *answer, size_t n)
{
    if (is_random(answer, n))
        memset(answer + RANDOM_AT, 0x5a, n - RANDOM_AT);
    return n;
}

static size_t random_few(uint8_t *answer, size_t n)
{
    if (!is_random(answer, n))
        return n;
    memcpy(answer + RANDOM_AT - 3, "\x58\x20", 2); // 32 bytes
    return RANDOM_AT - 1 + 32;
}

static size_t random_none(uint8_t *answer, size_t n)
{
    if (!is_random(answer, n))
        return n;
    answer[RANDOM_AT - 11] = 0xa0; // an empty map in place of {"random": ...}
    return RANDOM_AT - 10;
}

// No key is made without the module's share in it.
static void test_no_boot_without_random_bytes(void **context)
{
    static size_t (*const modules[])(uint8_t * answer, size_t n) = { random_zero, random_same,
                                                                     random_few, random_none };

    for (size_t i = 0; i < ARRAY_LEN(modules); i++) {
        host.module = modules[i];
        assert_int_equal(call(MSG_STATUS, BYTES_NONE), ERR_CLOSED);
        assert_true(vaulthost_ends(&host));
        (void)stop(context);
        (void)start(context);
    }
    assert_int_equal(call(MSG_STATUS, BYTES_NONE), ERR_NONE);
}

// Extended after the vault looked at it and before it is configured: the sum is not the expected
// one.
static void test_pcr16_extended_meanwhile(void **context)
{
    uint8_t space[256];
    struct wr wr = WR_OF(space);

    (void)context;
    assert_int_equal(call(MSG_STATUS, BYTES_NONE), ERR_NONE);
    nsmdev_answer(host.nsm, &wr,
                  BYTES_LIT("\xa1\x69"
                            "ExtendPCR\xa2\x65index\x10\x64"
                            "data\x43"
                            "abc"));
    assert_int_not_equal(call(MSG_CONFIGURE, vaulthost_config(1)), ERR_NONE);
    assert_true(vaulthost_ends(&host));
}

// Nor may it be locked already, zero as it is: then nothing would be measured.
static void test_locked_pcr16_ends_the_vault(void **context)
{
    uint8_t space[256];
    struct wr wr = WR_OF(space);

    (void)context;
    nsmdev_answer(host.nsm, &wr,
                  BYTES_LIT("\xa1\x67"
                            "LockPCR\xa1\x65index\x10"));
    assert_int_equal(call(MSG_CONFIGURE, vaulthost_config(1)), ERR_CLOSED);
    assert_true(vaulthost_ends(&host));
}

// A release enclave in debug mode, whose console the parent reads, takes no configuration.
static void test_debug_mode(void **context)
{
    static const struct {
        bool release, debug;
        enum err_code code;
    } cases[] = {
        { true, true, ERR_DENIED },
        { true, false, ERR_NONE },
        { false, true, ERR_NONE },
    };

    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        vaulthost_start_as(&host, getenv("CLOISTER_PKI"), cases[i].release, cases[i].debug);
        assert_int_equal(call(MSG_CONFIGURE, vaulthost_config(1)), cases[i].code);
        assert_int_equal(call(MSG_CONFIG, BYTES_NONE), cases[i].code ? ERR_PHASE : ERR_NONE);
        stop(context);
    }
}

// KMS (or who plays it) answers Decrypt with another data key than GenerateDataKey: no keyset.
static void test_other_data_key_on_decrypt(void **context)
{
    struct vaulthost_answer answer;
    struct msg_step step;

    (void)context;
    vaulthost_configure(&host, 1);
    answer = vaulthost_call(&host, MSG_KEYSET_CREATE, BYTES_LIT("\x04main\x00"));
    step = vaulthost_step(&answer);
    assert_int_equal(step.kind, MSG_STEP_GENERATE);
    answer = vaulthost_kms(&host, &step);
    step = vaulthost_step(&answer);
    assert_int_equal(step.kind, MSG_STEP_DECRYPT);
    libcrypto_random(host.data_key[0].b, 32);
    assert_int_equal(vaulthost_kms(&host, &step).verdict.code, ERR_UNTRUSTED);
    assert_int_equal(vaulthost_kms(&host, &step).verdict.code, ERR_NOT_FOUND);
}

static void test_other_key_id(void **context)
{
    struct vaulthost_answer answer;
    struct msg_step step;

    (void)context;
    vaulthost_configure(&host, 1);
    answer = vaulthost_call(&host, MSG_KEYSET_CREATE, BYTES_LIT("\x04main\x00"));
    step = vaulthost_step(&answer);
    step.cmk = BYTES_LIT("arn:aws:kms:eu-west-1:999999999999:key/"
                         "11111111-2222-3333-4444-555555555555");
    assert_int_equal(vaulthost_kms(&host, &step).verdict.code, ERR_UNTRUSTED);
}

// Answers GenerateDataKey of a new creation with an envelope whose ciphertext was changed at `at`,
// counted from the end of its content.
static struct vaulthost_answer answer_changed(struct bytes data_key, size_t at, uint8_t change)
{
    uint8_t cms[CMS_BYTES_MAX], body[MSG_BODY_MAX];
    struct wr cms_wr = WR_OF(cms), wr = WR_OF(body);
    struct vaulthost_answer answer =
        vaulthost_call(&host, MSG_KEYSET_CREATE, BYTES_LIT("\x04main\x00"));
    struct msg_step step = vaulthost_step(&answer);
    struct msg_kms_answer m = { .operation = step.operation, .cmk = step.cmk };
    struct attest attest;

    must(!attest_parse(&attest, step.document).code);
    must(!envelope_seal(&cms_wr, attest.public_key, data_key, false).code);
    cms[cms_wr.len - 8 - at] ^= change; // four ends of two bytes follow the content
    m.blob = BYTES_LIT("blob");
    m.cms = wr_done(&cms_wr);
    msg_write_kms_answer(&wr, &m);
    return vaulthost_call(&host, MSG_KMS_ANSWER, wr_done(&wr));
}

// A front that was taken over holds KMS's genuine envelope of a data key. If the vault told a right
// padding from a wrong one, it could have the envelope decrypted byte by byte (RFC 3218).
static void test_envelope_is_no_oracle(void **context)
{
    static const uint8_t data_key[64] = { 1, 2, 3 };
    struct vaulthost_answer first, answer;

    (void)context;
    vaulthost_configure(&host, 1);
    assert_int_equal(answer_changed(bytes_of(data_key, 32), 1, 0).verdict.code, ERR_NONE);
    first = answer_changed(bytes_of(data_key, 32), 17, 1);
    assert_int_equal(first.verdict.code, ERR_CORRUPT);
    for (unsigned change = 2; change < 256; change++) {
        answer = answer_changed(bytes_of(data_key, 32), 17, (uint8_t)change);
        assert_int_equal(answer.verdict.code, ERR_CORRUPT);
        assert_string_equal(answer.text, first.text);
    }
    for (size_t n = 0; n <= sizeof(data_key); n++) {
        if (n == 32)
            continue;
        answer = answer_changed(bytes_of(data_key, n), 1, 0);
        assert_int_equal(answer.verdict.code, ERR_CORRUPT);
        assert_string_equal(answer.text, first.text);
    }
}

// The record that who plays KMS can make for any keyset id: a keyset key of its own under a data
// key of its own, with every field and the check value right.
static size_t forge(uint8_t out[static KEYSET_BYTES_MAX], const struct id *id)
{
    static const uint8_t blob = 0;
    struct seckey keyset_key = { { 1, 2, 3 } };
    uint8_t sealed[SEAL_BYTES] = { 0 }, aad[1024], check[32];
    struct wr aad_wr = WR_OF(aad), wr = wr_of(out, KEYSET_BYTES_MAX);
    struct keyset forged = {
        .id = *id,
        .name = BYTES_LIT("main"),
        .purpose = CONFIG_ACCOUNTS,
        .created_ms = 1,
        .k = 1,
        .n = 1,
        .wrap[0] = { .kind = KEYSET_WRAP_DATA_KEY, .x = 1, .cmk = BYTES_LIT(VAULTHOST_ARN) },
    };

    memset(forged.deployment.b, 1, sizeof(forged.deployment.b));
    forged.wrap[0].blob = BYTES_OF(blob);
    libcrypto_random(host.data_key[host.data_keys++].b, 32);
    keyset_write_share_aad(&aad_wr, &forged, &forged.wrap[0]);
    must(!aead_seal(sealed + AEAD_NONCE_BYTES, &host.data_key[0], sealed, wr_done(&aad_wr),
                    BYTES_OF(keyset_key.b))
              .code);
    must(!seal_keyset_check(check, &keyset_key, &forged).code);
    forged.wrap[0].sealed = BYTES_OF(sealed);
    forged.check = BYTES_OF(check);
    keyset_write(&wr, &forged);
    must(!wr_end(&wr).code);
    return wr.len;
}

// A front that was taken over after the keyset's creation cannot open a keyset of its own in the
// place of the one whose id everybody knows: accounts created in it would be the attacker's.
static void test_keyset_in_the_place_of_another(void **context)
{
    uint8_t record[KEYSET_BYTES_MAX];
    struct vaulthost_answer answer;
    struct msg_step step;
    struct id id;
    size_t n;

    vaulthost_configure(&host, 1);
    (void)vaulthost_keyset(&host, record, &id);
    stop(context);
    start(context);
    vaulthost_configure(&host, 1);
    n = forge(record, &id);
    answer = vaulthost_call(&host, MSG_KEYSET_OPEN, bytes_of(record, n));
    step = vaulthost_step(&answer);
    assert_int_equal(step.kind, MSG_STEP_DECRYPT);
    assert_int_equal(vaulthost_kms(&host, &step).verdict.code, ERR_CORRUPT);
    assert_int_equal(call(MSG_ACCOUNT_CREATE, BYTES_LIT("x")), ERR_PHASE);
}

static void test_keyset_of_another_deployment(void **context)
{
    uint8_t record[KEYSET_BYTES_MAX], account[RECORD_BYTES_MAX];
    struct id id;
    size_t n, account_len;

    vaulthost_configure(&host, 1);
    n = vaulthost_keyset(&host, record, &id);
    account_len = vaulthost_account(&host, &id, account);
    stop(context);
    start(context);
    vaulthost_configure(&host, 2);
    assert_int_equal(call(MSG_KEYSET_OPEN, bytes_of(record, n)), ERR_MISMATCH);
    (void)vaulthost_keyset(&host, record, &id);
    assert_int_equal(call(MSG_ACCOUNT_OPEN, bytes_of(account, account_len)), ERR_MISMATCH);
}

static void test_account_of_another_keyset(void **context)
{
    uint8_t record[KEYSET_BYTES_MAX], account[RECORD_BYTES_MAX];
    struct id first, second;
    size_t account_len;

    vaulthost_configure(&host, 1);
    (void)vaulthost_keyset(&host, record, &first);
    account_len = vaulthost_account(&host, &first, account);
    stop(context);
    start(context);
    vaulthost_configure(&host, 1);
    (void)vaulthost_keyset(&host, record, &second);
    assert_int_equal(call(MSG_ACCOUNT_OPEN, bytes_of(account, account_len)), ERR_NOT_FOUND);
    // The same record, made to name the other keyset: it does not open.
    memcpy(account + 2 + 16, second.b, sizeof(second.b));
    assert_int_equal(call(MSG_ACCOUNT_OPEN, bytes_of(account, account_len)), ERR_CORRUPT);
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_unconfigured, start, stop),
        cmocka_unit_test_setup_teardown(test_configured_without_keyset, start, stop),
        cmocka_unit_test_setup_teardown(test_floods_of_documents, start, stop),
        cmocka_unit_test_setup_teardown(test_bad_configurations_change_nothing, start, stop),
        cmocka_unit_test_setup_teardown(test_dirty_pcr16_ends_the_vault, start, stop),
        cmocka_unit_test_setup_teardown(test_no_boot_without_random_bytes, start, stop),
        cmocka_unit_test_setup_teardown(test_pcr16_extended_meanwhile, start, stop),
        cmocka_unit_test_setup_teardown(test_locked_pcr16_ends_the_vault, start, stop),
        cmocka_unit_test(test_debug_mode),
        cmocka_unit_test_setup_teardown(test_other_data_key_on_decrypt, start, stop),
        cmocka_unit_test_setup_teardown(test_other_key_id, start, stop),
        cmocka_unit_test_setup_teardown(test_envelope_is_no_oracle, start, stop),
        cmocka_unit_test_setup_teardown(test_keyset_in_the_place_of_another, start, stop),
        cmocka_unit_test_setup_teardown(test_keyset_of_another_deployment, start, stop),
        cmocka_unit_test_setup_teardown(test_account_of_another_keyset, start, stop),
    };

    vaulthost_main(argc, argv);
    return cmocka_run_group_tests_name("vault phases", tests, NULL, NULL);
}
