// SPDX-License-Identifier: Apache-2.0
// What the hop between front and vault costs by itself: `bench-hop PKI [COUNT]` sends STATUS, whose
// handler does next to nothing, in batches of 1 to 64 per write, and waits for a batch's answers
// before the next. Prints CPU time (user and system) of both sides per message: the vault's is its
// process's, ours stands where the front's would be, without its JSON and TLS.
#include "../test/system/vaulthost.h"
#include "base/fd.h"
#include "base/must.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define WAIT_MS 30000
#define BATCH   64U

static double clock_us(clockid_t clock)
{
    struct timespec now;

    must(clock_gettime(clock, &now) == 0);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static double vault_us(const struct vaulthost *host)
{
    clockid_t clock;

    must(clock_getcpuclockid(host->pid, &clock) == 0);
    return clock_us(clock);
}

// One write, then reads until all answers are there.
static void batch_run(struct vaulthost *host, struct bytes batch, unsigned n)
{
    static uint8_t in[1 << 18];
    size_t len = 0, at = 0, whole;
    struct msg msg;

    must(fd_write_all(host->channel, batch, deadline_in(WAIT_MS)).code == ERR_NONE);
    while (n > 0) {
        ssize_t got = read(host->channel, in + len, sizeof(in) - len);

        must(got > 0);
        len += (size_t)got;
        must(msg_next(bytes_of(in + at, len - at), &whole, &msg).code == ERR_NONE);
        while (whole > 0) {
            at += whole;
            n--;
            must(msg_next(bytes_of(in + at, len - at), &whole, &msg).code == ERR_NONE);
        }
    }
}

static void measure(struct vaulthost *host, unsigned size, unsigned count)
{
    static uint8_t space[BATCH * 64];
    struct wr wr = WR_OF(space);
    double vault, own;

    for (unsigned i = 0; i < size; i++)
        msg_end(&wr, msg_begin(&wr, MSG_STATUS, i));
    batch_run(host, wr_done(&wr), size);
    vault = vault_us(host);
    own = clock_us(CLOCK_PROCESS_CPUTIME_ID);
    for (unsigned done = 0; done < count; done += size)
        batch_run(host, wr_done(&wr), size);
    vault = (vault_us(host) - vault) / count;
    own = (clock_us(CLOCK_PROCESS_CPUTIME_ID) - own) / count;
    printf("batches of %2u: vault %6.2f us, other side %6.2f us, both %6.2f us a message\n", size,
           vault, own, vault + own);
}

int main(int argc, char **argv)
{
    static struct vaulthost host;
    unsigned count = argc == 3 ? (unsigned)strtoul(argv[2], NULL, 10) : 100000;

    vaulthost_main(argc, argv);
    if (argc < 2 || count < BATCH) {
        fprintf(stderr, "usage: bench-hop PKI [COUNT]\n");
        return 2;
    }
    vaulthost_start(&host, argv[1]);
    vaulthost_configure(&host, 1);
    for (unsigned size = 1; size <= BATCH; size *= 2)
        measure(&host, size, count / size * size);
    vaulthost_stop(&host);
    return 0;
}
