// SPDX-License-Identifier: Apache-2.0
// A front that was taken over, from after keyset.create on: it sends every message in every phase,
// cut short, made longer, with flipped bits, unknown types and repeats. The vault refuses each,
// goes on serving, and lets no byte of a secret out (SECURITY.md, promise "front").
#include "vaulthost.h"

#include "base/hex.h"
#include "base/must.h"
#include "crypto/ecdsa.h"
#include "crypto/openssl/p256.h"
#include "eth/tx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SEEN_MAX (64U << 20)

struct spy {
    uint8_t *bytes;
    size_t len;
};

static struct vaulthost host;
static struct spy spy;
static uint8_t keyset_record[KEYSET_BYTES_MAX], account_record[RECORD_BYTES_MAX];
static uint8_t tls_keyset_record[KEYSET_BYTES_MAX], tls_record[RECORD_BYTES_MAX];
static size_t keyset_len, account_len, tls_keyset_len, tls_len;
static struct id keyset_id, tls_id, tls_key;

static void spy_on(void *context, struct bytes received)
{
    struct spy *s = context;

    must(s->len + received.n <= SEEN_MAX);
    memcpy(s->bytes + s->len, received.p, received.n);
    s->len += received.n;
}

static struct bytes message_sign_tx(struct wr *wr, bool with_record)
{
    static uint8_t payload[256];
    struct wr payload_wr = WR_OF(payload);
    struct tx tx = {
        .kind = TX_FEE_MARKET,
        .chain_id = 31337,
        .gas = 21000,
        .max_fee = u256_of(2000000000),
        .max_priority_fee = u256_of(1),
        .has_to = true,
        .to = { 0x42 },
        .value = u256_of(1000),
    };
    struct msg_sign_tx m = { 0 };

    must(!tx_write_unsigned(&payload_wr, &tx).code);
    m.payload = wr_done(&payload_wr);
    if (with_record)
        m.record = bytes_of(account_record, account_len);
    msg_write_sign_tx(wr, &m);
    return wr_done(wr);
}

static struct bytes message_tls(uint16_t type, struct wr *wr)
{
    static const uint8_t transcript[32] = { 1 };

    if (type == MSG_TLS_OPEN)
        wr_bytes(wr, bytes_of(tls_record, tls_len));
    if (type == MSG_TLS_SIGN)
        msg_write_tls_sign(wr, &(struct msg_tls_sign) { .key = tls_key,
                                                        .kind = MSG_TLS_VERIFY13,
                                                        .input = BYTES_OF(transcript) });
    if (type == MSG_TLS_CERTIFY)
        msg_write_tls_certify(
            wr, &(struct msg_tls_certify) { .key = tls_key,
                                            .kind = MSG_TLS_SELF_SIGNED,
                                            .days = 397,
                                            .names = 1,
                                            .name = { { MSG_TLS_DNS, BYTES_LIT("a.example") } } });
    if (type == MSG_DENIAL)
        msg_write_denial(wr, &(struct msg_denial) { .operation = 2, .source = BYTES_LIT("::1") });
    return wr_done(wr);
}

// A well-formed body of each message type, as a starting point for damage.
static struct bytes message_of(uint16_t type, struct wr *wr)
{
    static const uint8_t nonce[] = { 3, 1, 2, 3, 0 };

    if (type == MSG_CONFIGURE)
        return vaulthost_config(7);
    if (type == MSG_KEYSET_CREATE)
        return BYTES_LIT("\x04main\x00");
    if (type == MSG_KEYSET_OPEN)
        return bytes_of(keyset_record, keyset_len);
    if (type == MSG_KMS_ANSWER)
        msg_write_kms_answer(wr, &(struct msg_kms_answer) { .operation = 1,
                                                            .cmk = BYTES_LIT(VAULTHOST_ARN),
                                                            .cms = BYTES_LIT("0\x80") });
    if (type == MSG_ACCOUNT_CREATE || type == MSG_IMPORT_BEGIN)
        return vaulthost_account_body(&keyset_id, POLICY_UNRESTRICTED);
    if (type == MSG_KMS_FAILED)
        return BYTES_LIT("\0\0\0\0\0\0\0\1");
    if (type == MSG_IMPORT_FINISH)
        msg_write_import_finish(wr, &(struct msg_import_finish) { .ciphertext = BYTES_LIT("x") });
    if (type == MSG_ANCHOR_ANSWER)
        msg_write_anchor_answer(
            wr, &(struct msg_anchor_answer) { .operation = 1, .outcome = MSG_ANCHOR_WRITTEN });
    if (type == MSG_ACCOUNT_OPEN)
        return bytes_of(account_record, account_len);
    if (type == MSG_SIGN_TX)
        return message_sign_tx(wr, true);
    if (type == MSG_ATTESTATION)
        return BYTES_OF(nonce);
    return message_tls(type, wr);
}

