// SPDX-License-Identifier: Apache-2.0
// front/anchor.h over plain HTTP to an anchor that the test plays: the requests as PROTOCOL.md
// section 11 has them, and what each answer means to the vault. TLS is that of the KMS client.
#include "front/anchor.h"

#include "base/must.h"
#include "httpd/server.h"
#include "proto/anchor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "expect.h"

#define TARGET "/items/d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1d1/c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2c2"

static struct server *server;
static struct addr at;
// What the anchor answers, and what it saw.
static struct {
    unsigned status;
    const char *tag;
    size_t body_n, cut;
} answer;
static struct {
    unsigned requests;
    char method[8], target[128], host[64], match[32], none[32];
    size_t body_n;
} seen;

static void keep(char *to, size_t cap, struct bytes from)
{
    must(bytes_to_str(from, to, cap));
}

static void handle(const struct server_request *request, struct server_response *response)
{
    const struct http_head *head = request->head;

    seen.requests++;
    keep(seen.method, sizeof(seen.method), head->method);
    keep(seen.target, sizeof(seen.target), head->target);
    keep(seen.host, sizeof(seen.host), http_field_get(head, "Host"));
    keep(seen.match, sizeof(seen.match), http_field_get(head, "If-Match"));
    keep(seen.none, sizeof(seen.none), http_field_get(head, "If-None-Match"));
    seen.body_n = request->body.n;
    response->status = answer.status;
    response->cut = answer.cut;
    if (answer.tag)
        response->field[response->fields++] =
            (struct http_field) { BYTES_LIT("ETag"), bytes_str(answer.tag) };
    for (size_t i = 0; i < answer.body_n; i++)
        wr_u8(&response->body, 'i');
}

static int start(void **state)
{
    struct addr loopback = { .kind = ADDR_TCP, .host = "127.0.0.1" };
    struct server_options options = { .workers = 1,
                                      .queue_max = 4,
                                      .connections_max = 4,
                                      .request_max = 4096,
                                      .response_max = 4096,
                                      .handle = handle };
    int fd = -1;

    (void)state;
    must(!addr_listen(&fd, &loopback, &at).code);
    return server_start(&server, fd, &options).code ? -1 : 0;
}

static int stop(void **state)
{
    (void)state;
    server_stop(&server);
    return 0;
}

// One exchange: a read, or the write of an item with this counter.
static struct err exchange(struct msg_anchor_answer *out, uint64_t counter)
{
    static uint8_t buf[8192], bytes[ANCHOR_ITEM_BYTES], item[ANCHOR_ITEM_BYTES];
    struct kms_job *job = calloc(1, sizeof(*job));
    struct wr wr = WR_OF(bytes);
    struct client client;
    struct err err;

    must(job);
    memset(&seen, 0, sizeof(seen));
    memset(job->request.deployment.b, 0xd1, 16);
    memset(job->keyset.b, 0xc2, 16);
    job->request.kind = counter ? MSG_STEP_ANCHOR_WRITE : MSG_STEP_ANCHOR_READ;
    anchor_write(&wr, &(struct anchor_item) { .counter = counter });
    if (counter)
        job->request.blob = wr_done(&wr);
    client_init(&client, &at, ANCHOR_HOST, NULL);
    err = anchor_exchange(&client, job, buf, sizeof(buf), deadline_in(5000));
    assert_null(client.wire); // nothing is kept for the next one
    *out = job->anchored;
    memcpy(item, job->space, sizeof(item));
    out->item.p = item;
    client_done(&client);
    free(job);
    return err;
}

static void requests(void **state)
{
    struct msg_anchor_answer got;

    (void)state;
    answer.status = 204;
    answer.tag = "\"1\"";
    answer.body_n = answer.cut = 0;
    expect_ok("create", exchange(&got, 1));
    assert_int_equal(got.outcome, MSG_ANCHOR_WRITTEN);
    assert_string_equal(seen.method, "PUT");
    assert_string_equal(seen.target, TARGET);
    assert_string_equal(seen.host, "anchor.cloister.test");
    assert_string_equal(seen.none, "*");
    assert_string_equal(seen.match, "");
    assert_int_equal(seen.body_n, ANCHOR_ITEM_BYTES);
    expect_ok("replace", exchange(&got, 18));
    assert_string_equal(seen.match, "\"17\"");
    assert_string_equal(seen.none, "");
    answer.status = 200;
    answer.tag = "\"18446744073709551615\"";
    answer.body_n = ANCHOR_ITEM_BYTES;
    expect_ok("read", exchange(&got, 0));
    assert_int_equal(got.outcome, MSG_ANCHOR_FOUND);
    assert_true(got.version == UINT64_MAX);
    assert_int_equal(got.item.n, ANCHOR_ITEM_BYTES);
    assert_int_equal(got.item.p[113], 'i');
    assert_string_equal(seen.method, "GET");
    assert_string_equal(seen.match, "");
    assert_string_equal(seen.none, "");
    assert_int_equal(seen.body_n, 0);
}

