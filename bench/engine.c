// SPDX-License-Identifier: Apache-2.0
// The HTTPS engine alone (httpd/server_port.h, net/tls_server.h), with a dispatcher that answers
// "OK" and a key whose owner is another thread:
//
//     bench-engine keep|full|resumed|idle|serve CONNECTIONS COUNT [1.2]
//
// requests on connections that are kept; handshakes, full or resumed, each with one request;
// connections that are idle; or no clients, for others (on the port that it prints, until it is
// ended). Prints rates, the CPU time of the loop's thread for each, and the process's memory.
// Clients are a process of their own, over TCP on loopback.
#include "base/must.h"
#include "httpd/server_port.h"
#include "net/addr.h"

#include <fcntl.h>
#include <malloc.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define JOBS_MAX    4096U
#define REQUEST     "GET /upcheck HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\n\r\n"
#define IDLE_WAIT_S 2

enum mode { MODE_KEEP, MODE_FULL, MODE_RESUMED, MODE_IDLE, MODE_SERVE };

static struct bench {
    enum mode mode;
    unsigned connections, count, answered;
    int version;
    uint32_t port;
    struct loop *loop;
    struct server_port *server;
    double began_s, began_cpu_s;
} bench;

// The owner of the key: a thread that signs what has come, and wakes the loop.
static struct owner {
    EVP_PKEY *key;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct {
        struct tls_key_job *job;
        uint8_t input[256];
        size_t n;
        uint8_t der[TLS_KEY_DER_MAX];
        size_t der_n;
    } job[JOBS_MAX];
    unsigned come, signed_, gone; // count up
} owner = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static double seconds(clockid_t clock)
{
    struct timespec now;

    (void)clock_gettime(clock, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

// -- the owner of the key ----------------------------------------------------------------------

static struct err sign(void *context, struct tls_key_job *job, enum tls_key_kind kind,
                       struct bytes input)
{
    static const char head[] = "TLS 1.3, server CertificateVerify";
    struct wr wr = WR_OF(owner.job[owner.come % JOBS_MAX].input);

    (void)context;
    for (int i = 0; i < 64 && kind == TLS_KEY_VERIFY13; i++)
        wr_u8(&wr, ' ');
    if (kind == TLS_KEY_VERIFY13)
        wr_bytes(&wr, BYTES_OF(head));
    wr_bytes(&wr, input);
    (void)pthread_mutex_lock(&owner.lock);
    owner.job[owner.come % JOBS_MAX].job = job;
    owner.job[owner.come % JOBS_MAX].n = wr.len;
    owner.come++;
    (void)pthread_cond_signal(&owner.changed);
    (void)pthread_mutex_unlock(&owner.lock);
    return OK;
}

static void *owner_main(void *context)
{
    (void)context;
    for (;;) {
        EVP_MD_CTX *md = EVP_MD_CTX_new();
        unsigned i;

        (void)pthread_mutex_lock(&owner.lock);
        while (owner.signed_ == owner.come)
            (void)pthread_cond_wait(&owner.changed, &owner.lock);
        i = owner.signed_ % JOBS_MAX;
        (void)pthread_mutex_unlock(&owner.lock);
        owner.job[i].der_n = sizeof(owner.job[i].der);
        must(EVP_DigestSignInit(md, NULL, EVP_sha256(), NULL, owner.key) == 1);
        must(EVP_DigestSign(md, owner.job[i].der, &owner.job[i].der_n, owner.job[i].input,
                            owner.job[i].n) == 1);
        EVP_MD_CTX_free(md);
        (void)pthread_mutex_lock(&owner.lock);
        owner.signed_++;
        (void)pthread_mutex_unlock(&owner.lock);
        loop_wake(bench.loop);
    }
    return NULL;
}

static void owner_collect(void *context)
{
    (void)context;
    for (;;) {
        unsigned i = owner.gone % JOBS_MAX;
        bool is_there;

        (void)pthread_mutex_lock(&owner.lock);
        is_there = owner.gone != owner.signed_;
        (void)pthread_mutex_unlock(&owner.lock);
        if (!is_there)
            return;
        owner.gone++;
        tls_key_done(owner.job[i].job, bytes_of(owner.job[i].der, owner.job[i].der_n));
    }
}

// -- the server --------------------------------------------------------------------------------

static void report(void)
{
    double took = seconds(CLOCK_MONOTONIC) - bench.began_s;
    double cpu = seconds(CLOCK_THREAD_CPUTIME_ID) - bench.began_cpu_s;
    unsigned n = bench.count;

    printf("%u connections: %.0f/s, %.2f us of CPU each\n", bench.connections, n / took,
           cpu / n * 1e6);
    loop_stop(bench.loop);
}

static void dispatch(void *context, struct server_conn *conn)
{
    struct server_response response = { .status = 200, .content_type = "text/plain" };
    uint8_t body[16];

    (void)context;
    response.body = WR_OF(body);
    wr_str(&response.body, "OK");
    server_conn_answer(conn, &response);
    bench.answered++;
    if (bench.answered == bench.connections) {
        bench.began_s = seconds(CLOCK_MONOTONIC);
        bench.began_cpu_s = seconds(CLOCK_THREAD_CPUTIME_ID);
    }
    if (bench.mode < MODE_IDLE && bench.answered == bench.connections + bench.count)
        report();
}

static bool is_known(void *context, const uint8_t leaf[static 32])
{
    (void)context;
    (void)leaf;
    return false;
}

static uint64_t clock_s(void *context)
{
    (void)context;
    return (uint64_t)time(NULL);
}

static struct bytes make_chain(void)
{
    X509 *certificate = X509_new();
    X509_EXTENSION *names = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, "DNS:localhost");
    BIO *bio = BIO_new(BIO_s_mem());
    char *text;
    long n;

    must(X509_set_version(certificate, X509_VERSION_3) == 1);
    must(X509_gmtime_adj(X509_getm_notBefore(certificate), -3600) != NULL);
    must(X509_gmtime_adj(X509_getm_notAfter(certificate), 86400) != NULL);
    must(X509_set_pubkey(certificate, owner.key) == 1);
    must(X509_add_ext(certificate, names, -1) == 1);
    must(X509_sign(certificate, owner.key, EVP_sha256()) > 0);
    must(PEM_write_bio_X509(bio, certificate) == 1);
    n = BIO_get_mem_data(bio, &text);
    return bytes_of(text, (size_t)n);
}

static struct tls_context *make_context(void)
{
    struct tls_server_options options = { .key.sign = sign, .known = is_known, .clock = clock_s };
    struct tls_context *context;
    size_t n;

    owner.key = EVP_EC_gen("P-256");
    must(owner.key && EVP_PKEY_set_utf8_string_param(owner.key, "point-format", "compressed") == 1);
    must(EVP_PKEY_get_octet_string_param(owner.key, "pub", options.key.point,
                                         sizeof(options.key.point), &n) == 1);
    must(EVP_PKEY_set_utf8_string_param(owner.key, "point-format", "uncompressed") == 1);
    options.chain_pem = make_chain();
    options.now_s = (uint64_t)time(NULL);
    must(!tls_server_remote_new(&context, &options).code);
    return context;
}

// -- clients -----------------------------------------------------------------------------------

static SSL *connect_tls(SSL_CTX *ctx, SSL_SESSION *session)
{
    struct addr to = { .kind = ADDR_TCP, .host = "127.0.0.1", .port = bench.port };
    SSL *ssl = SSL_new(ctx);
    int fd;

    must(!addr_dial(&fd, &to, deadline_in(10000)).code);
    must(fcntl(fd, F_SETFL, 0) == 0);
    must(SSL_set_fd(ssl, fd) == 1);
    if (session)
        must(SSL_set_session(ssl, session) == 1);
    must(SSL_connect(ssl) == 1);
    return ssl;
}

static void put(SSL *ssl)
{
    must(SSL_write(ssl, REQUEST, sizeof(REQUEST) - 1) == sizeof(REQUEST) - 1);
}

static void get(SSL *ssl)
{
    char answer[2048];
    int n = SSL_read(ssl, answer, sizeof(answer));

    must(n > 15 && memcmp(answer, "HTTP/1.1 200 OK", 15) == 0 && answer[n - 1] == 'K');
}

static void hang_up(SSL *ssl)
{
    int fd = SSL_get_fd(ssl);

    (void)SSL_shutdown(ssl);
    SSL_free(ssl);
    (void)close(fd);
}

static void client_keep(SSL_CTX *ctx)
{
    SSL **ssl = calloc(bench.connections, sizeof(SSL *));
    unsigned sent = 0, at = 0;

    for (unsigned i = 0; i < bench.connections; i++) {
        ssl[i] = connect_tls(ctx, NULL);
        put(ssl[i]);
        get(ssl[i]);
    }
    (void)sleep(bench.mode == MODE_IDLE ? IDLE_WAIT_S : 0);
    if (bench.mode == MODE_IDLE)
        return;
    for (unsigned i = 0; i < bench.connections; i++)
        put(ssl[i]);
    for (; sent < bench.count; sent++) {
        get(ssl[at]);
        put(ssl[at]);
        at = at + 1 < bench.connections ? at + 1 : 0;
    }
}

static void client_handshakes(SSL_CTX *ctx)
{
    SSL_SESSION *session = NULL;

    for (unsigned i = 0; i < bench.connections + bench.count; i++) {
        SSL *ssl = connect_tls(ctx, session);

        put(ssl);
        get(ssl);
        must(!session || SSL_session_reused(ssl));
        SSL_SESSION_free(session);
        session = bench.mode == MODE_RESUMED ? SSL_get1_session(ssl) : NULL;
        hang_up(ssl);
    }
}

static void client_main(void)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());

    must(SSL_CTX_set_max_proto_version(ctx, bench.version) == 1);
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT);
    if (bench.mode == MODE_KEEP || bench.mode == MODE_IDLE)
        client_keep(ctx);
    else
        client_handshakes(ctx);
    _exit(0);
}

