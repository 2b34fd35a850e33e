// SPDX-License-Identifier: Apache-2.0
// An HTTPS client for measurements, one thread: `bench-https ADDRESS MODE CONNECTIONS COUNT PATH`.
// MODE `requests`: so many connections are opened first, then each keeps one GET under way until
// COUNT are answered. `full` and `resumed`: COUNT connections, so many at once, each of which makes
// a TLS handshake (without or with a session) and one GET, and closes. Prints the rate per second
// and the latencies' median, 99th and 99.9th percentile in microseconds. It believes any
// certificate: it measures. Ends with 1 when an answer is not 200 or a handshake is not the kind
// that was asked for. Says `open` when the connections are there, and starts at a line of input, so
// that whoever measures the server can leave the opening out.
#include "base/must.h"
#include "net/addr.h"

#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

#define CONNECTIONS_MAX 8192U
#define ANSWER_MAX      16384
#define DIAL_MS         10000
#define TURN_MS         30000 // nothing at all for so long: the server hangs
#define EVENTS          256

enum mode { MODE_REQUESTS, MODE_FULL, MODE_RESUMED };

struct peer {
    SSL *ssl;
    int fd;
    uint32_t wants;
    bool sent;
    double began_us;
    char answer[ANSWER_MAX];
    size_t have;
};

struct run {
    enum mode mode;
    struct addr addr;
    SSL_CTX *ctx;
    SSL_SESSION *session;
    int epoll_fd;
    struct peer *peer;
    unsigned connections, count, begun, done;
    char request[512];
    int request_len;
    double *took_us;
};

static double now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void watch(struct run *run, struct peer *peer, uint32_t wants)
{
    struct epoll_event event = { .events = wants, .data.ptr = peer };

    if (wants == peer->wants)
        return;
    must(epoll_ctl(run->epoll_fd, peer->wants ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, peer->fd, &event) ==
         0);
    peer->wants = wants;
}

// A copy: libssl takes a session of TLS 1.3 for used up once it was resumed.
static void peer_set_session(struct peer *peer, SSL_SESSION *session)
{
    SSL_SESSION *copy = SSL_SESSION_dup(session);

    must(copy && SSL_set_session(peer->ssl, copy) == 1);
    SSL_SESSION_free(copy);
}

static void peer_open(struct run *run, struct peer *peer)
{
    *peer = (struct peer) { .fd = -1, .began_us = now_us() };
    must(addr_dial(&peer->fd, &run->addr, deadline_in(DIAL_MS)).code == ERR_NONE);
    peer->ssl = SSL_new(run->ctx);
    must(peer->ssl && SSL_set_fd(peer->ssl, peer->fd) == 1);
    if (run->mode == MODE_RESUMED && run->session)
        peer_set_session(peer, run->session);
    SSL_set_connect_state(peer->ssl);
    watch(run, peer, EPOLLOUT);
    run->begun++;
}

static void peer_close(struct peer *peer)
{
    (void)SSL_shutdown(peer->ssl);
    SSL_free(peer->ssl);
    (void)close(peer->fd);
    peer->ssl = NULL;
}

// What libssl waits for; anything else ends the measurement.
static uint32_t peer_wants(const struct peer *peer, int result)
{
    int error = SSL_get_error(peer->ssl, result);

    must(error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE);
    return error == SSL_ERROR_WANT_READ ? EPOLLIN : EPOLLOUT;
}

static size_t answer_len(const struct peer *peer)
{
    const char *body = memmem(peer->answer, peer->have, "\r\n\r\n", 4);
    const char *length;

    if (!body)
        return 0;
    must(memcmp(peer->answer, "HTTP/1.1 200", 12) == 0);
    length = memmem(peer->answer, (size_t)(body - peer->answer), "Content-Length: ", 16);
    must(length);
    return (size_t)(body - peer->answer) + 4 + strtoul(length + 16, NULL, 10);
}

// Goes on until libssl waits or the answer is complete; true then.
static bool peer_go_on(struct run *run, struct peer *peer)
{
    size_t n;
    int result = 1;

    if (!peer->sent) {
        result = SSL_write(peer->ssl, run->request, run->request_len);
        peer->sent = result > 0;
    }
    while (peer->sent) {
        result = SSL_read_ex(peer->ssl, peer->answer + peer->have, ANSWER_MAX - peer->have, &n);
        if (result <= 0)
            break;
        peer->have += n;
        if (answer_len(peer) > 0 && answer_len(peer) <= peer->have)
            return true;
    }
    watch(run, peer, peer_wants(peer, result));
    return false;
}

// True when the peer has another request to go on with.
static bool peer_answered(struct run *run, struct peer *peer)
{
    run->took_us[run->done++] = now_us() - peer->began_us;
    must(run->mode == MODE_REQUESTS ||
         SSL_session_reused(peer->ssl) == (run->mode == MODE_RESUMED));
    if (run->mode == MODE_REQUESTS) {
        peer->sent = false;
        peer->have = 0;
        peer->began_us = now_us();
        return run->begun++ < run->count;
    }
    peer_close(peer);
    if (run->begun < run->count)
        peer_open(run, peer);
    return false;
}

