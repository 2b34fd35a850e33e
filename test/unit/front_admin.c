// SPDX-License-Identifier: Apache-2.0
// The front's methods for administrators and for imports: what passes through to the vault as it
// is, what is refused before, and that the front's phase follows the vault's.
#include "front_fixture.h"

#include "base/hex.h"
#include "proto/approval.h"
#include "proto/manifest.h"

#define ACCOUNT "0123456789abcdef0123456789abcdef"
#define ENC     "0x0202020202020202020202020202020202020202020202020202020202020202"
#define STANDING(phase) \
    "{\"id\":1,\"result\":{\"phase\":\"" phase "\",\"serial\":41,\"seals\":3,\"anchored\":true}}"

static int ready(void **state)
{
    (void)state;
    fixture_start(PHASE_READY);
    return 0;
}

static int sealed(void **state)
{
    (void)state;
    fixture_start(PHASE_SEALED);
    return 0;
}

static int unconfigured(void **state)
{
    (void)state;
    fixture_start(PHASE_UNCONFIGURED);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop();
    return 0;
}

// A request whose one parameter is `n` bytes of 'x' as base64.
static void send_bytes(int fd, const char *method, const char *name, size_t n)
{
    static char text[FRAME_BYTES_MAX];
    static uint8_t bytes[200000];
    struct wr wr = wr_of(text, sizeof(text) - 1);

    memset(bytes, 'x', sizeof(bytes));
    wr_str(&wr, "{\"id\":1,\"method\":\"");
    wr_str(&wr, method);
    wr_str(&wr, "\",\"params\":{\"");
    wr_str(&wr, name);
    wr_str(&wr, "\":\"");
    base64_write(&wr, bytes_of(bytes, n));
    wr_str(&wr, "\"}}");
    assert_false(wr.bad);
    text[wr.len] = 0;
    client_send(fd, text);
}

// The vault has nothing (more) to ask of the anchor.
static void vault_answer_done(const struct msg *msg)
{
    uint8_t space[64];
    struct wr wr = WR_OF(space);

    msg_write_step(&wr, &(struct msg_step) { .kind = MSG_STEP_DONE });
    vault_answer(msg, ERR_NONE, wr_done(&wr));
}

static void test_seal_and_unseal(void **state)
{
    struct msg msg;
    int fd = client_dial();

    (void)state;
    client_send(fd, "{\"id\":1,\"method\":\"seal\"}");
    msg = vault_expect(MSG_SEAL);
    assert_int_equal(msg.body.n, 0);
    vault_answer_done(&msg);
    vault_answer_standing(PHASE_SEALED);
    client_expect(fd, STANDING("SEALED"));
    client_send(fd, "{\"method\":\"account.open\",\"params\":{\"record_b64\":\"AAEC\"}}");
    client_expect(fd, "\"code\":\"phase\",\"message\":\"not possible while SEALED");
    client_send(fd, "{\"id\":1,\"method\":\"seal\"}"); // again: for what the anchor has not got
    msg = vault_expect(MSG_SEAL);
    vault_answer_done(&msg);
    vault_answer_standing(PHASE_SEALED);
    client_expect(fd, STANDING("SEALED"));
    send_bytes(fd, "unseal", "approvals_b64", 1041);
    msg = vault_expect(MSG_UNSEAL);
    assert_int_equal(msg.body.n, 1041);
    vault_answer(&msg, ERR_UNTRUSTED, BYTES_LIT("approvals: one does not verify"));
    client_expect(fd, "\"code\":\"untrusted\",\"message\":\"approvals: one does not verify\"");
    client_send(fd, "{\"method\":\"hello\"}");
    client_expect(fd, "\"phase\":\"SEALED\"");
    send_bytes(fd, "unseal", "approvals_b64", 66);
    msg = vault_expect(MSG_UNSEAL);
    vault_answer(&msg, ERR_NONE, BYTES_NONE);
    vault_answer_standing(PHASE_CONFIGURED);
    client_expect(fd, STANDING("CONFIGURED"));
    client_send(fd, "{\"method\":\"hello\"}");
    client_expect(fd, "\"phase\":\"CONFIGURED\"");
    (void)close(fd);
}

// A manifest may close the last keyset.
static void test_manifest(void **state)
{
    struct msg msg;
    int fd = client_dial();

    (void)state;
    send_bytes(fd, "manifest.apply", "manifest_b64", MANIFEST_SIGNED_MAX);
    msg = vault_expect(MSG_MANIFEST);
    assert_int_equal(msg.body.n, MANIFEST_SIGNED_MAX);
    assert_int_equal(msg.body.p[0], 'x');
    vault_answer_done(&msg);
    vault_answer_standing(PHASE_CONFIGURED);
    client_expect(fd, STANDING("CONFIGURED"));
    client_send(fd, "{\"method\":\"account.open\",\"params\":{\"record_b64\":\"AAEC\"}}");
    client_expect(fd, "before a keyset is open");
    send_bytes(fd, "manifest.apply", "manifest_b64", 3);
    msg = vault_expect(MSG_MANIFEST);
    assert_true(bytes_equal_str(msg.body, "xxx"));
    vault_answer(&msg, ERR_DENIED, BYTES_LIT("manifest.serial: expected a larger one"));
    client_expect(fd, "\"code\":\"denied\",\"message\":\"manifest.serial: expected a larger one\"");
    (void)close(fd);
}

