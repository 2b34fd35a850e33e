// SPDX-License-Identifier: Apache-2.0
// proto/msg.h: every body there and back, cut at every length, and with a byte too many.
#include "proto/msg.h"

#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"

static uint8_t buf[MSG_BODY_MAX + 64];

static void heads(void **state)
{
    struct wr wr = WR_OF(buf);
    size_t at = msg_begin(&wr, MSG_SIGN_TX | MSG_ANSWER, 0x0102030405060708);
    struct msg msg;
    size_t whole;

    (void)state;
    wr_str(&wr, "body");
    msg_end(&wr, at);
    for (size_t n = 0; n < 18; n++) {
        expect_ok("partial", msg_next(bytes_of(buf, n), &whole, &msg));
        assert_int_equal(whole, 0);
    }
    expect_ok("whole", msg_next(bytes_of(buf, 40), &whole, &msg));
    assert_int_equal(whole, MSG_HEAD_BYTES + 4);
    assert_int_equal(msg.type, 0x8009);
    assert_int_equal(msg.id, 0x0102030405060708);
    assert_true(bytes_equal_str(msg.body, "body"));
}

static void head_refusals(void **state)
{
    static const struct {
        const char *name;
        uint8_t head[4];
        enum err_code code;
    } cases[] = {
        { "length 0", { 0, 0, 0, 0 }, ERR_MALFORMED },
        { "length 9", { 0, 0, 0, 9 }, ERR_MALFORMED },
        { "largest", { 0, 3, 0, 10 }, ERR_NONE },
        { "192 KiB and a byte", { 0, 3, 0, 11 }, ERR_TOO_LARGE },
        { "4 GiB", { 255, 255, 255, 255 }, ERR_TOO_LARGE },
    };
    struct msg msg;
    size_t whole;
    struct wr wr = WR_OF(buf);
    size_t at = msg_begin(&wr, 1, 1);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_err(cases[i].name, msg_next(BYTES_OF(cases[i].head), &whole, &msg), cases[i].code,
                   NULL);
    (void)wr_room(&wr, MSG_BODY_MAX + 1);
    msg_end(&wr, at);
    assert_true(wr.bad);
}

static void verdicts(void **state)
{
    static const struct {
        const char *name;
        uint8_t b[4];
        size_t n;
        bool bad;
    } cases[] = {
        { "done", { 0, 0, 0 }, 3, false },
        { "short", { 0, 0 }, 2, true },
        { "unknown code", { 0, ERR_CODES, 0 }, 3, true },
        { "large code", { 255, 0, 0 }, 3, true },
        { "audited 2", { 0, 0, 2 }, 3, true },
        { "audited without position", { 0, 0, 1, 0 }, 4, true },
    };
    struct msg_verdict in = { .code = ERR_DENIED, .audited = true, .sequence = 7, .head = { 9 } };
    struct msg_verdict out;
    struct wr wr = WR_OF(buf);
    struct rd rd;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        rd = rd_of(bytes_of(cases[i].b, cases[i].n));
        (void)msg_read_verdict(&rd);
        if (rd.bad != cases[i].bad)
            fail_msg("%s", cases[i].name);
    }
    msg_write_verdict(&wr, &in);
    rd = rd_of(wr_done(&wr));
    out = msg_read_verdict(&rd);
    assert_int_equal(rd_end(&rd).code, 0);
    assert_int_equal(out.code, ERR_DENIED);
    assert_int_equal(out.sequence, 7);
    assert_int_equal(out.head[0], 9);
}

// One body for each type: write, and read into the union.
union body {
    struct msg_status status;
    struct msg_keyset_create keyset_create;
    struct msg_step step;
    struct msg_kms_answer kms_answer;
    struct msg_account_create account_create;
    struct msg_created created;
    struct msg_account account;
    struct msg_sign_tx sign_tx;
    struct msg_signed sig;
    struct msg_anchor_answer anchor_answer;
    struct msg_attestation attestation;
    struct msg_tls_key tls_key;
    struct msg_tls_sign tls_sign;
    struct msg_tls_certify tls_certify;
    struct msg_clients clients;
    struct msg_denial denial;
};

#define BODY(name, type, ...)                                     \
    static void write_##name(struct wr *wr)                       \
    {                                                             \
        const struct msg_##name m = __VA_ARGS__;                  \
                                                                  \
        msg_write_##name(wr, &m);                                 \
    }                                                             \
    static struct err read_##name(union body *out, struct rd *rd) \
    {                                                             \
        return msg_read_##name(&out->type, rd);                   \
    }

