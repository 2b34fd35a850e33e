// SPDX-License-Identifier: Apache-2.0
// net/tls.h and net/stream.h, with certificates made here: names, roots, times, versions and suites
// that are taken and refused, and peers that break off.
#include "net/tls.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/ssl.h>

#include "pki.h"
#include "play.h"

#define KEPT                                                   \
    {                                                          \
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", false \
    }

static struct pki pki, other_pki;

static void names_and_times(void **state)
{
    static const struct {
        const char *name, *host;
        bool is_other_root;
        uint64_t now_s;
        enum err_code code;
        const char *what;
    } cases[] = {
        { "exact name", "kms.example", false, PKI_FROM_S + 60, ERR_NONE, NULL },
        { "second name", "b.example", false, PKI_FROM_S + 60, ERR_NONE, NULL },
        { "case of the name", "KMS.Example", false, PKI_FROM_S + 60, ERR_NONE, NULL },
        { "other name", "kms.example.org", false, PKI_FROM_S + 60, ERR_UNTRUSTED, "host" },
        { "prefix", "kms", false, PKI_FROM_S + 60, ERR_UNTRUSTED, "host" },
        { "below", "x.kms.example", false, PKI_FROM_S + 60, ERR_UNTRUSTED, "host" },
        { "wildcard", "x.wild.example", false, PKI_FROM_S + 60, ERR_UNTRUSTED, "host" },
        { "subject only", "subject.example", false, PKI_FROM_S + 60, ERR_UNTRUSTED, "host" },
        { "empty name", "", false, PKI_FROM_S + 60, ERR_MALFORMED, "host" },
        { "leading dot", ".example", false, PKI_FROM_S + 60, ERR_MALFORMED, "host" },
        { "other root", "kms.example", true, PKI_FROM_S + 60, ERR_UNTRUSTED, "root" },
        { "expired", "kms.example", false, PKI_TO_S + 60, ERR_EXPIRED, NULL },
        { "not yet valid", "kms.example", false, PKI_FROM_S - 60, ERR_EXPIRED, NULL },
        { "system's clock", "kms.example", false, 0, ERR_EXPIRED, NULL },
    };
    static const struct step step = KEPT;
    AUTO(tls_context_free) struct tls_context *server = NULL;

    (void)state;
    expect_ok("server", tls_server_new(&server, pki.chain_path, pki.key_path));
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bytes root = cases[i].is_other_root ? other_pki.root : pki.root;
        AUTO(tls_context_free) struct tls_context *tls = NULL;
        AUTO(client_done) struct client client;

        expect_ok("client", tls_client_new(&tls, &root, 1));
        client_init(&client, &address, cases[i].host, tls);
        client.now_s = cases[i].now_s;
        play_start(&step, 1, server);
        expect_err(cases[i].name, call(&client, "POST", "x"), cases[i].code, cases[i].what);
        client_done(&client);
        play_stop();
        assert_int_equal(play.next, cases[i].code ? 0 : 1);
    }
}

// With the system's roots a wildcard counts, for one whole label.
static void wildcards(void **state)
{
    static const struct {
        const char *host;
        enum err_code code;
    } cases[] = {
        { "x.wild.example", ERR_NONE },        { "kms.example", ERR_NONE },
        { "wild.example", ERR_UNTRUSTED },     { "x.y.wild.example", ERR_UNTRUSTED },
        { "partial1.example", ERR_UNTRUSTED },
    };
    static const struct step step = KEPT;
    AUTO(tls_context_free) struct tls_context *server = NULL;
    AUTO(tls_context_free) struct tls_context *tls = NULL;

    (void)state;
    expect_ok("server", tls_server_new(&server, pki.chain_path, pki.key_path));
    expect_ok("client", tls_client_new_system(&tls));
    assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store((SSL_CTX *)tls), pki.ca), 1);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(client_done) struct client client;

        client_init(&client, &address, cases[i].host, tls);
        client.now_s = PKI_FROM_S + 60;
        play_start(&step, 1, server);
        expect_err(cases[i].host, call(&client, "POST", "x"), cases[i].code, NULL);
        client_done(&client);
        play_stop();
    }
}

// The key of a PEM file as the server's certificates have it, hashed by libcrypto.
static void spki_of(uint8_t out[static 32], const char *key_path)
{
    FILE *file = fopen(key_path, "r");
    EVP_PKEY *key = file ? PEM_read_PrivateKey(file, NULL, NULL, NULL) : NULL;
    uint8_t *der = NULL;
    int n = i2d_PUBKEY(key, &der);

    assert_true(n > 0);
    assert_int_equal(EVP_Digest(der, (size_t)n, out, NULL, EVP_sha256(), NULL), 1);
    OPENSSL_free(der);
    EVP_PKEY_free(key);
    (void)fclose(file);
}

static int note_name(SSL *ssl, int *alert, void *context)
{
    (void)alert;
    *(bool *)context = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name) != NULL;
    return SSL_TLSEXT_ERR_OK;
}

