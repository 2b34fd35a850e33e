// SPDX-License-Identifier: Apache-2.0
// The front's control plane, with the test as client and as vault: order and pipelining, frames and
// requests that are refused, phases, and each method that needs no KMS.
#include "front_fixture.h"

#include "base/hex.h"
#include "proto/record.h"

#define ACCOUNT "0123456789abcdef0123456789abcdef"
#define TX                                                                          \
    "\"tx\":{\"chainId\":1,\"nonce\":9,\"gas\":21000,\"gasPrice\":\"20000000000\"," \
    "\"to\":\"0x3535353535353535353535353535353535353535\",\"value\":\"1000000000000000000\"}"

static int ready(void **state)
{
    (void)state;
    fixture_start(PHASE_READY);
    return 0;
}

static int configured(void **state)
{
    (void)state;
    fixture_start(PHASE_CONFIGURED);
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

static void test_hello_and_status(void **state)
{
    int fd = client_dial();

    (void)state;
    assert_in_range(atomic_load(&fixture_sealed), 1, 100); // before the first connection
    client_send(fd, "{\"method\":\"hello\"}");
    client_expect(fd, "{\"result\":{\"protocol\":1,\"program\":\"cloister-enclave\",");
    client_send(fd, "{\"id\":\"a\",\"method\":\"hello\",\"params\":{\"protocol\":[3,1]}}");
    client_expect(fd, "{\"id\":\"a\",\"result\":{\"protocol\":1,");
    client_send(fd, "{\"method\":\"hello\",\"params\":{\"protocol\":[2]}}");
    client_expect(fd, "\"code\":\"unsupported\"");
    client_send(fd, "{\"method\":\"status\"}");
    vault_answer_status(PHASE_READY);
    client_expect(fd, "{\"result\":{\"phase\":\"READY\",\"boot\":\"b0b0b0b0");
    (void)close(fd);
}

static void test_ids_may_overtake(void **state)
{
    struct msg first, second;
    int fd = client_dial();

    (void)state;
    client_send(fd, "{\"id\":1,\"method\":\"attestation\"}");
    first = vault_expect(MSG_ATTESTATION);
    first.body = BYTES_NONE;
    client_send(fd, "{\"id\":-2,\"method\":\"attestation\",\"params\":{\"nonce\":\"0xaabb\"}}");
    second = vault_expect(MSG_ATTESTATION);
    assert_true(bytes_equal(second.body, BYTES_LIT("\x02\xaa\xbb\0")));
    vault_answer(&second, ERR_NONE, BYTES_LIT("two"));
    client_expect(fd, "{\"id\":-2,\"result\":{\"document_b64\":\"dHdv\"}}");
    vault_answer(&first, ERR_NONE, BYTES_LIT("one"));
    client_expect(fd, "{\"id\":1,\"result\":{\"document_b64\":\"b25l\"}}");
    (void)close(fd);
}

static void test_without_ids_in_order(void **state)
{
    struct msg msg;
    int fd = client_dial();

    (void)state;
    client_send(fd, "{\"method\":\"attestation\"}");
    client_send(fd, "{\"method\":\"hello\"}");
    msg = vault_expect(MSG_ATTESTATION);
    assert_int_equal(fd_wait(fd, POLLIN, deadline_in(50)).code, ERR_TIMEOUT);
    vault_answer(&msg, ERR_DEVICE, BYTES_LIT("NSM: no"));
    client_expect(fd, "{\"error\":{\"code\":\"device\",\"message\":\"NSM: no\"}}");
    client_expect(fd, "\"protocol\":1");
    (void)close(fd);
}

static void test_pipelining_is_bounded(void **state)
{
    struct msg msg;
    int fd = client_dial();

    (void)state;
    for (int i = 0; i < 65; i++)
        client_send(fd,
                    "{\"id\":1,\"method\":\"account.open\",\"params\":{\"record_b64\":\"eA==\"}}");
    for (int i = 0; i < 64; i++)
        msg = vault_expect(MSG_ACCOUNT_OPEN);
    assert_int_equal(fd_wait(fixture.vault, POLLIN, deadline_in(50)).code, ERR_TIMEOUT);
    vault_answer(&msg, ERR_DENIED, BYTES_LIT("no"));
    client_expect(fd, "no");
    (void)vault_expect(MSG_ACCOUNT_OPEN);
    (void)close(fd);
}

// Beyond 128 requests of all connections together each one has a single one under way, but has it.
static void test_everybody_has_one_request(void **state)
{
    int fd[4];

    (void)state;
    for (int k = 0; k < 4; k++) {
        fd[k] = client_dial();
        for (int i = 0; i < 64; i++)
            client_send(
                fd[k],
                "{\"id\":1,\"method\":\"account.open\",\"params\":{\"record_b64\":\"eA==\"}}");
        for (int i = 0; i < (k < 2 ? 64 : 1); i++)
            (void)vault_expect(MSG_ACCOUNT_OPEN);
        assert_int_equal(fd_wait(fixture.vault, POLLIN, deadline_in(20)).code, ERR_TIMEOUT);
    }
    for (int k = 0; k < 4; k++)
        (void)close(fd[k]);
}

// The vault has two slow messages at once; short ones pass those that wait, which keep their order.
static void test_slow_messages_wait(void **state)
{
    struct msg first, msg;
    int slow = client_dial(), other = client_dial();

    (void)state;
    for (int i = 0; i < 4; i++)
        client_send(slow, "{\"id\":1,\"method\":\"attestation\",\"params\":{\"nonce\":\"0xaa\"}}");
    first = vault_expect(MSG_ATTESTATION);
    first.body = BYTES_NONE;
    (void)vault_expect(MSG_ATTESTATION);
    assert_int_equal(fd_wait(fixture.vault, POLLIN, deadline_in(20)).code, ERR_TIMEOUT);
    client_send(other, "{\"method\":\"account.open\",\"params\":{\"record_b64\":\"eA==\"}}");
    (void)vault_expect(MSG_ACCOUNT_OPEN);
    vault_answer(&first, ERR_NONE, BYTES_LIT("x"));
    client_expect(slow, "document_b64");
    msg = vault_expect(MSG_ATTESTATION);
    assert_true(bytes_equal(msg.body, BYTES_LIT("\x01\xaa\0")));
    (void)close(slow);
    (void)close(other);
}

static void test_peer_that_left_gets_nothing(void **state)
{
    struct msg msg;
    int fd = client_dial();

    (void)state;
    client_send(fd, "{\"id\":1,\"method\":\"attestation\"}");
    msg = vault_expect(MSG_ATTESTATION);
    (void)close(fd);
    (void)poll(NULL, 0, 20);
    vault_answer(&msg, ERR_NONE, BYTES_LIT("x"));
    fd = client_dial();
    client_send(fd, "{\"method\":\"hello\"}");
    client_expect(fd, "\"protocol\":1");
    (void)close(fd);
}

// 64 answers of 16 KiB are more than a peer may leave unread before it is no longer listened to.
static void test_peer_that_does_not_read_is_paused(void **state)
{
    static uint8_t document[DOCUMENT_MAX];
    struct msg msg;
    int asked = 0, slow = client_dial(), other = client_dial();

    (void)state;
    for (int i = 0; i < 200; i++)
        client_send(slow, "{\"id\":1,\"method\":\"attestation\"}");
    while (!fd_wait(fixture.vault, POLLIN, deadline_in(1000)).code) {
        msg = vault_expect(MSG_ATTESTATION);
        vault_answer(&msg, ERR_NONE, BYTES_OF(document));
        asked++;
    }
    assert_in_range(asked, 8, 150);
    client_send(other, "{\"method\":\"hello\"}");
    client_expect(other, "\"protocol\":1");
    for (int i = 0; i < asked; i++)
        client_expect(slow, "document_b64");
    (void)vault_expect(MSG_ATTESTATION); // it reads again, and is heard again
    (void)close(slow);
    (void)close(other);
}

static void test_connections_are_bounded(void **state)
{
    static int fd[258];
    char byte;

    (void)state;
    fd[0] = client_dial();
    client_send(fd[0], "{\"method\":\"hello\"}");
    client_expect(fd[0], "\"protocol\":1");
    fd[1] = client_dial();
    (void)poll(NULL, 0, 5);
    for (size_t i = 2; i < ARRAY_LEN(fd); i++)
        fd[i] = client_dial();
    client_send(fd[257], "{\"method\":\"hello\"}");
    client_expect(fd[257], "\"protocol\":1");
    // The oldest newcomer went; the one that had worked is older and stays.
    assert_int_equal(read(fd[1], &byte, 1), 0);
    client_send(fd[0], "{\"method\":\"hello\"}");
    client_expect(fd[0], "\"protocol\":1");
    for (size_t i = 0; i < ARRAY_LEN(fd); i++)
        (void)close(fd[i]);
}

// Half frames that fill the budget: the oldest of them go, others are heard as before.
static void test_memory_is_bounded(void **state)
{
    static const uint8_t head[] = { 0, 0x10, 0, 0 }; // 1 MiB
    static uint8_t part[700 << 10];
    static int fd[80];
    int other = client_dial();
    char byte;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(fd); i++) {
        fd[i] = client_dial();
        assert_int_equal(fd_write_all(fd[i], BYTES_OF(head), deadline_in(WAIT_MS)).code, 0);
        assert_int_equal(fd_write_all(fd[i], BYTES_OF(part), deadline_in(WAIT_MS)).code, 0);
        (void)poll(NULL, 0, 1);
    }
    client_send(other, "{\"method\":\"hello\"}");
    client_expect(other, "\"protocol\":1");
    assert_int_equal(fd_wait(fd[0], POLLIN, deadline_in(WAIT_MS)).code, 0);
    assert_true(read(fd[0], &byte, 1) <= 0);
    assert_int_equal(fd_wait(fd[79], POLLIN, deadline_in(10)).code, ERR_TIMEOUT);
    for (size_t i = 0; i < ARRAY_LEN(fd); i++)
        (void)close(fd[i]);
    (void)close(other);
}