static void test_status_tells(void **state)
{
    int fd = client_dial();

    (void)state;
    client_send(fd, "{\"method\":\"status\"}");
    vault_answer_status(PHASE_SEALED);
    client_expect(fd,
                  "{\"result\":{\"phase\":\"SEALED\",\"boot\":\"b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0\","
                  "\"manifest_serial\":41,\"seals\":3,");
    (void)close(fd);
}

static void test_import_begin(void **state)
{
    struct msg_import_ready ready_answer = { .document = BYTES_LIT("document") };
    struct msg_account_create asked = { 0 };
    uint8_t space[256];
    struct wr wr = WR_OF(space);
    struct msg msg;
    struct rd rd;
    int fd = client_dial();

    (void)state;
    client_send(fd, "{\"id\":1,\"method\":\"import.begin\",\"params\":{\"keyset\":\"" ACCOUNT
                    "\",\"unrestricted\":true,\"nonce\":\"0xaa\"}}");
    msg = vault_expect(MSG_IMPORT_BEGIN);
    rd = rd_of(msg.body);
    assert_int_equal(msg_read_account_create(&asked, &rd).code, 0);
    assert_int_equal(rd_end(&rd).code, 0);
    assert_int_equal(asked.keyset.b[15], 0xef);
    assert_true(bytes_equal(asked.policy, BYTES_LIT("\x00\x01\x01")));
    assert_true(bytes_equal(asked.nonce, BYTES_LIT("\xaa")));
    memset(ready_answer.account.b, 0xac, 16);
    memset(ready_answer.public_key, 0x09, 32);
    msg_write_import_ready(&wr, &ready_answer);
    vault_answer(&msg, ERR_NONE, wr_done(&wr));
    client_expect(fd,
                  "{\"id\":1,\"result\":{\"account\":\"acacacacacacacacacacacacacacacac\","
                  "\"public_key\":\"0x0909090909090909090909090909090909090909090909090909090909"
                  "090909\",\"document_b64\":\"ZG9jdW1lbnQ=\"}}");
    (void)close(fd);
}

static void test_import_finish(void **state)
{
    static char text[1024] = "{\"method\":\"import.finish\",\"params\":{\"account\":\"" ACCOUNT
                             "\",\"enc\":\"" ENC "\",\"nonce\":\"0xbb\",\"ciphertext_b64\":\"";
    static const uint8_t sealed_key[MSG_IMPORT_CIPHER_BYTES] = { 7 };
    struct wr wr = wr_of(text, sizeof(text) - 1);
    struct msg_import_finish asked;
    struct msg msg;
    struct rd rd;
    int fd = client_dial();

    (void)state;
    wr.len = strlen(text);
    base64_write(&wr, BYTES_OF(sealed_key));
    wr_str(&wr, "\"}}");
    client_send(fd, text);
    msg = vault_expect(MSG_IMPORT_FINISH);
    rd = rd_of(msg.body);
    assert_int_equal(msg_read_import_finish(&asked, &rd).code, 0);
    assert_int_equal(rd_end(&rd).code, 0);
    assert_int_equal(asked.account.b[0], 0x01);
    assert_int_equal(asked.enc[31], 0x02);
    assert_true(bytes_equal(asked.ciphertext, BYTES_OF(sealed_key)));
    assert_true(bytes_equal(asked.nonce, BYTES_LIT("\xbb")));
    vault_answer(&msg, ERR_NOT_FOUND, BYTES_LIT("account: no import of this id is waiting"));
    client_expect(fd, "\"code\":\"not_found\",\"message\":\"account: no import");
    (void)close(fd);
}