// Whatever the certificate says, the connection stands, and its key is the one that it has proved.
static void unjudged(void **state)
{
    static const struct {
        const char *host;
        uint64_t now_s;
        bool is_name; // which the handshake says
    } cases[] = {
        { "kms.example", PKI_FROM_S + 60, true },
        { "other.example", PKI_FROM_S + 60, true },
        { "signer1", PKI_FROM_S + 60, true },
        { "192.0.2.1", PKI_FROM_S + 60, false },
        { "[2001:db8::1]", PKI_FROM_S + 60, false },
        { "kms.example", PKI_TO_S + 60, true },
        { "kms.example", 0, true },
    };
    static const struct step step = KEPT;
    AUTO(tls_context_free) struct tls_context *tls = NULL;
    uint8_t spki[2][32], found[32];

    (void)state;
    spki_of(spki[0], pki.key_path);
    spki_of(spki[1], other_pki.key_path);
    expect_ok("client", tls_client_new_unjudged(&tls));
    for (size_t i = 0; i < 2 * ARRAY_LEN(cases); i++) {
        const struct pki *from = i % 2 ? &other_pki : &pki;
        AUTO(tls_context_free) struct tls_context *server = NULL;
        AUTO(client_done) struct client client;

        bool is_named = false;

        expect_ok("server", tls_server_new(&server, from->chain_path, from->key_path));
        (void)SSL_CTX_set_tlsext_servername_callback((SSL_CTX *)server, note_name);
        (void)SSL_CTX_set_tlsext_servername_arg((SSL_CTX *)server, &is_named);
        client_init(&client, &address, cases[i / 2].host, tls);
        client.now_s = cases[i / 2].now_s;
        play_start(&step, 1, server);
        expect_ok(client.host, call(&client, "GET", ""));
        expect_ok("key", wire_peer_spki(client.wire, found));
        assert_memory_equal(found, spki[i % 2], 32);
        assert_true(is_named == cases[i / 2].is_name);
        client_done(&client);
        play_stop();
    }
}

static void no_peer_key(void **state)
{
    AUTO(tls_context_free) struct tls_context *tls = NULL;
    struct wire_peer peer = { NULL, "kms.example", 0 };
    struct wire *wire;
    uint8_t found[32];
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    expect_ok("plain", wire_new(&wire, pair[0], NULL));
    expect_err("plain", wire_peer_spki(wire, found), ERR_NOT_FOUND, "certificate");
    wire_free(&wire);
    fd_close(&pair[1]);
    expect_ok("client", tls_client_new_unjudged(&tls));
    peer.context = tls;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    expect_ok("no handshake", wire_new_client(&wire, pair[0], &peer));
    expect_err("no handshake", wire_peer_spki(wire, found), ERR_NOT_FOUND, "certificate");
    wire_free(&wire);
    fd_close(&pair[1]);
}

static void server_settings(void **state)
{
    static const struct {
        const char *name;
        int version; // the newest that the server speaks
        const char *suites;
        bool has_tickets;
        enum err_code code;
    } cases[] = {
        { "TLS 1.3 with tickets", TLS1_3_VERSION, NULL, true, ERR_NONE },
        { "TLS 1.2", TLS1_2_VERSION, NULL, false, ERR_NONE },
        { "TLS 1.2 with CBC", TLS1_2_VERSION, "ECDHE-ECDSA-AES128-SHA256", false, ERR_MALFORMED },
        { "TLS 1.1", TLS1_1_VERSION, "ALL:@SECLEVEL=0", false, ERR_MALFORMED },
    };
    static const struct step steps[] = { KEPT, KEPT, KEPT };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(tls_context_free) struct tls_context *server = NULL;
        AUTO(tls_context_free) struct tls_context *tls = NULL;
        AUTO(client_done) struct client client;
        SSL_CTX *ctx;

        expect_ok("server", tls_server_new(&server, pki.chain_path, pki.key_path));
        ctx = (SSL_CTX *)server;
        (void)SSL_CTX_set_min_proto_version(ctx, 0);
        (void)SSL_CTX_set_max_proto_version(ctx, cases[i].version);
        if (cases[i].suites)
            assert_int_equal(SSL_CTX_set_cipher_list(ctx, cases[i].suites), 1);
        if (cases[i].has_tickets)
            (void)SSL_CTX_set_num_tickets(ctx, 2);
        expect_ok("client", tls_client_new(&tls, &pki.root, 1));
        client_init(&client, &address, "kms.example", tls);
        client.now_s = PKI_FROM_S + 60;
        play_start(steps, 3, server);
        for (size_t k = 0; k < 3; k++)
            expect_err(cases[i].name, call(&client, "POST", "x"), cases[i].code, NULL);
        client_done(&client);
        play.count = play.next;
        play_stop();
        if (!cases[i].code)
            assert_int_equal(play.connections, 1);
    }
}