// -- ------------------------------------------------------------------------------------------

static double rss_kib(void)
{
    FILE *file = fopen("/proc/self/statm", "r");
    char text[128];
    const char *resident;

    must(file && fgets(text, sizeof(text), file));
    (void)fclose(file);
    resident = strchr(text, ' ');
    return resident ? strtod(resident, NULL) * (double)sysconf(_SC_PAGESIZE) / 1024 : 0;
}

static void look(void *context)
{
    static double before;
    struct loop_timer **timer = context;
    double now = rss_kib();

    if (server_port_count(bench.server) == 0)
        before = now;
    if (bench.answered >= bench.connections) {
        printf("%u idle connections: %.0f KiB, %.0f KiB before: %.1f KiB each\n", bench.connections,
               now, before, (now - before) / bench.connections);
        loop_stop(bench.loop);
    }
    loop_timer_set(*timer, deadline_in(500));
}

static void parse(int argc, char **argv)
{
    static const char *const modes[] = { "keep", "full", "resumed", "idle", "serve" };

    must(argc == 4 || argc == 5);
    must(strtoul(argv[2], NULL, 10) > 0);
    while (strcmp(argv[1], modes[bench.mode]) != 0)
        must(++bench.mode <= MODE_SERVE);
    bench.connections = (unsigned)strtoul(argv[2], NULL, 10);
    bench.count = (unsigned)strtoul(argv[3], NULL, 10);
    bench.version = argc == 5 ? TLS1_2_VERSION : TLS1_3_VERSION;
}

