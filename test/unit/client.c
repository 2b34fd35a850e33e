// SPDX-License-Identifier: Apache-2.0
// net/client.h, and with it net/stream.h and net/tls.h: answers of a server thread that plays a
// script over a Unix socket, plain and with certificates made here.
#include "net/client.h"

#include "base/fd.h"
#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client_pki.h"
#include "expect.h"

#define WAIT_MS 5000

// What the server does with its next request.
struct step {
    const char *answer; // NULL: none
    bool closes;        // after the answer
};

static char folder[] = "/tmp/cloister-client-XXXXXX";
static struct addr address;

static struct play {
    const struct step *steps;
    size_t count, next;
    struct tls_context *tls;
    int listen_fd;
    unsigned connections;
    uint8_t last[4096]; // the last request
    size_t last_len;
    pthread_t thread;
} play;

static FALLIBLE open_stream(struct stream **out, int fd)
{
    struct deadline until = deadline_in(WAIT_MS);

    return play.tls ? stream_accept_tls(out, fd, play.tls, until) : stream_new(out, fd);
}

// One request into play.last; false at the end of the stream.
static bool read_request(struct stream *stream)
{
    static struct http_head head;
    size_t n, head_len = 0;

    play.last_len = 0;
    for (;;) {
        struct bytes got = bytes_of(play.last, play.last_len);

        must(!http_parse_request(&head, &head_len, got).code);
        if (head_len > 0 && got.n >= head_len + head.content_length)
            return true;
        if (stream_read(stream, play.last + got.n, sizeof(play.last) - got.n, &n,
                        deadline_in(WAIT_MS))
                .code ||
            n == 0)
            return false;
        play.last_len += n;
    }
}

static void serve_connection(int fd)
{
    AUTO(stream_free) struct stream *stream = NULL;

    if (open_stream(&stream, fd).code)
        return;
    while (play.next < play.count && read_request(stream)) {
        const struct step *step = &play.steps[play.next++];

        if (stream_write(stream, bytes_str(step->answer), deadline_in(WAIT_MS)).code ||
            step->closes)
            return;
    }
    // The last answer was given: wait for the client to go.
    (void)read_request(stream);
}

static void *serve(void *context)
{
    (void)context;
    while (play.connections == 0 || play.next < play.count) {
        int fd;

        if (fd_wait(play.listen_fd, 1, deadline_in(WAIT_MS)).code)
            break;
        fd = accept(play.listen_fd, NULL, NULL);
        if (fd < 0)
            break;
        play.connections++;
        serve_connection(fd);
    }
    return NULL;
}

static void play_start(const struct step *steps, size_t count, struct tls_context *tls)
{
    struct addr bound;

    play = (struct play) { .steps = steps, .count = count, .tls = tls };
    expect_ok("listen", addr_listen(&play.listen_fd, &address, &bound));
    assert_int_equal(pthread_create(&play.thread, NULL, serve, NULL), 0);
}

static void play_stop(void)
{
    (void)shutdown(play.listen_fd, SHUT_RDWR);
    assert_int_equal(pthread_join(play.thread, NULL), 0);
    fd_close(&play.listen_fd);
}

static uint8_t buf[256];
static struct client_response response;

static struct err call(struct client *client, const char *method, const char *body)
{
    struct http_field field = { BYTES_LIT("X-Test"), BYTES_LIT("yes") };
    struct client_request request = { .method = method, .target = "/path?q", .field = &field };

    request.fields = 1;
    request.body = bytes_str(body);
    return client_call(client, &request, buf, sizeof(buf), &response, deadline_in(WAIT_MS));
}

static void expect_answer(const char *name, unsigned status, const char *body)
{
    assert_int_equal(response.head.status, status);
    if (!bytes_equal_str(response.body, body))
        fail_msg("%s: body %.*s", name, (int)response.body.n, (const char *)response.body.p);
}

