// SPDX-License-Identifier: Apache-2.0
// Who may sign on the data plane: tokens, certificates, authorities and anyone, on which keys; and
// that certificates and permissions change under open connections, without a restart.
#include "front_clients.h"

#define OTHER "ffeeddccbbaa99887766554433221100"

static EVP_PKEY *client_key;
static X509 *client_cert, *authority, *led_cert; // self-signed; a CA; issued by it

static int make_certificates(void **state)
{
    EVP_PKEY *ca_key = EVP_EC_gen("P-256");

    (void)state;
    client_key = EVP_EC_gen("P-256");
    client_cert = certificate(client_key, "DNS:client", 30, NULL, NULL);
    authority = certificate(ca_key, NULL, 30, NULL, NULL);
    led_cert = certificate(client_key, NULL, 30, authority, ca_key);
    EVP_PKEY_free(ca_key);
    return 0;
}

static int drop_certificates(void **state)
{
    (void)state;
    X509_free(client_cert);
    X509_free(authority);
    X509_free(led_cert);
    EVP_PKEY_free(client_key);
    return 0;
}

// The record of the account ID with the public key of 1.
static const char *account_record(const char *id)
{
    static const uint8_t sealed[RECORD_SEALED_BYTES] = { 1 };
    static const uint8_t policy[] = { 0, 1, 1 }, nobody[] = { 0, 1, 0 };
    static uint8_t public_bytes[512], bytes[1024];
    static char text[2048];
    struct wr public_wr = WR_OF(public_bytes), wr = WR_OF(bytes);
    struct wr base64 = wr_of(text, sizeof(text) - 1);
    uint8_t point[33];
    struct record record = { .key_type = RECORD_SECP256K1,
                             .purpose = RECORD_ACCOUNT,
                             .public_key = BYTES_OF(point),
                             .provenance = RECORD_GENERATED,
                             .generation = 1,
                             .policy = BYTES_OF(policy),
                             .authorisers = BYTES_OF(nobody),
                             .sealed = BYTES_OF(sealed) };

    must(!hex_decode(point, 33, BYTES_LIT(POINT)).code);
    must(!id_parse(&record.id, bytes_str(id)).code);
    record.deployment = record.keyset = record.id;
    policy_hash(record.policy_hash, record.policy);
    policy_authoriser_hash(record.authoriser_hash, record.authorisers);
    record_write_public(&public_wr, &record);
    record.public_bytes = wr_done(&public_wr);
    record_write(&wr, &record);
    base64_write(&base64, wr_done(&wr));
    must(!base64.bad);
    text[base64.len] = 0;
    return text;
}

// Signs with or without the record, which is that of `id`.
static const char *sign_request(const char *fields, const char *id)
{
    static char body[4096];

    (void)snprintf(body, sizeof(body), "{%s%s%s" TX "}", id ? "\"record_b64\":\"" : "",
                   id ? account_record(id) : "", id ? "\"," : "");
    return with_body(SIGN, fields, body);
}

static void test_patterns(void **state)
{
    static const struct {
        const char *pattern;
        bool has_record;
        unsigned status;
    } cases[] = {
        { ID, false, 200 },      { "0011*", false, 200 }, { "*", false, 200 },
        { ID, true, 200 },       { ADDRESS, true, 200 },  { "0x7e5f*", true, 200 },
        { "0x*", true, 200 },    { OTHER, false, 403 },   { OTHER, true, 403 },
        { ADDRESS, false, 403 }, { "0x*", false, 403 },   { "0x7e5e*", true, 403 },
        { "ff*", true, 403 },    { "0011", true, 403 },   { "-", true, 403 },
    };
    struct https *https = https_dial(NULL, NULL);
    unsigned signed_before;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        permit_token(CLIENTS_SIGN_TX, cases[i].pattern);
        signed_before = bot_seen(MSG_SIGN_TX);
        https_expect(https, sign_request(TOKEN, cases[i].has_record ? ID : NULL), cases[i].status,
                     cases[i].status == 200 ? "\"raw_tx\"" : "\"code\":\"denied\"");
        assert_int_equal(bot_seen(MSG_SIGN_TX), signed_before + (cases[i].status == 200));
        assert_int_equal(https_ask(https, sign_request("", cases[i].has_record ? ID : NULL)), 401);
    }
    https_close(https);
}

