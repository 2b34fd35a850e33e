// SPDX-License-Identifier: Apache-2.0
// keyset.create and keyset.open through the front's KMS client, over real TLS to a KMS that the
// test plays: the calls as PROTOCOL.md section 3 wants them, and every answer that is refused.
#include "front_fixture.h"

#include "net/json.h"
#include "net/server.h"

#include <netinet/in.h>

#define CREDENTIALS                                                                          \
    "{\"method\":\"set_credentials\",\"params\":{\"aws_access_key_id\":\"AKIDEXAMPLE\","     \
    "\"aws_secret_access_key\":\"SECRET\",\"aws_session_token\":\"TOKEN\",\"expiration\":\"" \
    "2099-01-01T00:00:00Z\"}}"
#define CREATE \
    "{\"id\":1,\"method\":\"keyset.create\",\"params\":{\"name\":\"main\",\"nonce\":\"0x01\"}}"
#define OPERATION 77U

static struct server *kms;
static struct tls_context *kms_tls;
static uint16_t kms_port;
static atomic_uint kms_calls, kms_port_asked;

// What the KMS answers next, and what it saw.
static struct {
    unsigned status[2]; // of the first and of later calls
    const char *body[2];
    char target[64], request[4096], authorization[512], token[64];
} script;

static void kms_copy(char *to, size_t cap, struct bytes from)
{
    must(bytes_to_str(from, to, cap));
}

static void kms_handle(const struct server_request *request, struct server_response *response)
{
    unsigned turn = atomic_fetch_add(&kms_calls, 1) > 0;

    kms_copy(script.target, sizeof(script.target), http_field_get(request->head, "X-Amz-Target"));
    kms_copy(script.authorization, sizeof(script.authorization),
             http_field_get(request->head, "Authorization"));
    kms_copy(script.token, sizeof(script.token),
             http_field_get(request->head, "X-Amz-Security-Token"));
    kms_copy(script.request, sizeof(script.request), request->body);
    response->status = script.status[turn];
    wr_str(&response->body, script.body[turn]);
}

static struct err dial_kms(int dial_fd, uint32_t port, int *fd, struct deadline until)
{
    struct addr addr = { .kind = ADDR_TCP, .port = kms_port };

    (void)dial_fd;
    atomic_store(&kms_port_asked, port);
    memcpy(addr.host, "127.0.0.1", 10);
    return addr_dial(fd, &addr, until);
}

static void start_kms(void)
{
    struct server_options options = { .workers = 1, .connections_max = 4, .queue_max = 4 };
    struct addr addr = { .kind = ADDR_TCP }, bound;
    char chain[96], key[96];
    int fd;

    (void)snprintf(chain, sizeof(chain), "%s/cert.pem", fixture.dir);
    (void)snprintf(key, sizeof(key), "%s/key.pem", fixture.dir);
    memcpy(addr.host, "127.0.0.1", 10);
    assert_int_equal(tls_server_new(&kms_tls, chain, key).code, 0);
    assert_int_equal(addr_listen(&fd, &addr, &bound).code, 0);
    kms_port = (uint16_t)bound.port;
    options.tls = kms_tls;
    options.request_max = options.response_max = 65536;
    options.handle = kms_handle;
    assert_int_equal(server_start(&kms, fd, &options).code, 0);
}

static void stop_kms(void)
{
    server_stop(&kms);
    tls_context_free(&kms_tls);
}

static int start(void **state)
{
    (void)state;
    fixture.env.dial = dial_kms;
    fixture_start(PHASE_CONFIGURED);
    start_kms();
    atomic_store(&kms_calls, 0);
    memset(&script, 0, sizeof(script));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    fixture_stop();
    stop_kms();
    return 0;
}

static void answer_step(const struct msg *msg, const struct msg_step *step)
{
    static uint8_t space[65536];
    struct wr wr = WR_OF(space);

    msg_write_step(&wr, step);
    vault_answer(msg, ERR_NONE, wr_done(&wr));
}

static struct msg_step step_of(enum msg_step_kind kind)
{
    struct msg_step step = { .kind = kind, .operation = OPERATION };

    step.cmk = BYTES_LIT(FIXTURE_ARN);
    step.name = BYTES_LIT("main");
    step.document = BYTES_LIT("document");
    if (kind == MSG_STEP_DECRYPT)
        step.blob = BYTES_LIT("wrapped");
    return step;
}