BODY(status, status,
     { .phase = PHASE_READY,
       .boot = { { 1 } },
       .now_ms = 5,
       .sequence = 6,
       .accounts_open = 1,
       .accounts_slots = 2,
       .keysets_open = 1,
       .keyset = { { { 7 } } },
       .keyset_name = { BYTES_LIT("main") } })
BODY(keyset_create, keyset_create, { BYTES_LIT("main"), BYTES_LIT("nonce") })
BODY(step, step,
     { MSG_STEP_DECRYPT,
       3,
       BYTES_LIT("arn"),
       BYTES_LIT("main"),
       BYTES_LIT("blob"),
       BYTES_LIT("document"),
       { { 4 } },
       BYTES_LIT("record") })
BODY(kms_answer, kms_answer, { 3, BYTES_LIT("arn"), BYTES_LIT("blob"), BYTES_LIT("cms") })
BODY(account_create, account_create,
     { { { 4 } }, BYTES_LIT("policy"), BYTES_LIT("authorisers"), BYTES_LIT("nonce") })
BODY(created, created, { BYTES_LIT("record"), BYTES_LIT("document") })
BODY(account, account, { { { 4 } }, { 5 } })
BODY(sign_tx, sign_tx, { { { 4 } }, BYTES_LIT("record"), BYTES_LIT("payload"), BYTES_NONE })
BODY(signed, sig, { { 5 }, { 6 } })
BODY(anchor_answer, anchor_answer, { 3, MSG_ANCHOR_FOUND, 9, BYTES_LIT("item") })
BODY(attestation, attestation, { BYTES_LIT("nonce"), BYTES_LIT("0123456789abcdef") })
BODY(tls_key, tls_key, { { { 4 } }, { 2 }, RECORD_EXPOSED })
BODY(tls_sign, tls_sign, { { { 4 } }, MSG_TLS_EXCHANGE12, BYTES_LIT("input") })
BODY(tls_certify, tls_certify,
     { { { 4 } },
       MSG_TLS_SELF_SIGNED,
       397,
       2,
       { { MSG_TLS_DNS, BYTES_LIT("signer.example") }, { MSG_TLS_IP, BYTES_LIT("\x0a\0\0\1") } } })
BODY(clients, clients, { 7, CONFIG_PARENT_TRUSTED, BYTES_NONE, BYTES_LIT("\1\1a") })
BODY(denial, denial, { 2, { 9 }, BYTES_LIT("192.0.2.1:443") })

static const struct {
    const char *name;
    void (*write)(struct wr *wr);
    struct err (*read)(union body *out, struct rd *rd);
} bodies[] = {
    { "status", write_status, read_status },
    { "keyset_create", write_keyset_create, read_keyset_create },
    { "step", write_step, read_step },
    { "kms_answer", write_kms_answer, read_kms_answer },
    { "account_create", write_account_create, read_account_create },
    { "created", write_created, read_created },
    { "account", write_account, read_account },
    { "sign_tx", write_sign_tx, read_sign_tx },
    { "signed", write_signed, read_signed },
    { "anchor_answer", write_anchor_answer, read_anchor_answer },
    { "attestation", write_attestation, read_attestation },
    { "tls_key", write_tls_key, read_tls_key },
    { "tls_sign", write_tls_sign, read_tls_sign },
    { "tls_certify", write_tls_certify, read_tls_certify },
    { "clients", write_clients, read_clients },
    { "denial", write_denial, read_denial },
};

static void every_body(void **state)
{
    union body out;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bodies); i++) {
        struct wr wr = WR_OF(buf);
        struct rd rd;
        size_t n;

        bodies[i].write(&wr);
        n = wr_done(&wr).n;
        rd = rd_of(bytes_of(buf, n));
        expect_ok(bodies[i].name, bodies[i].read(&out, &rd));
        rd = rd_of(bytes_of(buf, n + 1));
        expect_err(bodies[i].name, bodies[i].read(&out, &rd), ERR_MALFORMED, "after its last");
        for (size_t cut = 0; cut < n; cut++) {
            rd = rd_of(bytes_of(buf, cut));
            expect_err(bodies[i].name, bodies[i].read(&out, &rd), ERR_MALFORMED, NULL);
        }
    }
}