// What a client says about the key is checked before the vault hears of it.
static void test_refused_to_sign(void **state)
{
    static const struct {
        const char *line, *body;
        unsigned status;
        const char *part;
    } cases[] = {
        { SIGN, "", 400, "malformed" },
        { SIGN, "[]", 400, "expected a JSON object" },
        { SIGN, "{}", 400, "tx: expected an object" },
        { SIGN, "{\"tx\":{}}", 400, "tx" },
        { SIGN, "{" TX ",\"account\":\"" ID "\"}", 400, "unknown field: \\\"account\\\"" },
        { SIGN, "{" TX "," TX "}", 400, "malformed" },
        { SIGN, "{" TX ",\"record_b64\":\"\"}", 400, "record_b64: expected" },
        { SIGN, "{" TX ",\"record_b64\":\"AAEC\"}", 400, "record_b64: expected a sealed record" },
        { SIGN, "{" TX ",\"record_b64\":null}", 400, "record_b64: expected" },
        { SIGN "?x", "{" TX "}", 400, "query: expected none" },
        { "POST /v1/accounts/0011/sign-transaction", "{" TX "}", 400, "path: expected an id" },
        { "POST /v1/accounts/00112233445566778899AABBCCDDEEFF/sign-transaction", "{" TX "}", 400,
          "path: expected an id" },
        { "POST /v1/accounts/00000000000000000000000000000000/sign-transaction", "{" TX "}", 400,
          "path: expected an id" },
    };
    struct https *https = https_dial(NULL, NULL);

    (void)state;
    permit_token(CLIENTS_SIGN_TX, "*");
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        https_expect(https, with_body(cases[i].line, TOKEN, cases[i].body), cases[i].status,
                     cases[i].part);
    https_expect(https, sign_request(TOKEN, OTHER), 409, "record of the account in the path");
    assert_int_equal(bot_seen(MSG_SIGN_TX), 0);
    https_close(https);
}

static void test_what_the_vault_is_asked(void **state)
{
    struct https *https = https_dial(NULL, NULL);

    (void)state;
    permit_token(CLIENTS_SIGN_TX, "*");
    https_expect(https, sign_request(TOKEN, NULL), 200, "\"from\":\"0x7E00");
    assert_int_equal(bot.sign_tx.account.b[15], 0xff);
    assert_int_equal(bot.sign_tx.record.n, 0);
    https_expect(https, sign_request(TOKEN, ID), 200, "\"raw_tx\"");
    assert_true(id_is_zero(&bot.sign_tx.account));
    assert_true(bot.sign_tx.record.n > 100);
    assert_int_equal(bot.sign_tx.payload.n, 45);
    https_close(https);
}

static void digest_of(uint8_t out[static 32], X509 *cert)
{
    unsigned n = 32;

    must(X509_digest(cert, EVP_sha256(), out, &n) == 1 && n == 32);
}

static void test_certificates(void **state)
{
    struct clients_entry entry = { .kind = CLIENTS_CERTIFICATE, .operations = CLIENTS_SIGN_TX };
    struct https *unknown = https_dial(client_cert, client_key), *known, *led;

    (void)state;
    assert_int_equal(https_ask(unknown, GET("/upcheck")), 0); // not even this
    https_close(unknown);
    digest_of(entry.identity, client_cert);
    clients_begin();
    clients_add(entry, ID);
    clients_apply();
    known = https_dial(client_cert, client_key);
    led = https_dial(led_cert, client_key);
    https_expect(known, sign_request("", NULL), 200, "\"raw_tx\"");
    https_expect(known, GET("/metrics"), 403, "denied");
    bot_wait(MSG_DENIAL, 1);
    assert_memory_equal(bot.denial.identity, entry.identity, 32);
    assert_int_equal(https_ask(led, GET("/upcheck")), 0);
    https_close(led);
    permit_token(CLIENTS_SIGN_TX, "*"); // the certificate is not in the manifest any more
    https_expect(known, sign_request("", NULL), 401, "unauthorized");
    https_expect(known, sign_request(TOKEN, NULL), 200, "\"raw_tx\"");
    https_close(known);
}

