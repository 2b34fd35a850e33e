// SPDX-License-Identifier: Apache-2.0
// What the thread between the vault and its security module costs (vault/nsm_worker.h): a module
// that answers 4 KiB at once is asked directly and through the thread. Prints microseconds, by the
// clock and of CPU time, of one request each. `bench-nsm COUNT`.
#include "base/must.h"
#include "vault/nsm_worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DOCUMENT_BYTES 4096

static struct memory memory;

static FALLIBLE at_once(int fd, struct bytes request, uint8_t *answer, size_t cap, size_t *n)
{
    must(fd == 0 && request.n > 0 && cap >= DOCUMENT_BYTES);
    memset(answer, request.p[0], DOCUMENT_BYTES);
    *n = DOCUMENT_BYTES;
    return OK;
}

static double now_us(clockid_t clock)
{
    struct timespec now;

    must(clock_gettime(clock, &now) == 0);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

static void measure(const char *name, struct nsm_worker *worker, unsigned count)
{
    static uint8_t answer[NSM_ANSWER_BYTES];
    static const uint8_t request[200] = { 1 };
    double began = now_us(CLOCK_MONOTONIC), cpu = now_us(CLOCK_PROCESS_CPUTIME_ID);
    size_t n = 0;

    for (unsigned i = 0; i < count; i++) {
        struct err err =
            worker ? nsm_worker_call(worker, BYTES_OF(request), answer, sizeof(answer), &n)
                   : at_once(0, BYTES_OF(request), answer, sizeof(answer), &n);

        must(!err.code && n == DOCUMENT_BYTES);
    }
    (void)printf("%-12s %8.2f us %8.2f us CPU\n", name, (now_us(CLOCK_MONOTONIC) - began) / count,
                 (now_us(CLOCK_PROCESS_CPUTIME_ID) - cpu) / count);
}

int main(int argc, char **argv)
{
    unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 20000;

    must(count > 0 && !memory_init(&memory).code);
    must(!nsm_worker_start(memory.nsm_worker, &(struct nsm) { .call = at_once }, &memory.nsm_stack)
              .code);
    measure("directly", NULL, count);
    measure("by a thread", memory.nsm_worker, count);
    return 0;
}