// The next answer may be there already, and then nothing would wake us for it.
static void peer_run(struct run *run, struct peer *peer)
{
    while (run->done < run->count && peer_go_on(run, peer) && peer_answered(run, peer))
        ;
}

static void turn(struct run *run)
{
    struct epoll_event event[EVENTS];
    int n = epoll_wait(run->epoll_fd, event, EVENTS, TURN_MS);

    must(n > 0);
    for (int i = 0; i < n; i++)
        peer_run(run, event[i].data.ptr);
}

// One connection to its first answer: the server is there, and the session of `resumed`.
static void run_first(struct run *run)
{
    unsigned count = run->count;
    enum mode mode = run->mode;

    run->count = 1;
    run->mode = MODE_FULL;
    peer_open(run, &run->peer[0]);
    while (run->done < 1)
        turn(run);
    run->mode = mode;
    run->count = count;
    run->begun = run->done = 0;
    must(mode != MODE_RESUMED || run->session);
}

// With requests, handshakes come before the clock starts.
static void run_open(struct run *run)
{
    for (unsigned i = 0; i < run->connections && run->begun < run->count; i++) {
        peer_open(run, &run->peer[i]);
        while (run->mode == MODE_REQUESTS && !SSL_is_init_finished(run->peer[i].ssl)) {
            int result = SSL_do_handshake(run->peer[i].ssl);
            struct epoll_event event;

            if (result == 1)
                break;
            watch(run, &run->peer[i], peer_wants(&run->peer[i], result));
            must(epoll_wait(run->epoll_fd, &event, 1, TURN_MS) > 0);
        }
    }
}

static void run_all(struct run *run)
{
    for (unsigned i = 0; run->mode == MODE_REQUESTS && i < run->begun; i++)
        run->peer[i].began_us = now_us();
    for (unsigned i = 0; run->mode == MODE_REQUESTS && i < run->connections; i++)
        if (run->peer[i].ssl)
            peer_run(run, &run->peer[i]);
    while (run->done < run->count)
        turn(run);
}

static int keep_session(SSL *ssl, SSL_SESSION *session)
{
    struct run *run = SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));

    if (run->session)
        return 0;
    run->session = session;
    return 1; // it is ours now
}

static void run_set_up(struct run *run)
{
    run->ctx = SSL_CTX_new(TLS_client_method());
    run->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    run->peer = calloc(run->connections, sizeof(struct peer));
    run->took_us = calloc((size_t)run->count + run->connections, sizeof(double));
    must(run->ctx && run->epoll_fd >= 0 && run->peer && run->took_us);
    (void)SSL_CTX_set_app_data(run->ctx, run);
    (void)SSL_CTX_set_mode(run->ctx, SSL_MODE_RELEASE_BUFFERS);
    (void)SSL_CTX_set_session_cache_mode(run->ctx,
                                         SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(run->ctx, keep_session);
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static bool read_arguments(struct run *run, char **argv)
{
    static const char *const modes[] = { "requests", "full", "resumed" };

    for (unsigned i = 0; i < ARRAY_LEN(modes); i++)
        if (strcmp(argv[2], modes[i]) == 0)
            run->mode = (enum mode)i;
    run->connections = (unsigned)strtoul(argv[3], NULL, 10);
    run->count = (unsigned)strtoul(argv[4], NULL, 10);
    run->request_len = snprintf(run->request, sizeof(run->request),
                                "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", argv[5]);
    return addr_parse(&run->addr, argv[1]).code == ERR_NONE && run->connections > 0 &&
           run->connections <= CONNECTIONS_MAX && run->count >= 1000 &&
           run->request_len < (int)sizeof(run->request);
}

int main(int argc, char **argv)
{
    static struct run run;
    double took;

    if (argc != 6 || !read_arguments(&run, argv)) {
        fprintf(stderr, "usage: bench-https ADDRESS requests|full|resumed CONNECTIONS COUNT PATH\n"
                        "COUNT is at least 1000\n");
        return 2;
    }
    run_set_up(&run);
    run_first(&run);
    if (run.mode == MODE_REQUESTS)
        run_open(&run);
    printf("open\n");
    (void)fflush(stdout);
    (void)getchar();
    took = now_us();
    if (run.mode != MODE_REQUESTS)
        run_open(&run);
    run_all(&run);
    took = now_us() - took;
    qsort(run.took_us, run.count, sizeof(double), by_size);
    printf("%.0f per second, p50 %.0f us, p99 %.0f us, p99.9 %.0f us\n", run.count / (took / 1e6),
           run.took_us[run.count / 2], run.took_us[(uint64_t)run.count * 99 / 100],
           run.took_us[(uint64_t)run.count * 999 / 1000]);
    return 0;
}