static void contents(void **state)
{
    struct wr wr = WR_OF(buf);
    struct rd rd;
    union body out;

    (void)state;
    write_status(&wr);
    rd = rd_of(wr_done(&wr));
    expect_ok("status", read_status(&out, &rd));
    assert_true(bytes_equal_str(out.status.keyset_name[0], "main"));
    assert_int_equal(out.status.keyset[0].b[0], 7);
    assert_int_equal(out.status.accounts_slots, 2);
    wr = WR_OF(buf);
    write_step(&wr);
    rd = rd_of(wr_done(&wr));
    expect_ok("step", read_step(&out, &rd));
    assert_int_equal(out.step.kind, MSG_STEP_DECRYPT);
    assert_true(bytes_equal_str(out.step.document, "document"));
    assert_true(bytes_equal_str(out.step.record, "record"));
    wr = WR_OF(buf);
    write_sign_tx(&wr);
    rd = rd_of(wr_done(&wr));
    expect_ok("sign", read_sign_tx(&out, &rd));
    assert_true(bytes_equal_str(out.sign_tx.payload, "payload"));
    wr = WR_OF(buf);
    write_tls_certify(&wr);
    rd = rd_of(wr_done(&wr));
    expect_ok("certify", read_tls_certify(&out, &rd));
    assert_int_equal(out.tls_certify.days, 397);
    assert_int_equal(out.tls_certify.names, 2);
    assert_true(bytes_equal_str(out.tls_certify.name[0].name, "signer.example"));
    assert_int_equal(out.tls_certify.name[1].name.p[0], 10);
    wr = WR_OF(buf);
    write_denial(&wr);
    rd = rd_of(wr_done(&wr));
    expect_ok("denial", read_denial(&out, &rd));
    assert_int_equal(out.denial.identity[0], 9);
    assert_true(bytes_equal_str(out.denial.source, "192.0.2.1:443"));
}

// Values that have the right length and are still refused.
static void value_refusals(void **state)
{
    static const struct {
        const char *name;
        size_t body, at;
        uint8_t value;
    } cases[] = {
        { "phase 0", 0, 0, 0 },
        { "phase 3", 0, 0, 3 },
        { "17 keysets", 0, 1 + 16 + 8 + 8 + 32 + 48 + 8 + 13, 17 },
        { "anchored 2", 0, 1 + 16 + 8 + 8 + 32 + 48 + 8 + 12, 2 },
        { "step 5", 2, 0, 5 },
        { "parity 2", 8, 84, 2 },
        { "outcome 5", 9, 8, 5 },
        { "provenance 0", 11, 49, 0 },
        { "provenance 4", 11, 49, 4 },
        { "handshake 0", 12, 16, 0 },
        { "handshake 3", 12, 16, 3 },
        { "certificate 0", 13, 16, 0 },
        { "certificate 3", 13, 16, 3 },
        { "request with days", 13, 16, MSG_TLS_REQUEST },
        { "days too many", 13, 17, 14 },
        { "17 names", 13, 19, 17 },
        { "name type 0", 13, 20, 0 },
        { "name type 3", 13, 20, 3 },
        { "DNS name as IP", 13, 20, MSG_TLS_IP },
        { "upper case", 13, 22, 'S' },
        { "IP as DNS name", 13, 36, MSG_TLS_DNS },
        { "mode 0", 14, 8, 0 },
        { "mode 3", 14, 8, 3 },
        { "host in upper case", 14, 15, 'A' },
        { "operation 0", 15, 0, 0 },
        { "operations", 15, 0, 3 },
        { "operation 4", 15, 0, 4 },
    };
    union body out;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct wr wr = WR_OF(buf);
        struct rd rd;

        bodies[cases[i].body].write(&wr);
        buf[cases[i].at] = cases[i].value;
        rd = rd_of(wr_done(&wr));
        expect_err(cases[i].name, bodies[cases[i].body].read(&out, &rd), ERR_MALFORMED, NULL);
    }
}

