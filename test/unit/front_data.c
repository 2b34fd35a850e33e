// SPDX-License-Identifier: Apache-2.0
// The front's data plane over TLS, with the test as client and as vault: every route in every
// phase, who may and who may not, hosts and origins, sizes, denials, and what a new certificate and
// a new manifest change.
#include "front_clients.h"

static int without_key(void **state)
{
    (void)state;
    return bot_start(PHASE_READY);
}

// -- before there is a key ------------------------------------------------------------------------

static void test_closed_before_a_key_is_open(void **state)
{
    struct https *https = https_dial(NULL, NULL);

    (void)state;
    assert_int_equal(https_ask(https, GET("/upcheck")), 0);
    https_close(https);
    bot_open_tls(0);
    https_expect_anew(GET("/upcheck"), 200, "\r\n\r\nOK");
}

// -- open routes ----------------------------------------------------------------------------------

static void test_open_routes(void **state)
{
    static const struct {
        const char *request, *part;
    } cases[] = {
        { GET("/upcheck"), "Content-Type: text/plain; charset=utf-8\r\n" },
        { GET("/upcheck"), "\r\n\r\nOK" },
        { WITH("GET /upcheck", "Accept: */*\r\n"), "\r\n\r\nOK" },
        { WITH("GET /upcheck", "Accept: text/plain\r\n"), "\r\n\r\nOK" },
        { WITH("GET /upcheck", "Accept: application/json\r\n"), "\r\n\r\n{\"status\":\"OK\"}" },
        { WITH("GET /upcheck", "Accept: text/plain;q=0.5, application/json\r\n"),
          "Content-Type: application/json\r\n" },
        { WITH("GET /upcheck", "Accept: application/json;q=0.5, text/plain\r\n"), "\r\n\r\nOK" },
        { GET("/healthcheck"), "{\"status\":\"UP\",\"checks\":[{\"id\":\"default-check\"," },
        { GET("/healthcheck"), "\"outcome\":\"UP\"}" },
        { GET("/version"), "{\"program\":\"cloister-enclave\",\"version\":\"0.1.0\"," },
        { GET("/attestation?nonce=" NONCE), "\r\n\r\n{\"document_b64\":\"ZG9jdW1lbnQ=\"}" },
        { GET("/attestation?nonce=0x" NONCE), "document_b64" },
        { GET("/attestation?nonce=" NONCE NONCE NONCE NONCE), "document_b64" },
        { WITH("HEAD /version", ""), "Content-Length: " },
        { WITH("GET /upcheck", "Authorization: Bearer wrong\r\n"), "OK" },
        { WITH("GET /upcheck", "X-Request-Id: abc\r\n"), "X-Request-Id: abc\r\n" },
    };
    struct https *https = https_dial(NULL, NULL);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        https_expect(https, cases[i].request, 200, cases[i].part);
    assert_int_equal(bot.attestation.nonce.n, 64);
    assert_int_equal(bot.attestation_nonce[15], 0xff);
    https_close(https);
}

// A connection of before goes on in every phase; what needs keys does not.
static void test_phases(void **state)
{
    static const struct {
        uint8_t phase;
        unsigned health, attestation, sign;
        const char *part;
    } cases[] = {
        { PHASE_READY, 200, 200, 200, "\"phase\":\"READY\"" },
        { PHASE_CONFIGURED, 503, 200, 503, "\"phase\":\"CONFIGURED\"" },
        { PHASE_SEALED, 503, 200, 503, "\"phase\":\"SEALED\"" },
    };
    struct https *https = https_dial(NULL, NULL);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        must(pthread_mutex_lock(&bot.lock) == 0);
        bot.phase = cases[i].phase;
        must(pthread_mutex_unlock(&bot.lock) == 0);
        permit_token(CLIENTS_SIGN_TX | CLIENTS_METRICS, "*");
        https_expect(https, GET("/upcheck"), 200, "OK");
        https_expect(https, GET("/version"), 200, "0.1.0");
        https_expect(https, GET("/healthcheck"), cases[i].health, cases[i].part);
        https_expect(https, GET("/attestation?nonce=" NONCE), cases[i].attestation, "document");
        https_expect(https, WITH("GET /metrics", TOKEN), 200, "cloister_data_connections 1\n");
        https_expect(https, with_body(SIGN, TOKEN, "{" TX "}"), cases[i].sign,
                     cases[i].sign == 200 ? "\"raw_tx\":\"0xf86c09" : "\"code\":\"phase\"");
    }
    https_close(https);
}

