// SPDX-License-Identifier: Apache-2.0
// What the tunnel of cloisterd costs: `bench-tunnel SECONDS`. Three processes: a server (in the
// enclave's place, on a Unix socket and on TCP), the tunnel, and clients. Prints round trips of a
// small request and a bulk transfer each way, directly and through the tunnel, with the CPU time
// of the tunnel's process. It knows nothing of TLS: to the tunnel all bytes are alike.
#include "parent/tunnel.h"
#include "base/fd.h"
#include "base/must.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 30000
#define ASK     300 // bytes of a small request inside TLS, and of its answer
#define ANSWER  600
#define BLOCK   65536
#define CLIENTS 64
#define SAMPLES 2000000

struct shared { // results of the clients' process
    double round_trips, p50_us, p99_us, megabytes;
};

static double now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double cpu_us(void)
{
    struct rusage used;

    (void)getrusage(RUSAGE_SELF, &used);
    return (double)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1e6 +
           (double)(used.ru_utime.tv_usec + used.ru_stime.tv_usec);
}

// -- the server ----------------------------------------------------------------------------------

static void serve_small(int fd)
{
    static const uint8_t answer[ANSWER];
    uint8_t ask[ASK];

    while (!fd_read_all(fd, ask, sizeof(ask), deadline_in(WAIT_MS)).code &&
           !fd_write_all(fd, BYTES_OF(answer), deadline_in(WAIT_MS)).code)
        ;
}

// Its first byte says what a client wants: small requests, to send a lot, or to get a lot.
static void *serve(void *context)
{
    static const uint8_t block[BLOCK];
    static _Thread_local uint8_t got[BLOCK];
    int fd = (int)(intptr_t)context;
    uint8_t kind = 0;

    if (!fd_read_all(fd, &kind, 1, deadline_in(WAIT_MS)).code && kind == 'a')
        serve_small(fd);
    while (kind == 's' && !fd_wait(fd, 1, deadline_in(WAIT_MS)).code && recv(fd, got, BLOCK, 0) > 0)
        ;
    while (kind == 'g' && !fd_write_all(fd, BYTES_OF(block), deadline_in(WAIT_MS)).code)
        ;
    fd_close(&fd);
    return NULL;
}

static void *accept_all(void *context)
{
    int listen_fd = (int)(intptr_t)context;

    for (;;) {
        pthread_t thread;
        int fd;

        if (fd_wait(listen_fd, 1, deadline_in(WAIT_MS)).code)
            continue;
        fd = accept4(listen_fd, NULL, NULL, SOCK_NONBLOCK);
        if (fd < 0)
            continue;
        must(pthread_create(&thread, NULL, serve, (void *)(intptr_t)fd) == 0);
        (void)pthread_detach(thread);
    }
    return NULL;
}

static pid_t start_server(int unix_fd, int tcp_fd)
{
    pid_t pid = fork();
    pthread_t thread;

    if (pid != 0)
        return pid;
    (void)signal(SIGPIPE, SIG_IGN);
    must(pthread_create(&thread, NULL, accept_all, (void *)(intptr_t)unix_fd) == 0);
    (void)accept_all((void *)(intptr_t)tcp_fd);
    _exit(0);
}

// -- the clients ---------------------------------------------------------------------------------

struct client {
    const struct addr *to;
    char kind;
    double until_us;
    double *took_us;
    size_t took, cap;
    double bytes;
    pthread_t thread;
};

static void client_ask(struct client *c, int fd)
{
    static const uint8_t ask[ASK];
    uint8_t answer[ANSWER];

    while (now_us() < c->until_us) {
        double started = now_us();

        must(!fd_write_all(fd, BYTES_OF(ask), deadline_in(WAIT_MS)).code);
        must(!fd_read_all(fd, answer, sizeof(answer), deadline_in(WAIT_MS)).code);
        if (c->took < c->cap)
            c->took_us[c->took++] = now_us() - started;
    }
}

static void *client_run(void *context)
{
    static const uint8_t block[BLOCK];
    static _Thread_local uint8_t got[BLOCK];
    struct client *c = context;
    int fd = -1;

    must(!addr_dial(&fd, c->to, deadline_in(WAIT_MS)).code);
    must(!fd_write_all(fd, bytes_of(&c->kind, 1), deadline_in(WAIT_MS)).code);
    if (c->kind == 'a')
        client_ask(c, fd);
    while (c->kind == 's' && now_us() < c->until_us) {
        must(!fd_write_all(fd, BYTES_OF(block), deadline_in(WAIT_MS)).code);
        c->bytes += sizeof(block);
    }
    while (c->kind == 'g' && now_us() < c->until_us) {
        ssize_t n;

        must(!fd_wait(fd, 1, deadline_in(WAIT_MS)).code);
        n = recv(fd, got, sizeof(got), 0);
        must(n > 0);
        c->bytes += (double)n;
    }
    fd_close(&fd);
    return NULL;
}