static void test_refused_parameters(void **state)
{
    static const char *const cases[][2] = {
        { "{\"method\":\"manifest.apply\"}", "\"malformed\",\"message\":\"manifest_b64: expected" },
        { "{\"method\":\"manifest.apply\",\"params\":{\"manifest_b64\":\"\"}}",
          "manifest_b64: expected" },
        { "{\"method\":\"manifest.apply\",\"params\":{\"manifest_b64\":\"A\"}}",
          "manifest_b64: expected" },
        { "{\"method\":\"manifest.apply\",\"params\":{\"manifest_b64\":7}}",
          "manifest_b64: expected" },
        { "{\"method\":\"manifest.apply\",\"params\":{\"manifest\":\"AAAA\"}}",
          "unknown field: \\\"manifest\\\"" },
        { "{\"method\":\"seal\",\"params\":{\"why\":1}}", "unknown field: \\\"why\\\"" },
        { "{\"method\":\"import.begin\",\"params\":{\"keyset\":\"" ACCOUNT "\"}}",
          "unrestricted: expected" },
        { "{\"method\":\"import.begin\",\"params\":{\"unrestricted\":true}}", "keyset: expected" },
        { "{\"method\":\"import.begin\",\"params\":{\"keyset\":\"" ACCOUNT
          "\",\"unrestricted\":true,\"nonce\":\"\"}}",
          "nonce: expected" },
        { "{\"method\":\"import.begin\",\"params\":{\"account\":\"" ACCOUNT "\"}}",
          "unknown field: \\\"account\\\"" },
        { "{\"method\":\"import.finish\",\"params\":{\"enc\":\"" ENC "\"}}", "account: expected" },
        { "{\"method\":\"import.finish\",\"params\":{\"account\":\"" ACCOUNT "\"}}",
          "enc: expected 0x and 64" },
        { "{\"method\":\"import.finish\",\"params\":{\"account\":\"" ACCOUNT "\",\"enc\":\"" ENC
          "00\"}}",
          "enc: expected" },
        { "{\"method\":\"import.finish\",\"params\":{\"account\":\"" ACCOUNT
          "\",\"enc\":\"0x02\"}}",
          "enc: expected" },
        { "{\"method\":\"import.finish\",\"params\":{\"account\":\"" ACCOUNT "\",\"enc\":\"" ENC
          "\"}}",
          "ciphertext_b64: expected" },
        { "{\"method\":\"import.finish\",\"params\":{\"account\":\"" ACCOUNT "\",\"enc\":\"" ENC
          "\",\"ciphertext_b64\":\"AAAA\",\"nonce\":1}}",
          "nonce: expected" },
    };
    int fd = client_dial();

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        client_send(fd, cases[i][0]);
        client_expect(fd, cases[i][1]);
    }
    send_bytes(fd, "manifest.apply", "manifest_b64", MANIFEST_SIGNED_MAX + 1);
    client_expect(fd, "\"too_large\",\"message\":\"manifest_b64: expected");
    assert_int_equal(fd_wait(fixture.vault, POLLIN, deadline_in(20)).code, ERR_TIMEOUT);
    (void)close(fd);
}

static void expect_phase(const char *const (*cases)[2], size_t count)
{
    int fd = client_dial();

    for (size_t i = 0; i < count; i++) {
        client_send(fd, cases[i][0]);
        client_expect(fd, "\"code\":\"phase\"");
        client_send(fd, cases[i][0]);
        client_expect(fd, cases[i][1]);
    }
    assert_int_equal(fd_wait(fixture.vault, POLLIN, deadline_in(20)).code, ERR_TIMEOUT);
    (void)close(fd);
}

static void test_phases_when_ready(void **state)
{
    static const char *const cases[][2] = {
        { "{\"method\":\"unseal\",\"params\":{\"approvals_b64\":\"AA==\"}}", "not sealed" },
        { "{\"method\":\"configure\",\"params\":{\"config_b64\":\"AA==\"}}", "configured already" },
    };

    (void)state;
    expect_phase(cases, ARRAY_LEN(cases));
}

static void test_phases_when_sealed(void **state)
{
    static const char *const cases[][2] = {
        { "{\"method\":\"configure\",\"params\":{\"config_b64\":\"AA==\"}}", "configured already" },
        { "{\"method\":\"set_credentials\"}", "call unseal first" },
        { "{\"method\":\"keyset.create\"}", "call unseal first" },
        { "{\"method\":\"keyset.open\"}", "call unseal first" },
        { "{\"method\":\"account.create\"}", "call unseal first" },
        { "{\"method\":\"account.open\"}", "call unseal first" },
        { "{\"method\":\"sign_transaction\"}", "call unseal first" },
        { "{\"method\":\"import.begin\"}", "call unseal first" },
        { "{\"method\":\"import.finish\"}", "call unseal first" },
    };

    (void)state;
    expect_phase(cases, ARRAY_LEN(cases));
}

static void test_phases_when_unconfigured(void **state)
{
    static const char *const cases[][2] = {
        { "{\"method\":\"manifest.apply\"}", "call configure first" },
        { "{\"method\":\"seal\"}", "call configure first" },
        { "{\"method\":\"unseal\"}", "call configure first" },
        { "{\"method\":\"import.begin\"}", "call configure first" },
    };

    (void)state;
    expect_phase(cases, ARRAY_LEN(cases));
}

#define WITH(test, phase) cmocka_unit_test_setup_teardown(test, phase, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(test_seal_and_unseal, ready),
        WITH(test_manifest, ready),
        WITH(test_status_tells, ready),
        WITH(test_import_begin, ready),
        WITH(test_import_finish, ready),
        WITH(test_refused_parameters, ready),
        WITH(test_phases_when_ready, ready),
        WITH(test_phases_when_sealed, sealed),
        WITH(test_phases_when_unconfigured, unconfigured),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