static int setup(void **context)
{
    static const struct vaulthost_options options = { .deployment = 7, .tls = true };
    const char *pki = getenv("CLOISTER_PKI");
    struct record record;

    (void)context;
    must(pki);
    spy.bytes = malloc(SEEN_MAX);
    must(spy.bytes);
    vaulthost_start(&host, pki);
    must(!vaulthost_call(&host, MSG_CONFIGURE, vaulthost_config_of(&options)).verdict.code);
    keyset_len = vaulthost_keyset(&host, keyset_record, &keyset_id);
    account_len = vaulthost_account(&host, &keyset_id, account_record);
    tls_keyset_len = vaulthost_keyset_of(&host, "tls", tls_keyset_record, &tls_id);
    tls_len = vaulthost_tls_key(&host, &tls_id, tls_record);
    must(!record_read(&record, bytes_of(tls_record, tls_len)).code);
    must(!vaulthost_call(&host, MSG_TLS_OPEN, bytes_of(tls_record, tls_len)).verdict.code);
    tls_key = record.id;
    host.seen = spy_on;
    host.seen_context = &spy;
    return 0;
}

static int teardown(void **context)
{
    (void)context;
    vaulthost_stop(&host);
    free(spy.bytes);
    return 0;
}

static void still_serves(void)
{
    assert_true(vaulthost_alive(&host));
    assert_int_equal(vaulthost_call(&host, MSG_STATUS, BYTES_NONE).verdict.code, ERR_NONE);
}

static void test_every_message_cut_short(void **context)
{
    uint8_t space[4096];

    (void)context;
    for (uint16_t type = MSG_CONFIGURE; type <= MSG_DENIAL; type++) {
        struct wr wr = WR_OF(space);
        struct bytes whole = message_of(type, &wr);

        if (whole.n == 0)
            continue;
        for (size_t n = 0; n < whole.n; n++)
            assert_int_not_equal(vaulthost_call(&host, type, bytes_take(whole, n)).verdict.code,
                                 ERR_NONE);
        still_serves();
    }
}

static void test_every_message_too_long(void **context)
{
    static uint8_t longer[MSG_BODY_MAX];
    static const size_t extra[] = { 1, 2, 64, 4096 };
    uint8_t space[4096];

    (void)context;
    for (uint16_t type = MSG_STATUS; type <= MSG_DENIAL; type++) {
        struct wr wr = WR_OF(space);
        struct bytes whole = message_of(type, &wr);

        memset(longer, 0, sizeof(longer));
        if (whole.n)
            memcpy(longer, whole.p, whole.n);
        if (type == MSG_STATUS || type == MSG_CONFIG || type == MSG_SEAL || type == MSG_CLIENTS)
            continue; // covered below: no body is a body of length zero
        for (size_t i = 0; i < ARRAY_LEN(extra); i++)
            assert_int_not_equal(
                vaulthost_call(&host, type, bytes_of(longer, whole.n + extra[i])).verdict.code,
                ERR_NONE);
        assert_int_not_equal(
            vaulthost_call(&host, type, bytes_of(longer, sizeof(longer))).verdict.code, ERR_NONE);
    }
    assert_int_equal(vaulthost_call(&host, MSG_STATUS, bytes_of(longer, 1)).verdict.code,
                     ERR_TOO_LARGE);
    assert_int_equal(vaulthost_call(&host, MSG_CONFIG, bytes_of(longer, 1)).verdict.code,
                     ERR_TOO_LARGE);
    assert_int_equal(vaulthost_call(&host, MSG_SEAL, bytes_of(longer, 1)).verdict.code,
                     ERR_TOO_LARGE);
    assert_int_equal(vaulthost_call(&host, MSG_CLIENTS, bytes_of(longer, 1)).verdict.code,
                     ERR_TOO_LARGE);
    still_serves();
}

static void test_every_bit_flipped(void **context)
{
    static uint8_t damaged[8192];
    static const uint16_t types[] = { MSG_KEYSET_OPEN, MSG_ACCOUNT_OPEN, MSG_SIGN_TX, MSG_TLS_OPEN,
                                      MSG_TLS_SIGN };
    uint8_t space[4096];

    (void)context;
    for (size_t t = 0; t < ARRAY_LEN(types); t++) {
        struct wr wr = WR_OF(space);
        struct bytes whole = message_of(types[t], &wr);
        // In a signing request the payload may be changed (that is another transaction, or another
        // handshake); what stands before it may not.
        size_t n = types[t] == MSG_SIGN_TX    ? 16 + 4 + account_len
                   : types[t] == MSG_TLS_SIGN ? 16 + 2
                                              : whole.n;

        memcpy(damaged, whole.p, whole.n);
        for (size_t bit = 0; bit < 8 * n; bit++) {
            struct vaulthost_answer answer;

            damaged[bit / 8] ^= (uint8_t)(1U << bit % 8);
            answer = vaulthost_call(&host, types[t], bytes_of(damaged, whole.n));
            // A damaged blob of a keyset record is KMS's to refuse: the vault asks for its Decrypt.
            if (types[t] != MSG_KEYSET_OPEN)
                assert_int_not_equal(answer.verdict.code, ERR_NONE);
            damaged[bit / 8] ^= (uint8_t)(1U << bit % 8);
        }
        still_serves();
    }
}