static void broken_peers(void **state)
{
    static const struct {
        const char *name, *bytes;
        bool closes;
        enum err_code code;
    } cases[] = {
        { "no TLS", "HTTP/1.1 400 Bad Request\r\n\r\n", false, ERR_MALFORMED },
        { "closed", NULL, true, ERR_CLOSED },
        { "half a record", "\x16\x03\x03\x40", true, ERR_CLOSED },
        { "silent", NULL, false, ERR_TIMEOUT },
    };
    AUTO(tls_context_free) struct tls_context *tls = NULL;
    struct wire_peer peer = { NULL, "kms.example", 0 };

    (void)state;
    expect_ok("client", tls_client_new(&tls, &pki.root, 1));
    peer.context = tls;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct wire *stream;
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        expect_ok("bytes", fd_write_all(pair[1], bytes_str(cases[i].bytes), deadline_in(1000)));
        if (cases[i].closes)
            (void)shutdown(pair[1], SHUT_WR);
        expect_err(cases[i].name,
                   stream_connect(&stream, pair[0], &peer,
                                  deadline_in(cases[i].code == ERR_TIMEOUT ? 100 : 30000)),
                   cases[i].code, NULL);
        assert_null(stream);
        fd_close(&pair[1]);
    }
}

static void *flood_main(void *context)
{
    static uint8_t many[1 << 14];
    const int *fd = context;

    for (size_t i = 0; i + 9 <= sizeof(many); i += 9)
        memcpy(many + i, "\x16\x03\x03\x00\x04\x00\x00\x00\x00", 9);
    while (!fd_write_all(*fd, bytes_of(many, sizeof(many) / 9 * 9), deadline_in(3000)).code)
        ;
    return NULL;
}

// HelloRequests, which a client of TLS 1.2 passes over (RFC 5246 7.4.1.1), without an end: libssl
// never waits, so the deadline has to be looked at elsewhere, too.
static void flood(void **state)
{
    AUTO(tls_context_free) struct tls_context *tls = NULL;
    struct wire_peer peer = { NULL, "kms.example", 0 };
    int64_t before = deadline_now_ms();
    struct wire *stream;
    pthread_t thread;
    int pair[2];

    (void)state;
    (void)alarm(100);
    expect_ok("client", tls_client_new(&tls, &pki.root, 1));
    peer.context = tls;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(pthread_create(&thread, NULL, flood_main, &pair[1]), 0);
    expect_err("flood", stream_connect(&stream, pair[0], &peer, deadline_in(200)), ERR_TIMEOUT,
               NULL);
    assert_true(deadline_now_ms() - before < 30000);
    assert_int_equal(pthread_join(thread, NULL), 0);
    fd_close(&pair[1]);
    (void)alarm(0);
}

static void contexts_refused(void **state)
{
    struct bytes none[] = { BYTES_LIT("no certificate"), BYTES_NONE };
    static uint8_t longer[2048];
    struct bytes with_rest = bytes_of(longer, pki.root.n + 1);
    struct tls_context *tls;

    (void)state;
    memset(longer, 0, sizeof(longer));
    memcpy(longer, pki.root.p, pki.root.n);
    expect_err("no roots", tls_client_new(&tls, none, 0), ERR_MALFORMED, "roots");
    expect_err("text", tls_client_new(&tls, none, 1), ERR_MALFORMED, "certificate");
    expect_err("empty", tls_client_new(&tls, none + 1, 1), ERR_MALFORMED, "certificate");
    expect_err("rest", tls_client_new(&tls, &with_rest, 1), ERR_MALFORMED, "certificate");
    assert_null(tls);
    expect_err("no file", tls_server_new(&tls, "/nonexistent", pki.key_path), ERR_IO, "chain");
    expect_err("no key", tls_server_new(&tls, pki.chain_path, pki.chain_path), ERR_IO, "key");
    expect_err("other key", tls_server_new(&tls, pki.chain_path, other_pki.key_path), ERR_MISMATCH,
               "belong");
    assert_null(tls);
}

// A peer that goes away is an error and no signal (cmocka does not ignore SIGPIPE).
static void closed_peers(void **state)
{
    static uint8_t much[1 << 20];
    struct wire *stream;
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    expect_ok("stream", wire_new(&stream, pair[0], NULL));
    assert_false(wire_is_stale(stream));
    expect_err("nobody reads", stream_write(stream, BYTES_OF(much), deadline_in(50)), ERR_TIMEOUT,
               NULL);
    fd_close(&pair[1]);
    assert_true(wire_is_stale(stream));
    expect_err("closed", stream_write(stream, BYTES_OF(much), deadline_in(1000)), ERR_CLOSED, NULL);
    wire_free(&stream);
    wire_free(&stream);
    assert_null(stream);
}

static int set_up(void **state)
{
    (void)state;
    if (play_set_up() != 0)
        return -1;
    pki_make(&pki, folder, "a");
    pki_make(&other_pki, folder, "b");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_done(&pki);
    pki_done(&other_pki);
    return play_tear_down();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_times), cmocka_unit_test(wildcards),
        cmocka_unit_test(server_settings), cmocka_unit_test(broken_peers),
        cmocka_unit_test(flood),           cmocka_unit_test(contexts_refused),
        cmocka_unit_test(closed_peers),    cmocka_unit_test(unjudged),
        cmocka_unit_test(no_peer_key),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