static void test_authorities(void **state)
{
    struct clients_entry entry = { .kind = CLIENTS_AUTHORITY, .operations = CLIENTS_SIGN_TX };
    uint8_t der[4096], *at = der;
    struct https *led, *other;

    (void)state;
    entry.certificate = bytes_of(der, (size_t)i2d_X509(authority, &at));
    digest_of(entry.identity, authority);
    clients_begin();
    clients_add(entry, "0011*");
    clients_apply();
    led = https_dial(led_cert, client_key);
    other = https_dial(client_cert, client_key);
    https_expect(led, sign_request("", NULL), 200, "\"raw_tx\"");
    assert_int_equal(https_ask(other, GET("/upcheck")), 0);
    https_close(other);
    clients_begin();
    clients_add(entry, "ff*");
    clients_apply();
    https_expect(led, sign_request("", NULL), 403, "denied");
    permit_token(CLIENTS_SIGN_TX, "*");
    https_expect(led, sign_request("", NULL), 401, "unauthorized");
    other = https_dial(led_cert, client_key);
    assert_int_equal(https_ask(other, GET("/upcheck")), 0);
    https_close(other);
    https_close(led);
}

static void test_anyone(void **state)
{
    struct clients_entry entry = { .kind = CLIENTS_ANYONE };

    (void)state;
    entry.operations = CLIENTS_METRICS | CLIENTS_SIGN_TX;
    clients_begin();
    clients_add(entry, "0011*");
    clients_apply();
    https_expect_anew(GET("/metrics"), 200, "cloister_");
    https_expect_anew(sign_request("", NULL), 200, "\"raw_tx\"");
    https_expect_anew(sign_request("Authorization: Bearer x\r\n", NULL), 200, "\"raw_tx\"");
    clients_begin();
    clients_add(entry, "ff*");
    clients_apply();
    https_expect_anew(sign_request("", NULL), 401, "unauthorized");
}

// Two connections, of which the second resumes the first one's session; one that fails.
static void test_handshakes_are_counted(void **state)
{
    struct https *first = https_dial(NULL, NULL), *second = https_dial(NULL, NULL), *reader;
    SSL_SESSION *session;
    int fd = client_dial_at(fixture.data);
    char byte;

    (void)state;
    permit_token(CLIENTS_METRICS, NULL);
    https_expect(first, GET("/upcheck"), 200, "OK");
    session = SSL_get1_session(first->ssl);
    must(SSL_set_session(second->ssl, session) == 1);
    https_expect(second, GET("/upcheck"), 200, "OK");
    assert_int_equal(SSL_session_reused(second->ssl), 1);
    assert_int_equal(
        fd_write_all(fd, BYTES_LIT("\x16\x03\x01\x00\x06xxxxxx"), deadline_in(WAIT_MS)).code, 0);
    do // an alert, and the end
        assert_int_equal(fd_wait(fd, POLLIN, deadline_in(WAIT_MS)).code, 0);
    while (read(fd, &byte, 1) > 0);
    reader = https_dial(NULL, NULL);
    https_expect(reader, WITH("GET /metrics", TOKEN), 200,
                 "cloister_tls_handshakes_total{result=\"full\"} 2\n"
                 "cloister_tls_handshakes_total{result=\"resumed\"} 1\n"
                 "cloister_tls_handshakes_total{result=\"failed\"} 1\n");
    assert_non_null(strstr(reader->body, "data_connections_total{result=\"accepted\"} 4\n"
                                         "cloister_data_connections_total{result=\"evicted\"} 0\n"
                                         "cloister_data_connections_total{result=\"refused\"} 0\n"
                                         "# HELP cloister_data_connections "));
    SSL_SESSION_free(session);
    https_close(first);
    https_close(second);
    https_close(reader);
    (void)close(fd);
}