static void answers(void **state)
{
    static const struct {
        struct step step;
        const char *method;
        unsigned status;
        const char *body;
    } cases[] = {
        { { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", false }, "POST", 200, "hello" },
        { { "HTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n", true }, "GET", 404, "" },
        { { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n",
            false },
          "POST",
          200,
          "hello" },
        { { "HTTP/1.1 200 OK\r\n\r\nuntil the end", true }, "POST", 200, "until the end" },
        { { "HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", true }, "POST", 200, "ok" },
        { { "HTTP/1.1 204 No Content\r\n\r\n", false }, "POST", 204, "" },
        { { "HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", false }, "GET", 304, "" },
        { { "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", false }, "HEAD", 200, "" },
        { { "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nA: b\r\n\r\n"
            "HTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx",
            false },
          "POST",
          201,
          "x" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(client_done) struct client client;

        client_init(&client, &address, "host.example", NULL);
        play_start(&cases[i].step, 1, NULL);
        expect_ok(cases[i].step.answer, call(&client, cases[i].method, "body"));
        expect_answer(cases[i].step.answer, cases[i].status, cases[i].body);
        client_done(&client);
        play_stop();
        assert_int_equal(play.connections, 1);
    }
}

static void request_bytes(void **state)
{
    static const struct step step = { "HTTP/1.1 204 No\r\n\r\n", true };
    AUTO(client_done) struct client client;

    (void)state;
    client_init(&client, &address, "host.example", NULL);
    play_start(&step, 1, NULL);
    expect_ok("call", call(&client, "POST", "the body"));
    play_stop();
    assert_true(bytes_equal_str(bytes_of(play.last, play.last_len),
                                "POST /path?q HTTP/1.1\r\nHost: host.example\r\nX-Test: yes\r\n"
                                "Content-Length: 8\r\n\r\nthe body"));
}

static void refused(void **state)
{
    static const struct {
        struct step step;
        enum err_code code;
    } cases[] = {
        { { NULL, true }, ERR_CLOSED },
        { { "HTTP/1.1 200 OK\r\nContent-Le", true }, ERR_CLOSED },
        { { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhell", true }, ERR_CLOSED },
        { { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n", true },
          ERR_CLOSED },
        { { "HTTP/1.1 100 Continue\r\n\r\n", true }, ERR_CLOSED },
        { { "HTTP/1.1 101 Switch\r\n\r\n", false }, ERR_UNSUPPORTED },
        { { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", false },
          ERR_MALFORMED },
        { { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n", false }, ERR_MALFORMED },
        { { "SSH-2.0-x\n", false }, ERR_MALFORMED },
        { { "HTTP/1.1 200 OK\r\nContent-Length: 217\r\n\r\n", false }, ERR_TOO_LARGE },
        { { "HTTP/1.1 200 OK\r\nContent-Length: 999999999999999999\r\n\r\n", false },
          ERR_TOO_LARGE },
        { { "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", false },
          ERR_TOO_LARGE },
        { { "HTTP/1.1 200 OK\r\nA: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
            "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            false },
          ERR_TOO_LARGE },
        { { "HTTP/1.1 200 OK\r\nContent-Length: 216\r\n\r\n", true }, ERR_CLOSED },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(client_done) struct client client;

        client_init(&client, &address, "host.example", NULL);
        play_start(&cases[i].step, 1, NULL);
        expect_err(cases[i].step.answer, call(&client, "POST", "body"), cases[i].code, NULL);
        assert_null(client.stream);
        play_stop();
        assert_int_equal(play.connections, 1);
    }
}

static void silence(void **state)
{
    static const struct step step = { "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel", false };
    struct client_request request = { .method = "GET", .target = "/" };
    AUTO(client_done) struct client client;
    int64_t before = deadline_now_ms();

    (void)state;
    client_init(&client, &address, "host.example", NULL);
    play_start(&step, 1, NULL);
    expect_err("half an answer",
               client_call(&client, &request, buf, sizeof(buf), &response, deadline_in(100)),
               ERR_TIMEOUT, NULL);
    play_stop();
    assert_true(deadline_now_ms() - before < 2000);
    expect_err("nobody listens", call(&client, "GET", ""), ERR_UNREACHABLE, NULL);
    client_init(&client, &address, "host\r\nX: y", NULL);
    play_start(&step, 1, NULL);
    expect_err("host", call(&client, "GET", ""), ERR_MALFORMED, "forbidden");
    play.count = 0;
    play_stop();
}

#define KEPT                                                   \
    {                                                          \
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", false \
    }
#define GONE                                                  \
    {                                                         \
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na", true \
    }
#define MUTE       \
    {              \
        NULL, true \
    }
#define TORN      \
    {             \
        "H", true \
    }
#define EXTRA                                                    \
    {                                                            \
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nabc", false \
    }
#define TOLD                                                                       \
    {                                                                              \
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\na", true \
    }

static void kept_connections(void **state)
{
    static const struct {
        const char *name;
        struct step steps[3];
        size_t count, calls;
        enum err_code last; // of the last call; all before succeed
        unsigned connections;
    } cases[] = {
        { "three calls", { KEPT, KEPT, KEPT }, 3, 3, ERR_NONE, 1 },
        { "closed while idle", { GONE, KEPT }, 2, 2, ERR_NONE, 2 },
        { "closed as told", { TOLD, KEPT }, 2, 2, ERR_NONE, 2 },
        { "closed at the request", { KEPT, MUTE, KEPT }, 3, 2, ERR_NONE, 2 },
        { "bytes beyond the answer", { EXTRA }, 1, 1, ERR_NONE, 1 },
        { "replaced only once", { KEPT, MUTE, MUTE }, 3, 2, ERR_CLOSED, 2 },
        { "not after a byte", { KEPT, TORN }, 2, 2, ERR_CLOSED, 1 },
        { "not a new connection", { MUTE }, 1, 1, ERR_CLOSED, 1 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(client_done) struct client client;

        client_init(&client, &address, "host.example", NULL);
        play_start(cases[i].steps, cases[i].count, NULL);
        for (size_t k = 0; k + 1 < cases[i].calls; k++) {
            expect_ok(cases[i].name, call(&client, "POST", "x"));
            expect_answer(cases[i].name, 200, "a");
        }
        expect_err(cases[i].name, call(&client, "POST", "x"), cases[i].last, NULL);
        client_done(&client);
        play_stop();
        assert_int_equal(play.connections, cases[i].connections);
        assert_int_equal(play.next, cases[i].count);
    }
}

static struct err own_dial(void *context, int *fd, struct deadline until)
{
    ++*(unsigned *)context;
    return addr_dial(fd, &address, until);
}

static struct err no_dial(void *context, int *fd, struct deadline until)
{
    (void)context;
    (void)fd;
    (void)until;
    return FAIL(ERR_BUSY, "no");
}

static void dialled_by_the_caller(void **state)
{
    static const struct step steps[] = { GONE, KEPT };
    struct client client;
    unsigned dialled = 0;

    (void)state;
    client_init(&client, NULL, "host.example", NULL);
    client.dial = own_dial;
    client.dial_context = &dialled;
    play_start(steps, 2, NULL);
    expect_ok("first", call(&client, "POST", "x"));
    expect_ok("second", call(&client, "POST", "x"));
    client_done(&client);
    play_stop();
    assert_int_equal(dialled, 2);
    client.dial = no_dial;
    expect_err("refusal is passed on", call(&client, "POST", "x"), ERR_BUSY, "no");
}

static void urls(void **state)
{
    static const struct {
        const char *url, *addr, *host, *path;
        bool https;
    } cases[] = {
        { "http://127.0.0.1:8545", "tcp://127.0.0.1:8545", "127.0.0.1", "/", false },
        { "https://node.example", "tcp://node.example:443", "node.example", "/", true },
        { "http://a/", "tcp://a:80", "a", "/", false },
        { "https://a:1/v3/key?x=1:2/", "tcp://a:1", "a", "/v3/key?x=1:2/", true },
        { "http://[::1]:80/x", "tcp://[::1]:80", "[::1]", "/x", false },
        { "http://[::1]", "tcp://[::1]:80", "[::1]", "/", false },
    };
    static const char *const bad[] = {
        "",
        "http",
        "ftp://a",
        "HTTP://a",
        "http:/a",
        "http://",
        "http:///",
        "http://:80",
        "http://a:0",
        "http://a:b",
        "http://a:",
        "http://u@a",
        "http://a b",
        "http://a/b c",
        "http://a/#x",
        "http://a?x",
        "http://a/\x01",
        "http://a/\xc3\xa9",
        "http://a:65536",
        "http://[::1",
        "http://u:p@a/",
    };
    char host[256], path[256], text[300];
    struct addr addr;
    bool https;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        expect_ok(cases[i].url, client_parse_url(cases[i].url, &addr, &https, host, path));
        addr_format(text, sizeof(text), &addr);
        assert_string_equal(text, cases[i].addr);
        assert_string_equal(host, cases[i].host);
        assert_string_equal(path, cases[i].path);
        assert_int_equal(https, cases[i].https);
    }
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        expect_err(bad[i], client_parse_url(bad[i], &addr, &https, host, path), ERR_MALFORMED,
                   NULL);
    memset(text, 'a', sizeof(text));
    memcpy(text, "http://a/", 9);
    text[8 + 256] = 0;
    expect_err("path of 256", client_parse_url(text, &addr, &https, host, path), ERR_TOO_LARGE,
               "255");
    text[8 + 255] = 0;
    expect_ok("path of 255", client_parse_url(text, &addr, &https, host, path));
}

static struct client_pki pki, other_pki;

static void tls_names_and_times(void **state)
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
static void tls_wildcards(void **state)
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

static void tls_server_settings(void **state)
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

static void tls_broken_peers(void **state)
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
    struct stream_peer peer = { NULL, "kms.example", 0 };

    (void)state;
    expect_ok("client", tls_client_new(&tls, &pki.root, 1));
    peer.context = tls;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct stream *stream;
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
        expect_ok("bytes", fd_write_all(pair[1], bytes_str(cases[i].bytes), deadline_in(1000)));
        if (cases[i].closes)
            (void)shutdown(pair[1], SHUT_WR);
        expect_err(cases[i].name, stream_new_tls(&stream, pair[0], &peer, deadline_in(100)),
                   cases[i].code, NULL);
        assert_null(stream);
        fd_close(&pair[1]);
    }
}

static void tls_contexts_refused(void **state)
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
    struct stream *stream;
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    expect_ok("stream", stream_new(&stream, pair[0]));
    assert_false(stream_is_stale(stream));
    expect_err("nobody reads", stream_write(stream, BYTES_OF(much), deadline_in(50)), ERR_TIMEOUT,
               NULL);
    fd_close(&pair[1]);
    assert_true(stream_is_stale(stream));
    expect_err("closed", stream_write(stream, BYTES_OF(much), deadline_in(1000)), ERR_CLOSED, NULL);
    stream_free(&stream);
    stream_free(&stream);
    assert_null(stream);
}

static int set_up(void **state)
{
    char text[300];

    (void)state;
    if (!mkdtemp(folder))
        return -1;
    (void)snprintf(text, sizeof(text), "unix://%s/socket", folder);
    client_pki_make(&pki, folder, "a");
    client_pki_make(&other_pki, folder, "b");
    return addr_parse(&address, text).code ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    client_pki_done(&pki);
    client_pki_done(&other_pki);
    (void)unlink(address.host);
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers),
        cmocka_unit_test(request_bytes),
        cmocka_unit_test(refused),
        cmocka_unit_test(silence),
        cmocka_unit_test(kept_connections),
        cmocka_unit_test(dialled_by_the_caller),
        cmocka_unit_test(urls),
        cmocka_unit_test(tls_names_and_times),
        cmocka_unit_test(tls_wildcards),
        cmocka_unit_test(tls_server_settings),
        cmocka_unit_test(tls_broken_peers),
        cmocka_unit_test(tls_contexts_refused),
        cmocka_unit_test(closed_peers),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