int main(int argc, char **argv)
{
    struct server_port_options options = { .connections_max = 4096, .request_max = 65536 };
    struct addr at = { .kind = ADDR_TCP, .host = "127.0.0.1" }, bound;
    struct loop_timer *timer = NULL;
    pthread_t thread;
    int fd;
    pid_t child;

    parse(argc, argv);
    (void)mallopt(M_ARENA_MAX, 1);
    must(!addr_listen(&fd, &at, &bound).code && !loop_new(&bench.loop).code);
    bench.port = bound.port;
    options.loop = bench.loop;
    options.needs_tls = options.has_source = true;
    options.tls = make_context();
    options.dispatch = dispatch;
    must(!server_port_new(&bench.server, fd, &options).code);
    loop_set_wake(bench.loop, owner_collect, NULL);
    (void)printf("port %u\n", bench.port);
    (void)fflush(stdout);
    child = bench.mode == MODE_SERVE ? 0 : fork();
    if (child == 0 && bench.mode != MODE_SERVE)
        client_main();
    must(child >= 0 && pthread_create(&thread, NULL, owner_main, NULL) == 0);
    if (bench.mode == MODE_IDLE)
        must(!loop_timer(bench.loop, &timer, deadline_in(0), look, &timer).code);
    loop_run(bench.loop);
    if (child > 0)
        (void)kill(child, SIGKILL);
    (void)wait(NULL);
    return 0;
}