// What the vault tells in another form than agreed permits nothing.
static void test_bad_sections_permit_nothing(void **state)
{
    (void)state;
    permit_token(CLIENTS_METRICS, NULL);
    https_expect_anew(WITH("GET /metrics", TOKEN), 200, "cloister_");
    bot_permit(BYTES_LIT("cut"), BYTES_NONE);
    https_expect_anew(WITH("GET /metrics", TOKEN), 401, "unauthorized");
    https_expect_anew(GET("/upcheck"), 200, "OK");
}

// -- a new certificate ----------------------------------------------------------------------------

static void peer_spki(uint8_t out[static 32], struct https *https)
{
    X509 *cert = SSL_get1_peer_certificate(https->ssl);

    must(cert != NULL);
    spki_of(out, X509_get0_pubkey(cert));
    X509_free(cert);
}

// Old connections go on, and their documents are for the key that they were greeted with.
static void test_renewal(void **state)
{
    struct https *old = https_dial(NULL, NULL), *new;
    uint8_t spki[32], expected[32];

    (void)state;
    https_expect(old, GET("/attestation?nonce=" NONCE), 200, "document");
    assert_int_equal(bot.attestation_key[0], bot.id[0]);
    bot_open_tls(1);
    new = https_dial(NULL, NULL);
    https_expect(new, GET("/attestation?nonce=" NONCE), 200, "document");
    assert_int_equal(bot.attestation_key[0], bot.id[1]);
    peer_spki(spki, new);
    spki_of(expected, bot.key[1]);
    assert_memory_equal(spki, expected, 32);
    https_expect(old, GET("/attestation?nonce=" NONCE), 200, "document");
    assert_int_equal(bot.attestation_key[0], bot.id[0]);
    peer_spki(spki, old);
    spki_of(expected, bot.key[0]);
    assert_memory_equal(spki, expected, 32);
    https_close(old);
    https_close(new);
}

// Whatever a session of before is worth after a renewal: the document is for the key whose
// certificate the client has seen in it.
static void test_sessions_and_documents(void **state)
{
    (void)state;
    for (unsigned which = 0; which < 2; which++) {
        struct https *first = https_dial(NULL, NULL), *second;
        SSL_SESSION *session;
        uint8_t spki[32], expected[32];

        https_expect(first, GET("/upcheck"), 200, "OK");
        session = SSL_get1_session(first->ssl);
        https_close(first);
        bot_open_tls(which); // the same again, then another one
        second = https_dial(NULL, NULL);
        must(SSL_set_session(second->ssl, session) == 1);
        https_expect(second, GET("/attestation?nonce=" NONCE), 200, "document");
        peer_spki(spki, second);
        spki_of(expected, bot.key[bot.attestation_key[0] == bot.id[1]]);
        assert_memory_equal(spki, expected, 32);
        SSL_SESSION_free(session);
        https_close(second);
    }
}

static void expect_status(const char *part)
{
    int fd = client_dial();

    client_send(fd, "{\"method\":\"status\"}");
    client_expect(fd, part);
    (void)close(fd);
}

// The vault has lost the key (eight others were opened, say): the front says so and closes.
static void test_the_vault_has_lost_the_key(void **state)
{
    struct https *old = https_dial(NULL, NULL), *new;

    (void)state;
    https_expect(old, GET("/upcheck"), 200, "OK");
    expect_status("\"tls\":{\"key\":\"a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0\",");
    expect_status("\"data_connections\":1}");
    bot.refuse_sign = ERR_NOT_FOUND;
    new = https_dial(NULL, NULL);
    assert_int_equal(https_ask(new, GET("/upcheck")), 0);
    https_close(new);
    expect_status("\"tls\":null,");
    https_expect(old, GET("/upcheck"), 200, "OK");
    bot.refuse_sign = ERR_NONE;
    new = https_dial(NULL, NULL);
    assert_int_equal(https_ask(new, GET("/upcheck")), 0);
    https_close(new);
    bot_open_tls(0);
    https_expect_anew(GET("/upcheck"), 200, "OK");
    https_close(old);
}

