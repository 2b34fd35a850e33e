// SPDX-License-Identifier: Apache-2.0
// A control-plane client that keeps a fixed number of requests in flight on one connection:
// `bench-flight SOCKET REQUEST-FILE COUNT IN-FLIGHT`. REQUEST-FILE holds one JSON request without
// `id`; each is sent with an id of its own. Prints requests per second and the latencies' median,
// 99th and 99.9th percentile in microseconds. Ends with 1 when any answer is an error.
#include "base/fd.h"
#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define REQUEST_MAX   65536
#define IN_FLIGHT_MAX 4096
#define WAIT_MS       30000

struct flight {
    int fd;
    char request[REQUEST_MAX];
    size_t request_len;
    unsigned count, in_flight;
    unsigned sent, received;
    double *started_us, *took_us;
    uint8_t in[1 << 20];
    size_t in_len;
};

static double now_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void send_batch(struct flight *f, unsigned n)
{
    static uint8_t out[1 << 22];
    size_t len = 0;

    for (unsigned i = 0; i < n; i++) {
        int body = snprintf((char *)out + len + 4, sizeof(out) - len - 4, "{\"id\":%u,%s", f->sent,
                            f->request + 1);

        must(body > 0 && (size_t)body < sizeof(out) - len - 4);
        for (int k = 0; k < 4; k++)
            out[len + (size_t)k] = (uint8_t)((unsigned)body >> (24 - 8 * k));
        len += 4 + (size_t)body;
        f->started_us[f->sent++] = now_us();
    }
    must(fd_write_all(f->fd, bytes_of(out, len), deadline_in(WAIT_MS)).code == ERR_NONE);
}

// Takes all whole answers that are there; returns how many.
static unsigned take_answers(struct flight *f)
{
    size_t at = 0;
    unsigned taken = 0;

    while (f->in_len - at >= 4) {
        size_t n = (size_t)f->in[at] << 24 | (size_t)f->in[at + 1] << 16 |
                   (size_t)f->in[at + 2] << 8 | f->in[at + 3];
        char *body = (char *)f->in + at + 4;
        unsigned long id;

        if (f->in_len - at - 4 < n)
            break;
        must(n > 8 && memcmp(body, "{\"id\":", 6) == 0);
        id = strtoul(body + 6, NULL, 10);
        must(id < f->count && memmem(body, n, "\"result\"", 8) != NULL);
        f->took_us[id] = now_us() - f->started_us[id];
        at += 4 + n;
        taken++;
    }
    memmove(f->in, f->in + at, f->in_len - at);
    f->in_len -= at;
    f->received += taken;
    return taken;
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static void run(struct flight *f)
{
    send_batch(f, f->in_flight < f->count ? f->in_flight : f->count);
    while (f->received < f->count) {
        ssize_t got = read(f->fd, f->in + f->in_len, sizeof(f->in) - f->in_len);
        unsigned taken;

        must(got > 0);
        f->in_len += (size_t)got;
        taken = take_answers(f);
        if (taken > f->count - f->sent)
            taken = f->count - f->sent;
        if (taken)
            send_batch(f, taken);
    }
}

static void connect_to(struct flight *f, const char *path)
{
    struct sockaddr_un addr = { .sun_family = AF_UNIX };

    must(strlen(path) < sizeof(addr.sun_path));
    memcpy(addr.sun_path, path, strlen(path));
    f->fd = socket(AF_UNIX, SOCK_STREAM, 0);
    must(f->fd >= 0 && connect(f->fd, (struct sockaddr *)&addr, sizeof(addr)) == 0);
}

int main(int argc, char **argv)
{
    static struct flight f;
    double began;

    if (argc != 5) {
        fprintf(stderr, "usage: bench-flight SOCKET REQUEST-FILE COUNT IN-FLIGHT\n");
        return 2;
    }
    must(fd_read_file(argv[2], (uint8_t *)f.request, REQUEST_MAX - 1, &f.request_len).code == 0);
    f.count = (unsigned)strtoul(argv[3], NULL, 10);
    f.in_flight = (unsigned)strtoul(argv[4], NULL, 10);
    must(f.count > 0 && f.in_flight > 0 && f.in_flight <= IN_FLIGHT_MAX);
    f.started_us = calloc(f.count, sizeof(double));
    f.took_us = calloc(f.count, sizeof(double));
    must(f.started_us && f.took_us);
    connect_to(&f, argv[1]);
    began = now_us();
    run(&f);
    began = now_us() - began;
    qsort(f.took_us, f.count, sizeof(double), by_size);
    printf("%.0f requests/s, p50 %.0f us, p99 %.0f us, p99.9 %.0f us\n", f.count / (began / 1e6),
           f.took_us[f.count / 2], f.took_us[f.count / 100 * 99], f.took_us[f.count / 1000 * 999]);
    return 0;
}
