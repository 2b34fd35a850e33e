// SPDX-License-Identifier: Apache-2.0
// keyset.create and keyset.open through the front's KMS client, over real TLS to a KMS that the
// test plays: the calls as PROTOCOL.md section 3 wants them, and every answer that is refused.
#include "front_kms.h"

static void test_create(void **state)
{
    struct msg_step step = step_of(MSG_STEP_DECRYPT);
    struct msg_kms_answer got;
    struct msg msg;
    int fd;

    (void)state;
    play_all(200,
             "{\"KeyId\":\"" FIXTURE_ARN "\",\"Plaintext\":null,\"CiphertextBlob\":\"YmxvYg==\","
             "\"CiphertextForRecipient\":\"Y21z\",\"KeyMaterialId\":\"x\"}");
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
        { "expired", REFUSAL("ExpiredTokenException", "old"),
          "\"code\":\"expired\",\"message\":\"ExpiredTokenException: old\"", 400, 1 },
        { "throttled", REFUSAL("ThrottlingException", "slow"),
          "\"message\":\"ThrottlingException: slow\"", 400, 6 },
        { "broken", "oops", "\"code\":\"kms\",\"message\":\"UnknownError\"", 500, 6 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int fd;
        const char *answer;

        play_all(cases[i].status, cases[i].body);
        fd = begin();
        expect_the_end();
        answer = client_read(fd);
        if (!strstr(answer, cases[i].expected) || atomic_load(&kms_calls) != cases[i].calls)
            fail_msg("case %s: %u calls, %s", cases[i].name, atomic_load(&kms_calls), answer);
        (void)close(fd);
    }
}

// What passes is tried again, with pauses; the client hears nothing of it.
static void test_trouble_that_passes(void **state)
{
    static const struct {
        const char *name;
        struct turn turn;
    } cases[] = {
        { "throttled", { 400, REFUSAL("com.amazonaws.kms#ThrottlingException", "slow"), 0 } },
        { "internal", { 500, REFUSAL("KMSInternalException", "broken"), 0 } },
        { "internal, as 4xx", { 400, REFUSAL("KMSInternalException", "broken"), 0 } },
        { "dependency", { 400, REFUSAL("DependencyTimeoutException", "late"), 0 } },
        { "gateway", { 503, "<html>", 0 } },
        { "too many", { 429, "{}", 0 } },
        { "cut", { 200, ANSWER(FIXTURE_ARN), 60 } },
        { "cut in the body", { 200, ANSWER(FIXTURE_ARN), 150 } },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct turn list[] = { cases[i].turn, cases[i].turn, { 200, ANSWER(FIXTURE_ARN), 0 } };
        struct msg_kms_answer got;
        struct msg msg;
        int fd;

        play(list, ARRAY_LEN(list));
        fd = begin();
        read_kms_answer(&got, &msg);
        vault_answer(&msg, ERR_CORRUPT, BYTES_LIT("CMS: does not open"));
        client_expect(fd, "\"code\":\"corrupt\",\"message\":\"CMS: does not open\"");
        if (atomic_load(&kms_calls) != 3)
            fail_msg("case %s: %u calls", cases[i].name, atomic_load(&kms_calls));
        (void)close(fd);
    }
}

static void next_step(const struct msg *msg, const char *arn)
{
    struct msg_step step = step_of(MSG_STEP_DECRYPT);

    step.cmk = bytes_str(arn);
    answer_step(msg, &step);
}

// 2 of 3: the first CMK refuses, the others, one of them in another region, do.
static void test_two_of_three(void **state)
{
    static const struct turn list[] = {
        { 400, REFUSAL("AccessDeniedException", "one"), 0 },
        { 200, ANSWER(FIXTURE_FAR_ARN), 0 },
        { 200, ANSWER(FIXTURE_THIRD_ARN), 0 },
    };
    struct msg_step done = { .kind = MSG_STEP_DONE, .name = BYTES_LIT("spread") };
    struct msg_kms_answer got;
    struct msg msg;
    int fd;

    (void)state;
    play(list, ARRAY_LEN(list));
    fd = begin_open(FIXTURE_ARN);
    msg = expect_failure();
    assert_int_equal(atomic_load(&kms_port_asked), 8000);
    next_step(&msg, FIXTURE_FAR_ARN);
    read_kms_answer_of(&got, &msg, FIXTURE_FAR_ARN);
    assert_int_equal(atomic_load(&kms_port_asked), 8001);
    assert_non_null(strstr(script.authorization, "/us-west-2/kms/aws4_request"));
    next_step(&msg, FIXTURE_THIRD_ARN);
    read_kms_answer_of(&got, &msg, FIXTURE_THIRD_ARN);
    answer_step(&msg, &done);
    client_expect(fd, "{\"id\":2,\"result\":{\"keyset\":\"00000000000000000000000000000000\","
                      "\"name\":\"spread\"}}");
    (void)close(fd);
}