// A client with credentials that has asked for a keyset; the vault wants a data key.
static int begin(void)
{
    struct msg_step step = step_of(MSG_STEP_GENERATE);
    int fd = client_dial();
    struct msg msg;

    client_send(fd, CREDENTIALS);
    client_expect(fd, "\"expires\":4070908800");
    client_send(fd, CREATE);
    msg = vault_expect(MSG_KEYSET_CREATE);
    assert_true(bytes_equal(msg.body, BYTES_LIT("\x04main\x01\x01")));
    answer_step(&msg, &step);
    return fd;
}

static void read_kms_answer(struct msg_kms_answer *out, struct msg *msg)
{
    struct rd rd;

    *msg = vault_expect(MSG_KMS_ANSWER);
    rd = rd_of(msg->body);
    assert_int_equal(msg_read_kms_answer(out, &rd).code, 0);
    assert_int_equal(out->operation, OPERATION);
    assert_true(bytes_equal_str(out->cmk, FIXTURE_ARN));
}

static void test_create(void **state)
{
    struct msg_step step = step_of(MSG_STEP_DECRYPT);
    struct msg_kms_answer got;
    struct msg msg;
    int fd;

    (void)state;
    script.status[0] = script.status[1] = 200;
    script.body[0] = script.body[1] =
        "{\"KeyId\":\"" FIXTURE_ARN "\",\"Plaintext\":null,\"CiphertextBlob\":\"YmxvYg==\","
        "\"CiphertextForRecipient\":\"Y21z\",\"KeyMaterialId\":\"x\"}";
    fd = begin();
    read_kms_answer(&got, &msg);
    assert_true(bytes_equal_str(got.blob, "blob"));
    assert_true(bytes_equal_str(got.cms, "cms"));
    assert_string_equal(script.target, "TrentService.GenerateDataKey");
    assert_string_equal(script.token, "TOKEN");
    assert_non_null(strstr(script.authorization, "/eu-west-1/kms/aws4_request"));
    assert_string_equal(
        script.request,
        "{\"KeyId\":\"" FIXTURE_ARN "\",\"KeySpec\":\"AES_256\",\"EncryptionContext\":{\"service\":"
        "\"cloister\",\"deployment\":\"d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1\",\"keyset\":\"main\","
        "\"purpose\":\"datakey\"},\"Recipient\":{\"KeyEncryptionAlgorithm\":\"RSAES_OAEP_SHA_256\","
        "\"AttestationDocument\":\"ZG9jdW1lbnQ=\"}}");
    assert_int_equal(atomic_load(&kms_port_asked), 8000);
    answer_step(&msg, &step);
    read_kms_answer(&got, &msg);
    assert_int_equal(got.blob.n, 0);
    assert_string_equal(script.target, "TrentService.Decrypt");
    assert_non_null(strstr(script.request, "\"CiphertextBlob\":\"d3JhcHBlZA==\",\"EncryptionAlgor"
                                           "ithm\":\"SYMMETRIC_DEFAULT\""));
    step = (struct msg_step) { .kind = MSG_STEP_DONE, .record = BYTES_LIT("record") };
    step.document = BYTES_LIT("receipt");
    step.name = BYTES_LIT("main");
    answer_step(&msg, &step);
    client_expect(fd, "{\"id\":1,\"result\":{\"keyset\":\"00000000000000000000000000000000\","
                      "\"record_b64\":\"cmVjb3Jk\",\"receipt_b64\":\"cmVjZWlwdA==\"}}");
    client_send(fd, "{\"method\":\"hello\"}");
    client_expect(fd, "\"phase\":\"CONFIGURED\""); // a created keyset is not open yet
    (void)close(fd);
}

static void test_open_ends_with_a_name(void **state)
{
    struct msg_step step = { .kind = MSG_STEP_DONE, .name = BYTES_LIT("main") };
    struct msg msg;
    int fd = client_dial();

    (void)state;
    client_send(fd, CREDENTIALS);
    client_expect(fd, "expires");
    client_send(fd, "{\"method\":\"keyset.open\",\"params\":{\"record_b64\":\"AAEC\"}}");
    msg = vault_expect(MSG_KEYSET_OPEN);
    assert_true(bytes_equal(msg.body, BYTES_LIT("\x00\x01\x02")));
    answer_step(&msg, &step);
    client_expect(fd, "{\"result\":{\"keyset\":\"00000000000000000000000000000000\","
                      "\"name\":\"main\"}}");
    client_send(fd, "{\"method\":\"hello\"}");
    client_expect(fd, "\"phase\":\"READY\"");
    (void)close(fd);
}