static void test_unknown_types(void **context)
{
    (void)context;
    for (uint32_t type = 0; type <= UINT16_MAX; type += type < 64 ? 1 : 257) {
        struct vaulthost_answer answer;

        if ((type >= MSG_STATUS && type <= MSG_DENIAL) || type & MSG_ANSWER)
            continue;
        answer = vaulthost_call(&host, (uint16_t)type, BYTES_LIT("anything"));
        assert_int_equal(answer.verdict.code, ERR_UNSUPPORTED);
    }
    still_serves();
}

static void test_second_configure(void **context)
{
    (void)context;
    assert_int_equal(vaulthost_call(&host, MSG_CONFIGURE, vaulthost_config(7)).verdict.code,
                     ERR_PHASE);
    assert_int_equal(vaulthost_call(&host, MSG_CONFIGURE, vaulthost_config(8)).verdict.code,
                     ERR_PHASE);
    still_serves();
}

// A keyset that is open already is not opened again, but a record that is not its own is no
// success.
static void test_damaged_record_of_an_open_keyset(void **context)
{
    static uint8_t damaged[KEYSET_BYTES_MAX];
    const size_t created_at = 2 + 16 + 16 + 1 + 4 + 1;

    (void)context;
    memcpy(damaged, keyset_record, keyset_len);
    assert_int_equal(
        vaulthost_call(&host, MSG_KEYSET_OPEN, bytes_of(damaged, keyset_len)).verdict.code,
        ERR_NONE);
    damaged[created_at] ^= 1;
    assert_int_equal(
        vaulthost_call(&host, MSG_KEYSET_OPEN, bytes_of(damaged, keyset_len)).verdict.code,
        ERR_CORRUPT);
    damaged[created_at] ^= 1;
    damaged[keyset_len - 1] ^= 1;
    assert_int_equal(
        vaulthost_call(&host, MSG_KEYSET_OPEN, bytes_of(damaged, keyset_len)).verdict.code,
        ERR_CORRUPT);
}

static void test_repeats_release_nothing_new(void **context)
{
    uint8_t space[4096], first[85];
    struct wr wr = WR_OF(space);
    struct bytes body = message_of(MSG_SIGN_TX, &wr);
    struct vaulthost_answer answer = vaulthost_call(&host, MSG_SIGN_TX, body);

    (void)context;
    assert_int_equal(answer.verdict.code, ERR_NONE);
    assert_int_equal(answer.result.n, sizeof(first));
    memcpy(first, answer.result.p, sizeof(first));
    for (int i = 0; i < 100; i++) {
        answer = vaulthost_call(&host, MSG_SIGN_TX, body);
        assert_int_equal(answer.verdict.code, ERR_NONE);
        assert_memory_equal(answer.result.p, first, sizeof(first));
    }
}

static void test_kms_answers_without_question(void **context)
{
    uint8_t space[8192];

    (void)context;
    for (uint64_t operation = 0; operation < 64; operation++) {
        struct wr wr = WR_OF(space);

        msg_write_kms_answer(&wr, &(struct msg_kms_answer) { .operation = operation,
                                                             .cmk = BYTES_LIT(VAULTHOST_ARN),
                                                             .blob = BYTES_LIT("blob"),
                                                             .cms = BYTES_LIT("cms") });
        assert_int_not_equal(vaulthost_call(&host, MSG_KMS_ANSWER, wr_done(&wr)).verdict.code,
                             ERR_NONE);
    }
    still_serves();
}

static void test_other_networks(void **context)
{
    uint8_t space[4096], payload[256];
    struct wr wr = WR_OF(space), payload_wr = WR_OF(payload);
    struct tx tx = { .kind = TX_LEGACY, .chain_id = 1, .gas = 21000, .has_to = true };
    struct msg_sign_tx m = { .record = bytes_of(account_record, account_len) };
    struct vaulthost_answer answer;

    (void)context;
    must(!tx_write_unsigned(&payload_wr, &tx).code);
    m.payload = wr_done(&payload_wr);
    msg_write_sign_tx(&wr, &m);
    answer = vaulthost_call(&host, MSG_SIGN_TX, wr_done(&wr));
    assert_int_equal(answer.verdict.code, ERR_DENIED);
    assert_non_null(strstr(answer.text, "chainId"));
}

