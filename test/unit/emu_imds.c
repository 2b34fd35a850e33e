// SPDX-License-Identifier: Apache-2.0
// emu/imds.h: version 2 only; session tokens, the role's name, its credentials.
#include "emu/imds.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "emu/creds.h"
#include "emu_scene.h"
#include "net/json.h"

#define ROLE       "arn:aws:iam::111122223333:role/app/signer"
#define TTL        "X-aws-ec2-metadata-token-ttl-seconds: 60\r\n"
#define LIST       "/latest/meta-data/iam/security-credentials/"
#define TOKEN_NAME "X-aws-ec2-metadata-token: "

static struct imds imds;
static uint8_t answer[4096];

static int setup(void **state)
{
    int status = scene_setup(state);

    imds = (struct imds) { scene_dir, ROLE, 3600, { 1 } };
    return status;
}

static unsigned ask(struct bytes *body, const char *text)
{
    struct server_response response = { .body = WR_OF(answer) };
    struct http_head head;
    size_t n = 0;

    expect_ok(text, http_parse_request(&head, &n, bytes_str(text)));
    assert_true(n > 0);
    imds_handle(&(struct server_request) { .head = &head, .context = &imds }, &response);
    *body = wr_done(&response.body);
    return response.status;
}

// A GET with a token that is good until the process ends.
static unsigned get(struct bytes *body, const char *target, const char *token)
{
    char text[512];

    (void)snprintf(text, sizeof(text), "GET %s HTTP/1.1\r\nHost: h\r\n" TOKEN_NAME "%s\r\n\r\n",
                   target, token);
    return ask(body, text);
}

static void take_token(char out[static 128])
{
    struct bytes body;

    assert_int_equal(ask(&body, "PUT /latest/api/token HTTP/1.1\r\nHost: h\r\n" TTL "\r\n"), 200);
    assert_true(bytes_to_str(body, out, 128));
}

static void serves(void **state)
{
    const struct json *root;
    struct json nodes[16];
    struct creds creds;
    struct bytes body;
    char token[128];

    (void)state;
    take_token(token);
    assert_int_equal(get(&body, LIST, token), 200);
    assert_true(bytes_equal_str(body, "signer"));
    assert_int_equal(get(&body, LIST "signer", token), 200);
    expect_ok("json", json_parse(&root, nodes, ARRAY_LEN(nodes), answer, body.n));
    assert_true(bytes_equal_str(json_string(json_get(root, "Code")), "Success"));
    assert_int_equal(json_string(json_get(root, "Expiration")).n, 20);
    expect_ok("issued", creds_find(&creds, scene_dir, json_string(json_get(root, "AccessKeyId"))));
    assert_true(bytes_equal_str(json_string(json_get(root, "SecretAccessKey")), creds.secret_key));
    assert_true(bytes_equal_str(json_string(json_get(root, "Token")), creds.token));
    assert_string_equal(creds.role, ROLE);
}

static void refuses(void **state)
{
    static const struct {
        const char *name;
        unsigned status;
        const char *request;
    } cases[] = {
        { "no token", 401, "GET " LIST " HTTP/1.1\r\nHost: h\r\n\r\n" },
        { "no token, credentials", 401, "GET " LIST "signer HTTP/1.1\r\nHost: h\r\n\r\n" },
        { "invented token", 401,
          "GET " LIST " HTTP/1.1\r\nHost: h\r\n" TOKEN_NAME "AAAAAAAAAAAAAAAAAAAAAAAA\r\n\r\n" },
        { "no ttl", 400, "PUT /latest/api/token HTTP/1.1\r\nHost: h\r\n\r\n" },
        { "ttl 0", 400,
          "PUT /latest/api/token HTTP/1.1\r\nHost: h\r\n"
          "X-aws-ec2-metadata-token-ttl-seconds: 0\r\n\r\n" },
        { "ttl over six hours", 400,
          "PUT /latest/api/token HTTP/1.1\r\nHost: h\r\n"
          "X-aws-ec2-metadata-token-ttl-seconds: 21601\r\n\r\n" },
        { "through a proxy", 403,
          "PUT /latest/api/token HTTP/1.1\r\nHost: h\r\nX-Forwarded-For: 1.2.3.4\r\n" TTL "\r\n" },
        { "GET of the token", 405, "GET /latest/api/token HTTP/1.1\r\nHost: h\r\n" TTL "\r\n" },
        { "PUT of the list", 405, "PUT " LIST " HTTP/1.1\r\nHost: h\r\n" TTL "\r\n" },
        { "HEAD without a token", 401, "HEAD " LIST " HTTP/1.1\r\nHost: h\r\n\r\n" },
        { "POST", 405, "POST /latest/api/token HTTP/1.1\r\nHost: h\r\n" TTL "\r\n" },
    };
    struct bytes body;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned status = ask(&body, cases[i].request);

        if (status != cases[i].status || body.n)
            fail_msg("%s: %u, expected %u", cases[i].name, status, cases[i].status);
    }
}

static void refuses_with_token(void **state)
{
    struct bytes body;
    char token[128];

    (void)state;
    take_token(token);
    assert_int_equal(get(&body, "/latest/meta-data/hostname", token), 404);
    assert_int_equal(get(&body, LIST "other", token), 404);
    imds.role = NULL;
    assert_int_equal(get(&body, LIST, token), 404);
    imds.role = ROLE;
    // Another process has another key: its tokens are not ours.
    imds.token_key[0] ^= 1;
    assert_int_equal(get(&body, LIST, token), 401);
    imds.token_key[0] ^= 1;
    token[0] = token[0] == 'A' ? 'B' : 'A';
    assert_int_equal(get(&body, LIST, token), 401);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(serves),
        cmocka_unit_test(refuses),
        cmocka_unit_test(refuses_with_token),
    };

    return cmocka_run_group_tests(tests, setup, scene_teardown);
}