static int compare(const void *a, const void *b)
{
    double left = *(const double *)a, right = *(const double *)b;

    return (left > right) - (left < right);
}

static struct shared run_clients(const struct addr *to, char kind, unsigned clients, double seconds)
{
    static double took[SAMPLES];
    struct client client[CLIENTS];
    struct shared out = { 0 };
    size_t cap = SAMPLES / clients, all = 0;

    for (unsigned i = 0; i < clients; i++) {
        client[i] =
            (struct client) { to, kind, now_us() + seconds * 1e6, took + i * cap, 0, cap, 0, 0 };
        must(pthread_create(&client[i].thread, NULL, client_run, &client[i]) == 0);
    }
    for (unsigned i = 0; i < clients; i++) {
        must(pthread_join(client[i].thread, NULL) == 0);
        memmove(took + all, client[i].took_us, client[i].took * sizeof(*took));
        all += client[i].took;
        out.megabytes += client[i].bytes / 1e6;
    }
    qsort(took, all, sizeof(*took), compare);
    out.round_trips = (double)all;
    out.p50_us = all ? took[all / 2] : 0;
    out.p99_us = all ? took[all * 99 / 100] : 0;
    return out;
}

// In a process of their own, so that the tunnel's CPU time is what this process used meanwhile.
static void measure(const char *name, const struct addr *to, char kind, unsigned clients,
                    double seconds)
{
    struct shared got = { 0 };
    double started = cpu_us(), used;
    int channel[2];
    pid_t pid;

    must(pipe(channel) == 0);
    pid = fork();
    if (pid == 0) {
        got = run_clients(to, kind, clients, seconds);
        must(write(channel[1], &got, sizeof(got)) == (ssize_t)sizeof(got));
        _exit(0);
    }
    must(read(channel[0], &got, sizeof(got)) == (ssize_t)sizeof(got));
    (void)waitpid(pid, NULL, 0);
    used = cpu_us() - started;
    (void)close(channel[0]);
    (void)close(channel[1]);
    if (kind == 'a')
        (void)printf(
            "%-8s %2u clients  %8.0f/s  p50 %7.1f us  p99 %7.1f us  tunnel %5.2f us each\n", name,
            clients, got.round_trips / seconds, got.p50_us, got.p99_us, used / got.round_trips);
    else
        (void)printf("%-8s %s  %8.0f MB/s  tunnel %6.1f us/MB\n", name,
                     kind == 's' ? "to the enclave  " : "from the enclave", got.megabytes / seconds,
                     used / got.megabytes);
    (void)fflush(stdout);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? strtod(argv[1], NULL) : 3;
    struct tunnel_options options = { .connections = 4096,
                                      .adds_source = false,
                                      .first_ms = TUNNEL_FIRST_MS,
                                      .idle_ms = TUNNEL_IDLE_MS };
    struct addr loopback, direct, through, bound;
    struct tunnel *tunnel = NULL;
    char dir[] = "/tmp/bench-tunnel-XXXXXX", text[64];
    int unix_fd, tcp_fd;
    size_t connections;
    pid_t server;

    (void)signal(SIGPIPE, SIG_IGN);
    must(mkdtemp(dir) != NULL);
    (void)snprintf(text, sizeof(text), "unix://%s/9000", dir);
    must(!addr_parse(&options.target, text).code);
    must(!addr_parse(&loopback, "tcp://127.0.0.1:0").code);
    options.listen = loopback;
    must(!addr_listen(&unix_fd, &options.target, &bound).code);
    must(!addr_listen(&tcp_fd, &loopback, &direct).code);
    server = start_server(unix_fd, tcp_fd);
    must(!tunnel_start(&tunnel, &options).code);
    tunnel_look(tunnel, &through, &connections);
    for (unsigned clients = 1; clients <= CLIENTS; clients *= CLIENTS) {
        measure("direct", &direct, 'a', clients, seconds);
        measure("tunnel", &through, 'a', clients, seconds);
    }
    for (const char *kind = "sg"; *kind; kind++) {
        measure("direct", &direct, *kind, 1, seconds);
        measure("tunnel", &through, *kind, 1, seconds);
    }
    tunnel_stop(&tunnel, 0);
    (void)kill(server, SIGKILL);
    (void)waitpid(server, NULL, 0);
    (void)unlink(options.target.host);
    (void)rmdir(dir);
    return 0;
}