static void test_refused_requests(void **state)
{
    static const struct {
        const char *request;
        unsigned status;
        const char *part;
    } cases[] = {
        { GET("/"), 404, "\"code\":\"not_found\"" },
        { GET("/upcheck/"), 404, "not_found" },
        { GET("/upchec"), 404, "not_found" },
        { GET("//upcheck"), 404, "not_found" },
        { GET("/UPCHECK"), 404, "not_found" },
        { GET("/v1/accounts"), 404, "not_found" },
        { GET("/v1/accounts//sign-transaction"), 404, "not_found" },
        { GET("/v1/accounts/a/b/sign-transaction"), 404, "not_found" },
        { GET("/v1/accounts/" ID), 404, "not_found" },
        { WITH("POST /upcheck", ""), 405, "\r\nAllow: GET, HEAD, OPTIONS\r\n" },
        { WITH("PUT /upcheck", ""), 405, "\"code\":\"unsupported\"" },
        { GET("/v1/accounts/" ID "/sign-transaction"), 405, "\r\nAllow: OPTIONS, POST\r\n" },
        { WITH("HEAD /nothing", ""), 404, "" },
        { GET("/upcheck?a=b"), 400, "query: expected none" },
        { GET("/attestation"), 400, "query: expected nonce=" },
        { GET("/attestation?nonce="), 400, "query" },
        { GET("/attestation?nonce=0x"
              "00112233445566778899aabbccddee"),
          400, "16 to 64" },
        { GET("/attestation?nonce=" NONCE "0"), 400, "16 to 64" },
        { GET("/attestation?nonce=" NONCE NONCE NONCE NONCE "00"), 400, "16 to 64" },
        { GET("/attestation?nonce=0x0x" NONCE), 400, "16 to 64" },
        { GET("/attestation?nonce=0X" NONCE), 400, "16 to 64" },
        { GET("/attestation?nonce=" NONCE "&nonce=" NONCE), 400, "16 to 64" },
        { GET("/attestation?key=" NONCE), 400, "16 to 64" },
        { WITH("GET /upcheck", "Content-Length: 1\r\n") "x", 413, "\"code\":\"too_large\"" },
        { GET("/metrics"), 401, "\r\nWWW-Authenticate: Bearer realm=\"cloister\"\r\n" },
        { WITH("GET /metrics", "Authorization: Basic b3BlbnNlc2FtZQ==\r\n"), 401, "unauthorized" },
        { WITH("GET /metrics", "Accept: text/plain\r\n"), 401, "\r\n\r\nexpected a client" },
        { WITH("GET /nothing", "Accept: text/html\r\n"), 404, "\r\n\r\nno such path" },
    };
    struct https *https = https_dial(NULL, NULL);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        https_expect(https, cases[i].request, cases[i].status, cases[i].part);
    https_close(https);
    assert_int_equal(bot_seen(MSG_ATTESTATION), 0);
    assert_int_equal(bot_seen(MSG_SIGN_TX), 0);
}

// -- hosts and origins ----------------------------------------------------------------------------

static void test_hosts(void **state)
{
    static const struct {
        const char *host;
        unsigned status;
    } cases[] = {
        { "signer.test", 200 },
        { "signer.test:9000", 200 },
        { "SIGNER.Test", 200 },
        { "other.test", 403 },
        { "signer.test.evil", 403 },
        { "xsigner.test", 403 },
        { "127.0.0.1", 403 },
        { "[::1]:9000", 403 },
        { "localhost", 403 },
        { "added.test", 200 },
        { "added.test:1", 200 },
        { "[::2]", 200 },
        { "[::2]:443", 200 },
        { "signer.test:", 200 },
        { "[::2]x", 403 },
        { "signer.test:9x", 403 },
        { "signer.test:9:9", 403 },
        { "[::2", 403 },
        { "signer.test.", 403 },
        { ":9000", 403 },
        { "[]", 403 },
    };
    struct https *https = https_dial(NULL, NULL);
    char request[200];

    (void)state;
    clients_begin();
    clients_write_web(&web, &(struct clients_web) { CLIENTS_HOST, BYTES_LIT("[::2]") });
    clients_write_web(&web, &(struct clients_web) { CLIENTS_HOST, BYTES_LIT("added.test") });
    clients_apply();
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        (void)snprintf(request, sizeof(request), "GET /upcheck HTTP/1.1\r\nHost: %s\r\n\r\n",
                       cases[i].host);
        https_expect(https, request, cases[i].status, cases[i].status == 200 ? "OK" : "Host: exp");
    }
    clients_begin();
    clients_write_web(&web, &(struct clients_web) { CLIENTS_HOST, BYTES_LIT("*") });
    clients_apply();
    https_expect(https, "GET /upcheck HTTP/1.1\r\nHost: 127.0.0.1:9\r\n\r\n", 200, "OK");
    https_close(https);
}

