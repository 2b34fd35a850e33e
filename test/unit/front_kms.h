// SPDX-License-Identifier: Apache-2.0
// A KMS that the test plays to a front, over real TLS, and the two conversations that lead to it.
// Who may include it: test/unit/front_keysets.c.
#pragma once

#include "front_fixture.h"

#include "httpd/server.h"
#include "net/json.h"

#include <netinet/in.h>

#define CREDENTIALS                                                                          \
    "{\"method\":\"set_credentials\",\"params\":{\"aws_access_key_id\":\"AKIDEXAMPLE\","     \
    "\"aws_secret_access_key\":\"SECRET\",\"aws_session_token\":\"TOKEN\",\"expiration\":\"" \
    "2099-01-01T00:00:00Z\"}}"
#define CREATE \
    "{\"id\":1,\"method\":\"keyset.create\",\"params\":{\"name\":\"main\",\"nonce\":\"0x01\"}}"
#define OPEN      "{\"id\":2,\"method\":\"keyset.open\",\"params\":{\"record_b64\":\"AAEC\"}}"
#define OPERATION 77U
#define ANSWER(arn)                                           \
    "{\"KeyId\":\"" arn "\",\"CiphertextBlob\":\"YmxvYg==\"," \
    "\"CiphertextForRecipient\":\"Y21z\"}"
#define REFUSAL(type, text) "{\"__type\":\"" type "\",\"message\":\"" text "\"}"

static struct server *kms;
static struct tls_context *kms_tls;
static uint16_t kms_port;
static atomic_uint kms_calls, kms_port_asked;

// What the KMS does with its first calls and, by the last entry, with all that follow.
struct turn {
    unsigned status;
    const char *body;
    size_t cut; // not 0: the connection ends after so many bytes
};
static struct turn turns[8];
static char date[40]; // Date of all answers, when there is one
// What it saw of the last call.
static struct {
    char target[64], request[4096], authorization[512], token[64];
} script;

static void play(const struct turn *list, size_t count)
{
    for (size_t i = 0; i < ARRAY_LEN(turns); i++)
        turns[i] = list[i < count ? i : count - 1];
    atomic_store(&kms_calls, 0);
}

static void play_all(unsigned status, const char *body)
{
    struct turn turn = { status, body, 0 };

    play(&turn, 1);
}

static void kms_copy(char *to, size_t cap, struct bytes from)
{
    must(bytes_to_str(from, to, cap));
}

static void kms_handle(const struct server_request *request, struct server_response *response)
{
    unsigned call = atomic_fetch_add(&kms_calls, 1);
    const struct turn *turn = &turns[call < ARRAY_LEN(turns) ? call : ARRAY_LEN(turns) - 1];

    kms_copy(script.target, sizeof(script.target), http_field_get(request->head, "X-Amz-Target"));
    kms_copy(script.authorization, sizeof(script.authorization),
             http_field_get(request->head, "Authorization"));
    kms_copy(script.token, sizeof(script.token),
             http_field_get(request->head, "X-Amz-Security-Token"));
    kms_copy(script.request, sizeof(script.request), request->body);
    if (date[0])
        response->field[response->fields++] =
            (struct http_field) { BYTES_LIT("Date"), bytes_str(date) };
    response->status = turn->status;
    response->cut = turn->cut;
    wr_str(&response->body, turn->body);
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
    play_all(500, "unexpected");
    date[0] = 0;
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

// The same for an opening; the vault wants a Decrypt under this CMK.
static int begin_open(const char *arn)
{
    struct msg_step step = step_of(MSG_STEP_DECRYPT);
    int fd = client_dial();
    struct msg msg;

    step.cmk = bytes_str(arn);
    client_send(fd, CREDENTIALS);
    client_expect(fd, "expires");
    client_send(fd, OPEN);
    msg = vault_expect(MSG_KEYSET_OPEN);
    answer_step(&msg, &step);
    return fd;
}

static struct msg expect_failure(void)
{
    struct msg msg = vault_expect(MSG_KMS_FAILED);
    struct rd rd = rd_of(msg.body);

    assert_int_equal(rd_u64(&rd), OPERATION);
    assert_int_equal(rd_end(&rd).code, 0);
    return msg;
}

// The vault gives up.
static void expect_the_end(void)
{
    struct msg msg = expect_failure();

    vault_answer(&msg, ERR_KMS, BYTES_LIT("keyset: fewer CMKs answer than it takes"));
}

static void read_kms_answer_of(struct msg_kms_answer *out, struct msg *msg, const char *arn)
{
    struct rd rd;

    *msg = vault_expect(MSG_KMS_ANSWER);
    rd = rd_of(msg->body);
    assert_int_equal(msg_read_kms_answer(out, &rd).code, 0);
    assert_int_equal(out->operation, OPERATION);
    assert_true(bytes_equal_str(out->cmk, arn));
}

static void read_kms_answer(struct msg_kms_answer *out, struct msg *msg)
{
    read_kms_answer_of(out, msg, FIXTURE_ARN);
}