static void answers(void **state)
{
    static const struct {
        const char *name;
        uint64_t counter; // 0: a read
        unsigned status;
        const char *tag;
        size_t body_n, cut;
        enum msg_anchor_outcome outcome;
        enum err_code code;
    } cases[] = {
        { "absent", 0, 404, NULL, 0, 0, MSG_ANCHOR_ABSENT, ERR_NONE },
        { "conflict", 2, 412, NULL, 0, 0, MSG_ANCHOR_CONFLICT, ERR_NONE },
        { "written: 200 is not 204", 2, 200, "\"2\"", 1, 0, MSG_ANCHOR_FAILED, ERR_UNREACHABLE },
        { "read: 204", 0, 204, "\"2\"", 0, 0, MSG_ANCHOR_FAILED, ERR_UNREACHABLE },
        { "read: 412", 0, 412, NULL, 0, 0, MSG_ANCHOR_FAILED, ERR_UNREACHABLE },
        { "write: 404", 2, 404, NULL, 0, 0, MSG_ANCHOR_FAILED, ERR_UNREACHABLE },
        { "write: 400", 2, 400, NULL, 0, 0, MSG_ANCHOR_FAILED, ERR_UNREACHABLE },
        { "read: 500", 0, 500, NULL, 0, 0, MSG_ANCHOR_FAILED, ERR_UNREACHABLE },
        { "write: 503", 2, 503, NULL, 0, 0, MSG_ANCHOR_FAILED, ERR_UNREACHABLE },
        { "read: a redirect", 0, 302, NULL, 0, 0, MSG_ANCHOR_FAILED, ERR_UNREACHABLE },
        { "no tag", 0, 200, NULL, 114, 0, MSG_ANCHOR_FAILED, ERR_MALFORMED },
        { "a weak tag", 0, 200, "W/\"2\"", 114, 0, MSG_ANCHOR_FAILED, ERR_MALFORMED },
        { "no quotes", 0, 200, "2", 114, 0, MSG_ANCHOR_FAILED, ERR_MALFORMED },
        { "an empty tag", 0, 200, "\"\"", 114, 0, MSG_ANCHOR_FAILED, ERR_MALFORMED },
        { "a tag of hex", 0, 200, "\"0x2\"", 114, 0, MSG_ANCHOR_FAILED, ERR_MALFORMED },
        { "a negative tag", 0, 200, "\"-2\"", 114, 0, MSG_ANCHOR_FAILED, ERR_MALFORMED },
        { "an item too long", 0, 200, "\"2\"", 115, 0, MSG_ANCHOR_FAILED, ERR_TOO_LARGE },
        { "a read cut short", 0, 200, "\"2\"", 114, 60, MSG_ANCHOR_FAILED, ERR_CLOSED },
        { "a write cut short", 2, 204, "\"2\"", 0, 9, MSG_ANCHOR_FAILED, ERR_CLOSED },
    };
    struct msg_anchor_answer got;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        answer.status = cases[i].status;
        answer.tag = cases[i].tag;
        answer.body_n = cases[i].body_n;
        answer.cut = cases[i].cut;
        expect_err(cases[i].name, exchange(&got, cases[i].counter), cases[i].code, NULL);
        if (got.outcome != cases[i].outcome)
            fail_msg("%s: outcome %d", cases[i].name, got.outcome);
        assert_int_equal(seen.requests, 1); // never twice
    }
    answer.tag = "\"18446744073709551616\"";
    answer.status = 200;
    answer.body_n = 114;
    answer.cut = 0;
    assert_int_not_equal(exchange(&got, 0).code, ERR_NONE);
    assert_int_equal(got.outcome, MSG_ANCHOR_FAILED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(requests),
        cmocka_unit_test(answers),
    };

    return cmocka_run_group_tests(tests, start, stop);
}