static void test_origins(void **state)
{
    static const char *const refused[] = {
        "https://b.test",      "http://a.test", "https://a.test:8443",
        "https://a.test.evil", "null",          "https://a.tes"
    };
    struct https *https = https_dial(NULL, NULL);
    char request[300];

    (void)state;
    clients_begin();
    clients_write_web(&web, &(struct clients_web) { CLIENTS_ORIGIN, BYTES_LIT("https://a.test") });
    clients_apply();
    https_expect(https, WITH("GET /upcheck", "Origin: https://a.test\r\n"), 200,
                 "\r\nAccess-Control-Allow-Origin: https://a.test\r\nVary: Origin\r\n");
    https_expect(https, WITH("GET /metrics", "Origin: https://a.test\r\n"), 401,
                 "\r\nAccess-Control-Allow-Origin: https://a.test\r\n");
    https_expect(https,
                 WITH("OPTIONS /v1/accounts/" ID "/sign-transaction",
                      "Origin: https://a.test\r\n"
                      "Access-Control-Request-Method: POST\r\n"),
                 204, "\r\nAccess-Control-Allow-Methods: OPTIONS, POST\r\n");
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        (void)snprintf(request, sizeof(request),
                       "GET /upcheck HTTP/1.1\r\n" HOST "Origin: %s\r\n\r\n", refused[i]);
        https_expect(https, request, 403, "Origin: expected");
        assert_null(strstr(https->text, "Access-Control"));
    }
    https_expect(https, WITH("OPTIONS /upcheck", ""), 204, "Allow: GET, HEAD, OPTIONS\r\n");
    assert_null(strstr(https->text, "Access-Control"));
    https_close(https);
}

// -- denials --------------------------------------------------------------------------------------

// More than may be told at once: the rest is only counted.
static void test_denials_are_told_and_bounded(void **state)
{
    struct https *https = https_dial(NULL, NULL);
    uint8_t shown[32];

    (void)state;
    permit_token(CLIENTS_SIGN_TX, "*");
    https_expect(https, WITH("GET /metrics", TOKEN), 403, "\"code\":\"denied\"");
    https_expect(https, WITH("GET /metrics", "Authorization: Bearer x\r\n"), 401, "unauthorized");
    sha2_256(shown, BYTES_LIT("x"));
    for (int i = 0; i < 60; i++)
        https_expect(https, with_body(SIGN, "", "{}"), 401, "unauthorized");
    permit_token(CLIENTS_METRICS, NULL); // told by now: the vault answers in order
    assert_in_range(bot_seen(MSG_DENIAL), 20, 60);
    assert_int_equal(bot.denial.operation, CLIENTS_SIGN_TX);
    assert_memory_equal(bot.denial.identity, (uint8_t[32]) { 0 }, 32);
    assert_string_equal(bot.source, "");
    https_expect(https, WITH("GET /metrics", TOKEN), 200,
                 "cloister_data_denials_total{reason=\"unauthorized\"} 61\n"
                 "cloister_data_denials_total{reason=\"denied\"} 1\n");
    assert_int_equal(bot_seen(MSG_SIGN_TX), 0);
    https_close(https);
}

// A denial names where it came from, as the tunnel said it before TLS began.
static void test_source_of_a_denial(void **state)
{
    static const uint8_t header[] = "\r\n\r\n\0\r\nQUIT\n\x21\x11\x00\x0c\xc0\x00\x02\x01"
                                    "\xc0\x00\x02\x02\x12\x34\x23\x28";
    struct https *https = https_dial(NULL, NULL);

    (void)state;
    assert_int_equal(
        fd_write_all(https->fd, bytes_of(header, sizeof(header) - 1), deadline_in(WAIT_MS)).code,
        0);
    https_expect(https, GET("/metrics"), 401, "unauthorized");
    bot_wait(MSG_DENIAL, 1);
    assert_string_equal(bot.source, "192.0.2.1:4660");
    assert_int_equal(bot.denial.operation, CLIENTS_METRICS);
    https_close(https);
}

// The table's largest body, and one byte more.
static void test_sizes(void **state)
{
    static char body[600000];
    struct https *https = https_dial(NULL, NULL);

    (void)state;
    permit_token(CLIENTS_SIGN_TX, "*");
    memset(body, ' ', sizeof(body));
    body[393216] = 0;
    memcpy(body, "{" TX, sizeof("{" TX) - 1);
    body[393215] = '}';
    https_expect(https, with_body(SIGN, TOKEN, body), 200, "raw_tx");
    body[393215] = ' ';
    body[393216] = '}';
    body[393217] = 0;
    https_expect(https, with_body(SIGN, TOKEN, body), 413, "too_large");
    https_close(https);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, ready, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_closed_before_a_key_is_open, without_key, stop),
        TEST(test_open_routes),
        TEST(test_phases),
        TEST(test_refused_requests),
        TEST(test_hosts),
        TEST(test_origins),
        TEST(test_denials_are_told_and_bounded),
        TEST(test_source_of_a_denial),
        TEST(test_sizes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