// A signature that the vault refuses for another reason costs that connection and nothing else.
static void test_a_refused_signature(void **state)
{
    struct https *https = https_dial(NULL, NULL);

    (void)state;
    bot.refuse_sign = ERR_MALFORMED;
    assert_int_equal(https_ask(https, GET("/upcheck")), 0);
    https_close(https);
    bot.refuse_sign = ERR_NONE;
    https_expect_anew(GET("/upcheck"), 200, "OK");
}

// -- load -----------------------------------------------------------------------------------------

// While the vault is slow strangers have 64 requests under way; health checks and clients go on.
static void test_strangers_have_few_places(void **state)
{
    static struct https *busy[80];
    static struct pollfd ready[ARRAY_LEN(busy)];
    struct https *client = https_dial(NULL, NULL);
    unsigned refused = 0;

    (void)state;
    permit_token(CLIENTS_SIGN_TX, "*");
    bot.holds = true;
    for (size_t i = 0; i < ARRAY_LEN(busy); i++) {
        busy[i] = https_dial(NULL, NULL);
        https_expect(busy[i], GET("/upcheck"), 200, "OK");
        assert_true(https_send(busy[i], GET("/attestation?nonce=" NONCE)));
        ready[i] = (struct pollfd) { busy[i]->fd, POLLIN, 0 };
    }
    while (refused < 16) {
        refused = 0;
        assert_true(poll(ready, ARRAY_LEN(busy), WAIT_MS) > 0);
        for (size_t i = 0; i < ARRAY_LEN(busy); i++)
            refused += ready[i].revents != 0;
    }
    for (size_t i = 0; i < ARRAY_LEN(busy); i++)
        if (ready[i].revents) {
            assert_true(https_read(busy[i], true));
            assert_non_null(strstr(busy[i]->text, "HTTP/1.1 503"));
            assert_non_null(strstr(busy[i]->text, "\r\nRetry-After: 1\r\n"));
            https_expect(busy[i], GET("/healthcheck"), 200, "UP");
        }
    assert_int_equal(refused, 16);
    assert_true(https_send(client, sign_request(TOKEN, NULL)));
    bot_wait(MSG_SIGN_TX, 1);
    for (size_t i = 0; i < ARRAY_LEN(busy); i++)
        https_close(busy[i]);
    https_close(client);
}

// Documents are few: strangers have a part of them, and clients their own.
static void test_strangers_have_few_documents(void **state)
{
    struct https *stranger = https_dial(NULL, NULL), *client = https_dial(NULL, NULL);
    unsigned refused = 0;

    (void)state;
    permit_token(CLIENTS_METRICS, NULL);
    for (int i = 0; i < 400; i++) {
        assert_true(https_send(stranger, GET("/attestation?nonce=" NONCE)));
        assert_true(https_read(stranger, true));
        refused += strstr(stranger->text, "HTTP/1.1 503") != NULL;
    }
    assert_in_range(refused, 1, 300);
    assert_in_range(bot_seen(MSG_ATTESTATION), 100, 400 - refused);
    for (int i = 0; i < 20; i++)
        https_expect(client, "GET /attestation?nonce=" NONCE " HTTP/1.1\r\n" HOST TOKEN "\r\n", 200,
                     "document");
    https_close(stranger);
    https_close(client);
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, ready, stop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_patterns),
        TEST(test_refused_to_sign),
        TEST(test_what_the_vault_is_asked),
        TEST(test_certificates),
        TEST(test_authorities),
        TEST(test_anyone),
        TEST(test_handshakes_are_counted),
        TEST(test_bad_sections_permit_nothing),
        TEST(test_renewal),
        TEST(test_sessions_and_documents),
        TEST(test_the_vault_has_lost_the_key),
        TEST(test_a_refused_signature),
        TEST(test_strangers_have_few_places),
        TEST(test_strangers_have_few_documents),
    };

    return cmocka_run_group_tests(tests, make_certificates, drop_certificates);
}