static void test_frames_of_any_size_and_in_pieces(void **state)
{
    static char text[FRAME_BYTES_MAX + 1];
    static uint8_t frame[FRAME_BYTES_MAX + 4];
    struct wr wr = WR_OF(frame);
    size_t at = frame_begin(&wr);
    int fd = client_dial();

    (void)state;
    memset(text, ' ', FRAME_BYTES_MAX);
    memcpy(text, "{\"method\":\"hello\"}", 18);
    wr_str(&wr, text);
    frame_end(&wr, at);
    assert_int_equal(wr_done(&wr).n, FRAME_BYTES_MAX + 4);
    for (size_t done = 0; done < sizeof(frame); done += 100000) {
        struct bytes piece = bytes_take(bytes_skip(wr_done(&wr), done), 100000);

        assert_int_equal(fd_write_all(fd, piece, deadline_in(WAIT_MS)).code, 0);
    }
    client_expect(fd, "\"protocol\":1");
    for (int i = 0; i < 22; i++) {
        assert_int_equal(write(fd, &"\x00\x00\x00\x12{\"method\":\"hello\"}"[i], 1), 1);
        (void)poll(NULL, 0, 1);
    }
    client_expect(fd, "\"protocol\":1");
    (void)close(fd);
}

static void test_broken_frames_end_the_connection(void **state)
{
    static const struct {
        const char *name, *bytes, *answer;
        size_t n;
    } cases[] = {
        { "too long", "\x00\x10\x00\x01{}", "too_large", 6 },
        { "empty", "\x00\x00\x00\x00", "malformed", 4 },
        { "no JSON", "\x00\x00\x00\x02{,", "malformed", 6 },
        { "no object", "\x00\x00\x00\x02[]", "malformed", 6 },
        { "twice", "\x00\x00\x00\x0d{\"a\":1,\"a\":1}", "malformed", 17 },
        { "trailing", "\x00\x00\x00\x03{}x", "malformed", 7 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int fd = client_dial();

        assert_int_equal(write(fd, cases[i].bytes, cases[i].n), (ssize_t)cases[i].n);
        client_expect(fd, cases[i].answer);
        client_expect_end(fd);
        (void)close(fd);
    }
}

static void test_refused_requests(void **state)
{
    static const char *const cases[][2] = {
        { "{}", "method: expected a string" },
        { "{\"method\":\"hello\",\"id\":1.5}",
          "{\"error\":{\"code\":\"malformed\",\"message\":\"id:" },
        { "{\"method\":\"hello\",\"id\":[]}", "id: expected" },
        { "{\"method\":\"hello\",\"id\":7,\"extra\":1}", "{\"id\":7,\"error\":{" },
        { "{\"method\":\"hello\",\"e\\u0000\\\"\":1}", "JSON" },
        { "{\"method\":\"hello\",\"params\":[]}", "params: expected an object" },
        { "{\"method\":\"hello\",\"params\":{\"x\\\"y\":1}}", "unknown field: \\\"x?y\\\"" },
        { "{\"method\":\"sign_hash\"}", "unknown method: \\\"sign_hash\\\"" },
        { "{\"method\":\"configure\",\"params\":{\"config_b64\":\"\"}}", "\"code\":\"phase\"" },
        { "{\"method\":\"attestation\",\"params\":{\"nonce\":\"aa\"}}", "nonce: expected" },
        { "{\"method\":\"keyset.create\",\"params\":{\"name\":\"other\"}}", "\"not_found\"" },
        { "{\"method\":\"keyset.create\",\"params\":{\"name\":\"main\"}}", "\"code\":\"expired\"" },
        { "{\"method\":\"keyset.open\",\"params\":{\"record_b64\":\"AAAA\"}}", "\"expired\"" },
        { "{\"method\":\"account.create\",\"params\":{\"keyset\":\"" ACCOUNT "\"}}",
          "unrestricted" },
        { "{\"method\":\"account.create\",\"params\":{\"keyset\":\"x\",\"unrestricted\":true}}",
          "keyset: expected an id" },
        { "{\"method\":\"account.open\",\"params\":{\"record_b64\":\"A\"}}",
          "record_b64: expected" },
        { "{\"method\":\"account.open\"}", "record_b64: expected a string" },
        { "{\"method\":\"sign_transaction\",\"params\":{" TX "}}", "account: missing" },
        { "{\"method\":\"sign_transaction\",\"params\":{\"record_b64\":\"AAAA\",\"account\":"
          "\"" ACCOUNT "\"," TX "}}",
          "account: not together" },
        { "{\"method\":\"sign_transaction\",\"params\":{\"account\":\"" ACCOUNT "\"}}",
          "tx: expected an object" },
        { "{\"method\":\"sign_transaction\",\"params\":{\"account\":\"" ACCOUNT
          "\",\"tx\":{\"from\":1}}}",
          "tx: unknown field: \\\"from\\\"" },
        { "{\"method\":\"set_credentials\",\"params\":{\"aws_access_key_id\":\"A\","
          "\"aws_secret_access_key\":\"S\",\"expiration\":\"2020-01-01T00:00:00Z\"}}",
          "\"expired\"" },
        { "{\"method\":\"set_credentials\",\"params\":{\"aws_access_key_id\":\"A\","
          "\"aws_secret_access_key\":\"S\",\"expiration\":\"2099-02-29T00:00:00Z\"}}",
          "expiration: expected an RFC 3339" },
        { "{\"method\":\"set_credentials\",\"params\":{\"aws_access_key_id\":\"A\\n\","
          "\"aws_secret_access_key\":\"S\",\"expiration\":4070908800}}",
          "aws_access_key_id: expected" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int fd = client_dial(); // a connection each: one of the cases ends it

        client_send(fd, cases[i][0]);
        client_expect(fd, cases[i][1]);
        (void)close(fd);
    }
}

static void test_phases(void **state)
{
    char text[4096] = "{\"method\":\"configure\",\"params\":{\"config_b64\":\"";
    struct wr wr = wr_of(text, sizeof(text) - 1);
    struct bytes canonical = fixture_config();
    struct msg msg;
    int fd = client_dial();

    (void)state;
    client_send(fd, "{\"method\":\"keyset.create\",\"params\":{\"name\":\"main\"}}");
    client_expect(fd, "\"code\":\"phase\"");
    client_send(fd, "{\"method\":\"configure\",\"params\":{\"config_b64\":\"AAAA\"}}");
    client_expect(fd, "\"code\":\"");
    wr.len = strlen(text);
    base64_write(&wr, canonical);
    wr_str(&wr, "\"}}");
    text[wr.len] = 0;
    client_send(fd, text);
    msg = vault_expect(MSG_CONFIGURE);
    assert_true(bytes_equal(msg.body, canonical));
    vault_answer(&msg, ERR_NONE, BYTES_NONE);
    client_expect(fd, "\"deployment\":\"d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1\"");
    client_send(fd, text);
    client_expect(fd, "\"code\":\"phase\"");
    client_send(fd, "{\"method\":\"sign_transaction\",\"params\":{}}");
    client_expect(fd, "\"code\":\"phase\"");
    (void)close(fd);
}

static void test_credentials(void **state)
{
    int fd = client_dial();

    (void)state;
    client_send(fd, "{\"method\":\"set_credentials\",\"params\":{\"aws_access_key_id\":\"AKID\","
                    "\"aws_secret_access_key\":\"S\",\"aws_session_token\":\"T\","
                    "\"expiration\":\"2099-01-01T02:30:00.25+02:30\"}}");
    client_expect(fd, "{\"result\":{\"expires\":4070908800}}");
    client_send(fd, "{\"method\":\"status\"}");
    vault_answer_status(PHASE_CONFIGURED);
    client_expect(fd, "\"credentials\":{\"expires\":4070908800}");
    (void)close(fd);
}

// EIP-155's example: the vault answers with the signature printed there.
static void test_sign_transaction(void **state)
{
    struct msg_signed got = { 0 };
    struct msg_sign_tx asked = { 0 };
    uint8_t space[128];
    struct wr wr = WR_OF(space);
    struct rd rd;
    struct msg msg;
    const char *answer;
    int fd = client_dial();

    (void)state;
    client_send(fd,
                "{\"id\":\"t\",\"method\":\"sign_transaction\",\"params\":{\"account\":\"" ACCOUNT
                "\"," TX "}}");
    msg = vault_expect(MSG_SIGN_TX);
    rd = rd_of(msg.body);
    assert_int_equal(msg_read_sign_tx(&asked, &rd).code, 0);
    assert_int_equal(asked.account.b[15], 0xef);
    assert_int_equal(asked.record.n, 0);
    assert_int_equal(asked.payload.n, 45);
    assert_int_equal(
        hex_decode(got.signature, 64,
                   BYTES_LIT("28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276"
                             "67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"))
            .code,
        0);
    assert_int_equal(
        hex_decode(got.address, 20, BYTES_LIT("9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f")).code, 0);
    msg_write_signed(&wr, &got);
    vault_answer(&msg, ERR_NONE, wr_done(&wr));
    answer = client_read(fd);
    assert_non_null(strstr(
        answer,
        "{\"id\":\"t\",\"result\":{\"raw_tx\":\"0xf86c098504a817c80082520894353535353535353535"
        "3535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe53756786600"
        "3e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc6421"
        "4b297fb1966a3b6d83\""));
    assert_non_null(strstr(answer, "\"v\":\"0x25\""));
    assert_non_null(strstr(answer, "\"from\":\"0x9d8A62f656a8d1615C1294fd71e9CFb3E4855A4F\""));
    assert_non_null(strstr(answer, "\"sequence\":7,\"head\":\"abab"));
    (void)close(fd);
}

static void test_vault_words_reach_the_client(void **state)
{
    struct msg msg;
    int fd = client_dial();

    (void)state;
    client_send(fd,
                "{\"method\":\"sign_transaction\",\"params\":{\"record_b64\":\"AAEC\"," TX "}}");
    msg = vault_expect(MSG_SIGN_TX);
    vault_answer(&msg, ERR_DENIED, BYTES_LIT("chain 1 is no network of this deployment"));
    client_expect(fd, "{\"error\":{\"code\":\"denied\",\"message\":\"chain 1 is no network");
    client_send(fd, "{\"method\":\"account.open\",\"params\":{\"record_b64\":\"AAEC\"}}");
    msg = vault_expect(MSG_ACCOUNT_OPEN);
    assert_true(bytes_equal(msg.body, BYTES_LIT("\x00\x01\x02")));
    vault_answer(&msg, ERR_NONE, BYTES_LIT("short"));
    client_expect(fd, "\"code\":\"internal\"");
    (void)close(fd);
}

static void test_nonsense_from_the_vault_ends_the_front(void **state)
{
    static const uint8_t unasked[] = { 0, 0, 0, 13, 0x80, 1, 0, 0, 0, 0, 0, 0, 0, 99, 0, 0, 0 };

    (void)state;
    fixture_start(PHASE_UNCONFIGURED);
    assert_int_equal(write(fixture.vault, unasked, sizeof(unasked)), sizeof(unasked));
    assert_int_equal(pthread_join(fixture.thread, NULL), 0);
    assert_int_equal(fixture.ended.code, ERR_MALFORMED);
    fixture_clean();
}

#define WITH(test, phase) cmocka_unit_test_setup_teardown(test, phase, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(test_hello_and_status, ready),
        WITH(test_ids_may_overtake, ready),
        WITH(test_without_ids_in_order, ready),
        WITH(test_pipelining_is_bounded, ready),
        WITH(test_everybody_has_one_request, ready),
        WITH(test_slow_messages_wait, ready),
        WITH(test_peer_that_left_gets_nothing, ready),
        WITH(test_peer_that_does_not_read_is_paused, ready),
        WITH(test_connections_are_bounded, ready),
        WITH(test_memory_is_bounded, ready),
        WITH(test_frames_of_any_size_and_in_pieces, ready),
        WITH(test_broken_frames_end_the_connection, ready),
        WITH(test_refused_requests, ready),
        WITH(test_phases, unconfigured),
        WITH(test_credentials, configured),
        WITH(test_sign_transaction, ready),
        WITH(test_vault_words_reach_the_client, ready),
        cmocka_unit_test(test_nonsense_from_the_vault_ends_the_front),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