static void test_account_without_policy(void **context)
{
    uint8_t space[4096], record[1024], body[4096];
    struct wr wr = WR_OF(space), body_wr = WR_OF(body);
    struct vaulthost_answer answer = vaulthost_call(
        &host, MSG_ACCOUNT_CREATE, vaulthost_account_body(&keyset_id, POLICY_NOTHING));
    struct msg_created created;
    struct msg_sign_tx m;
    struct rd rd = rd_of(answer.result);

    (void)context;
    assert_int_equal(answer.verdict.code, ERR_NONE);
    must(!msg_read_created(&created, &rd).code && created.record.n <= sizeof(record));
    memcpy(record, created.record.p, created.record.n);
    rd = rd_of(message_sign_tx(&wr, true));
    must(!msg_read_sign_tx(&m, &rd).code);
    m.record = bytes_of(record, created.record.n);
    msg_write_sign_tx(&body_wr, &m);
    answer = vaulthost_call(&host, MSG_SIGN_TX, wr_done(&body_wr));
    assert_int_equal(answer.verdict.code, ERR_DENIED);
    assert_non_null(strstr(answer.text, "policy"));
}

// Secrets as they are and as little-endian limbs, which is their bytes reversed.
static void spy_finds_none(const char *name, const struct seckey *secret)
{
    struct seckey reversed;

    for (size_t i = 0; i < sizeof(secret->b); i++)
        reversed.b[i] = secret->b[sizeof(secret->b) - 1 - i];
    if (memmem(spy.bytes, spy.len, secret->b, 32) || memmem(spy.bytes, spy.len, reversed.b, 32))
        fail_msg("%s was sent to the front", name);
}

static void test_no_secret_was_sent(void **context)
{
    struct seckey keyset_key, account_key, tls_keyset_key, tls_secret;
    uint8_t public_key[ECDSA_PUBLIC_BYTES];
    struct record record;

    (void)context;
    assert_true(spy.len > 10000);
    vaulthost_keyset_key(&host, bytes_of(keyset_record, keyset_len), &keyset_key);
    vaulthost_account_key(&keyset_key, bytes_of(account_record, account_len), &account_key);
    // That these are the secrets, and not something else that is naturally found nowhere.
    ecdsa_init(keyset_key.b);
    must(!ecdsa_public(public_key, &account_key).code);
    must(!record_read(&record, bytes_of(account_record, account_len)).code);
    assert_memory_equal(public_key, record.public_key.p, sizeof(public_key));
    spy_finds_none("keyset key", &keyset_key);
    spy_finds_none("account key", &account_key);
    vaulthost_keyset_key(&host, bytes_of(tls_keyset_record, tls_keyset_len), &tls_keyset_key);
    vaulthost_account_key(&tls_keyset_key, bytes_of(tls_record, tls_len), &tls_secret);
    must(!p256_public(public_key, &tls_secret).code);
    must(!record_read(&record, bytes_of(tls_record, tls_len)).code);
    assert_memory_equal(public_key, record.public_key.p, sizeof(public_key));
    spy_finds_none("TLS keyset key", &tls_keyset_key);
    spy_finds_none("TLS key", &tls_secret);
    for (unsigned i = 0; i < host.data_keys; i++)
        spy_finds_none("data key", &host.data_key[i]);
}

static void test_broken_framing_ends_the_channel_only(void **context)
{
    static const uint8_t huge[] = { 0xff, 0xff, 0xff, 0xff, 0, 1 };

    (void)context;
    vaulthost_send(&host, BYTES_OF(huge));
    assert_int_equal(vaulthost_call(&host, MSG_STATUS, BYTES_NONE).verdict.code, ERR_CLOSED);
    assert_true(vaulthost_alive(&host));
}

int main(int argc, char **argv)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_message_cut_short),
        cmocka_unit_test(test_every_message_too_long),
        cmocka_unit_test(test_every_bit_flipped),
        cmocka_unit_test(test_unknown_types),
        cmocka_unit_test(test_second_configure),
        cmocka_unit_test(test_damaged_record_of_an_open_keyset),
        cmocka_unit_test(test_repeats_release_nothing_new),
        cmocka_unit_test(test_kms_answers_without_question),
        cmocka_unit_test(test_other_networks),
        cmocka_unit_test(test_account_without_policy),
        cmocka_unit_test(test_no_secret_was_sent),
        cmocka_unit_test(test_broken_framing_ends_the_channel_only),
    };

    vaulthost_main(argc, argv);
    return cmocka_run_group_tests_name("hostile front", tests, setup, teardown);
}