// One byte above each field's limit; all other fields empty.
static void limits(void **state)
{
    static const struct {
        const char *name;
        size_t body, before, prefix, limit, after;
    } cases[] = {
        { "keyset name", 1, 0, 1, 32, 1 },
        { "keyset nonce", 1, 1, 1, 64, 0 },
        { "step CMK", 2, 9, 2, 256, 1 + 2 + 2 + 16 + 2 },
        { "step blob", 2, 12, 2, 6144, 2 + 16 + 2 },
        { "step document", 2, 14, 2, 16384, 16 + 2 },
        { "step record", 2, 32, 2, 40960, 0 },
        { "KMS KeyId", 3, 8, 2, 256, 4 },
        { "KMS blob", 3, 10, 2, 6144, 2 },
        { "KMS CMS", 3, 12, 2, 6144, 0 },
        { "policy", 4, 16, 2, 16384, 3 },
        { "authorisers", 4, 18, 2, 16384, 1 },
        { "account nonce", 4, 20, 1, 64, 0 },
        { "created record", 5, 0, 2, 40960, 2 },
        { "created document", 5, 2, 2, 16384, 0 },
        { "sign record", 7, 16, 4, 40960, 6 },
        { "sign payload", 7, 20, 4, 131072, 2 },
        { "approvals", 7, 24, 2, 0, 0 },
        { "item", 9, 17, 2, 114, 0 },
        { "attestation nonce", 10, 0, 1, 64, 1 },
        { "attestation key", 10, 1, 1, 16, 0 },
    };
    union body out;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        for (size_t over = 0; over < 2; over++) {
            size_t n = cases[i].limit + over;
            struct wr wr = WR_OF(buf);
            struct rd rd;

            memset(buf, 0, sizeof(buf));
            (void)wr_room(&wr, cases[i].before);
            for (size_t k = cases[i].prefix; k-- > 0;)
                wr_u8(&wr, (uint8_t)(n >> (8 * k)));
            (void)wr_room(&wr, n + cases[i].after);
            rd = rd_of(wr_done(&wr));
            expect_err(cases[i].name, bodies[cases[i].body].read(&out, &rd),
                       over ? ERR_MALFORMED : ERR_NONE, NULL);
        }
}

// The same for bodies that are nothing with empty fields.
static void limits_of_tls(void **state)
{
    static uint8_t many[254];
    static const struct {
        const char *name;
        uint8_t kind, names, type, days;
        size_t n;
        enum err_code code;
    } cases[] = {
        { "request", MSG_TLS_REQUEST, 1, MSG_TLS_DNS, 0, 1, ERR_NONE },
        { "16 names", MSG_TLS_SELF_SIGNED, 16, MSG_TLS_DNS, 1, 63, ERR_NONE },
        { "IPv6", MSG_TLS_REQUEST, 1, MSG_TLS_IP, 0, 16, ERR_NONE },
        { "no days", MSG_TLS_SELF_SIGNED, 1, MSG_TLS_DNS, 0, 1, ERR_MALFORMED },
        { "no names", MSG_TLS_REQUEST, 0, MSG_TLS_DNS, 0, 1, ERR_MALFORMED },
        { "empty name", MSG_TLS_REQUEST, 1, MSG_TLS_DNS, 0, 0, ERR_MALFORMED },
        { "label of 64", MSG_TLS_REQUEST, 1, MSG_TLS_DNS, 0, 64, ERR_MALFORMED },
        { "longest and a byte", MSG_TLS_REQUEST, 1, MSG_TLS_DNS, 0, 254, ERR_MALFORMED },
        { "IP of 3 bytes", MSG_TLS_REQUEST, 1, MSG_TLS_IP, 0, 3, ERR_MALFORMED },
        { "IP of 17 bytes", MSG_TLS_REQUEST, 1, MSG_TLS_IP, 0, 17, ERR_MALFORMED },
    };
    struct msg_tls_sign sign = { .kind = MSG_TLS_VERIFY13, .input = { many, MSG_TLS_INPUT_MAX } };
    struct msg_attestation attestation = { .key = { many, 15 } };
    struct wr wr;
    struct rd rd;

    (void)state;
    memset(many, 'a', sizeof(many));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct msg_tls_certify m = { .kind = cases[i].kind,
                                     .days = cases[i].days,
                                     .names = cases[i].names };

        for (size_t k = 0; k < m.names; k++)
            m.name[k] = (struct msg_tls_name) { cases[i].type, { many, cases[i].n } };
        wr = WR_OF(buf);
        msg_write_tls_certify(&wr, &m);
        rd = rd_of(wr_done(&wr));
        expect_err(cases[i].name, msg_read_tls_certify(&m, &rd), cases[i].code, NULL);
    }
    for (size_t over = 0; over < 2; over++) {
        wr = WR_OF(buf);
        sign.input.n = MSG_TLS_INPUT_MAX + over;
        msg_write_tls_sign(&wr, &sign);
        rd = rd_of(wr_done(&wr));
        expect_err("input", msg_read_tls_sign(&sign, &rd), over ? ERR_MALFORMED : ERR_NONE, NULL);
    }
    wr = WR_OF(buf);
    msg_write_attestation(&wr, &attestation);
    rd = rd_of(wr_done(&wr));
    expect_err("short id", msg_read_attestation(&attestation, &rd), ERR_MALFORMED, "key");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(heads),    cmocka_unit_test(head_refusals),
        cmocka_unit_test(verdicts), cmocka_unit_test(every_body),
        cmocka_unit_test(contents), cmocka_unit_test(value_refusals),
        cmocka_unit_test(limits),   cmocka_unit_test(limits_of_tls),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