static void test_all_refuse(void **state)
{
    static const struct turn list[] = {
        { 400, REFUSAL("AccessDeniedException", "one"), 0 },
        { 400, REFUSAL("DisabledException", "two"), 0 },
    };
    struct msg msg;
    int fd;

    (void)state;
    play(list, ARRAY_LEN(list));
    fd = begin_open(FIXTURE_ARN);
    msg = expect_failure();
    next_step(&msg, FIXTURE_FAR_ARN);
    expect_the_end();
    client_expect(fd, "\"error\":{\"code\":\"kms\",\"message\":\"DisabledException: two\"}");
    (void)close(fd);
}

// The vault's own words count when it was the vault that found something.
static void test_refusal_and_then_a_false_answer(void **state)
{
    static const struct turn list[] = {
        { 400, REFUSAL("AccessDeniedException", "one"), 0 },
        { 200, ANSWER(FIXTURE_FAR_ARN), 0 },
    };
    struct msg_kms_answer got;
    struct msg msg;
    int fd;

    (void)state;
    play(list, ARRAY_LEN(list));
    fd = begin_open(FIXTURE_ARN);
    msg = expect_failure();
    next_step(&msg, FIXTURE_FAR_ARN);
    read_kms_answer_of(&got, &msg, FIXTURE_FAR_ARN);
    vault_answer(&msg, ERR_CORRUPT, BYTES_LIT("CMS: does not open"));
    client_expect(fd, "\"code\":\"corrupt\",\"message\":\"CMS: does not open\"");
    (void)close(fd);
}

// Whether the answer says that the enclave's clock is about so many seconds before or after AWS's.
// Up to a minute may pass on a busy machine.
static bool says_skew(const char *answer, long ahead_s)
{
    static const char words[] = "(the enclave's clock is ";
    const char *at = strstr(answer, words);
    char *end = NULL;
    long said = at ? strtol(at + sizeof(words) - 1, &end, 10) : -1;
    long expected = ahead_s > 0 ? ahead_s : -ahead_s;
    bool behind = end && strncmp(end, " s behind AWS's)", 16) == 0;

    return (behind || (end && strncmp(end, " s ahead of AWS's)", 18) == 0)) &&
           behind == (ahead_s > 0) && said >= expected - 60 && said <= expected + 60;
}

// Beyond five minutes AWS refuses signatures; the number says where to look.
static void test_clocks_that_differ(void **state)
{
    static const struct {
        const char *type;
        long ahead_s; // of AWS
        bool said;
    } cases[] = {
        { "InvalidSignatureException", 3600, true },
        { "RequestExpired", -3600, true },
        { "InvalidSignatureException", 200, false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        time_t theirs = time(NULL) + cases[i].ahead_s;
        const char *answer;
        char body[128];
        int fd;

        (void)snprintf(body, sizeof(body), REFUSAL("%s", "no"), cases[i].type);
        (void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime(&theirs));
        play_all(400, body);
        fd = begin();
        expect_the_end();
        answer = client_read(fd);
        if (says_skew(answer, cases[i].ahead_s) != cases[i].said ||
            (strstr(answer, "Exception: no\"") != NULL) == cases[i].said)
            fail_msg("case %zu: %s", i, answer);
        (void)close(fd);
    }
}

// Without a Date that can be read, AWS's own words have the time.
static void test_signature_expired(void **state)
{
    char body[256], stamp[20];
    time_t theirs = time(NULL) + 1000;
    const char *answer;
    int fd;

    (void)state;
    (void)snprintf(date, sizeof(date), "yesterday");
    (void)strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", gmtime(&theirs));
    (void)snprintf(body, sizeof(body),
                   REFUSAL("InvalidSignatureException",
                           "Signature expired: 20260101T000000Z is now earlier than "
                           "20260101T000000Z (%s - 5 min.)"),
                   stamp);
    play_all(400, body);
    fd = begin();
    expect_the_end();
    answer = client_read(fd);
    if (!says_skew(answer, 1000))
        fail_msg("%s", answer);
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
    expect_the_end();
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
    expect_the_end();
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
        CASE(test_create),
        CASE(test_open_ends_with_a_name),
        CASE(test_refused_answers),
        CASE(test_trouble_that_passes),
        CASE(test_two_of_three),
        CASE(test_all_refuse),
        CASE(test_refusal_and_then_a_false_answer),
        CASE(test_clocks_that_differ),
        CASE(test_signature_expired),
        CASE(test_untrusted_server),
        CASE(test_unreachable_and_foreign_hosts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