static void test_refused_answers(void **state)
{
    static const struct {
        const char *name, *body, *expected;
        unsigned status, calls;
    } cases[] = {
        { "in clear",
          "{\"KeyId\":\"" FIXTURE_ARN "\",\"Plaintext\":\"AAAA\",\"CiphertextBlob\":\"YmxvYg==\","
          "\"CiphertextForRecipient\":\"Y21z\"}",
          "\"code\":\"untrusted\",\"message\":\"KMS: Plaintext", 200, 1 },
        { "another key",
          "{\"KeyId\":\"arn:aws:kms:eu-west-1:111122223333:key/00000000\",\"CiphertextBlob\":"
          "\"YmxvYg==\",\"CiphertextForRecipient\":\"Y21z\"}",
          "\"code\":\"mismatch\"", 200, 1 },
        { "no recipient", "{\"KeyId\":\"" FIXTURE_ARN "\",\"CiphertextBlob\":\"YmxvYg==\"}",
          "CiphertextForRecipient: expected", 200, 1 },
        { "no blob", "{\"KeyId\":\"" FIXTURE_ARN "\",\"CiphertextForRecipient\":\"Y21z\"}",
          "CiphertextBlob: expected", 200, 1 },
        { "no JSON", "<html>", "no JSON object", 200, 1 },
        { "denied",
          "{\"__type\":\"com.amazonaws.kms#AccessDeniedException\",\"Message\":\"no\\u0007way\"}",
          "\"code\":\"kms\",\"message\":\"AccessDeniedException: no?way\"", 400, 1 },
        { "lower case", "{\"__type\":\"ValidationException\",\"message\":\"bad\"}",
          "\"message\":\"ValidationException: bad\"", 400, 1 },
        { "no words", "{\"__type\":\"InvalidCiphertextException\"}",
          "\"message\":\"InvalidCiphertextException\"", 400, 1 },
        { "throttled", "{\"__type\":\"ThrottlingException\",\"message\":\"slow\"}",
          "\"message\":\"ThrottlingException: slow\"", 400, 2 },
        { "broken", "oops", "\"code\":\"kms\",\"message\":\"UnknownError\"", 500, 2 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int fd;
        const char *answer;

        atomic_store(&kms_calls, 0);
        script.status[0] = script.status[1] = cases[i].status;
        script.body[0] = script.body[1] = cases[i].body;
        fd = begin();
        answer = client_read(fd);
        if (!strstr(answer, cases[i].expected) || atomic_load(&kms_calls) != cases[i].calls)
            fail_msg("case %s: %u calls, %s", cases[i].name, atomic_load(&kms_calls), answer);
        (void)close(fd);
    }
}

static void test_throttled_once_is_retried(void **state)
{
    struct msg_kms_answer got;
    struct msg msg;
    int fd;

    (void)state;
    script.status[0] = 400;
    script.body[0] = "{\"__type\":\"ThrottlingException\"}";
    script.status[1] = 200;
    script.body[1] = "{\"KeyId\":\"" FIXTURE_ARN "\",\"CiphertextBlob\":\"YmxvYg==\","
                     "\"CiphertextForRecipient\":\"Y21z\"}";
    fd = begin();
    read_kms_answer(&got, &msg);
    vault_answer(&msg, ERR_CORRUPT, BYTES_LIT("CMS: does not open"));
    client_expect(fd, "\"code\":\"corrupt\",\"message\":\"CMS: does not open\"");
    (void)close(fd);
}

static void test_untrusted_server(void **state)
{
    int fd;

    (void)state;
    fixture_make_root(); // a server with the same name and another root
    stop_kms();
    start_kms();
    fd = begin();
    client_expect(fd, "\"code\":\"untrusted\"");
    assert_int_equal(atomic_load(&kms_calls), 0);
    (void)close(fd);
}

static void test_unreachable_and_foreign_hosts(void **state)
{
    struct msg_step step = step_of(MSG_STEP_GENERATE);
    struct msg msg;
    int fd;

    (void)state;
    stop_kms();
    fd = begin();
    client_expect(fd, "\"error\":{\"code\":\"unreachable\"");
    client_send(fd, CREATE);
    msg = vault_expect(MSG_KEYSET_CREATE);
    step.cmk = BYTES_LIT("arn:aws:kms:us-east-1:111122223333:key/"
                         "12345678-1234-1234-1234-123456789012");
    answer_step(&msg, &step);
    client_expect(fd, "\"code\":\"mismatch\"");
    (void)close(fd);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, start, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_create),           CASE(test_open_ends_with_a_name),
        CASE(test_refused_answers),  CASE(test_throttled_once_is_retried),
        CASE(test_untrusted_server), CASE(test_unreachable_and_foreign_hosts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
