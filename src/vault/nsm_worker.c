// SPDX-License-Identifier: Apache-2.0
#include "vault/nsm_worker.h"

#include "base/ct.h"
#include "base/must.h"
#include "vault/map.h"

#include <errno.h>
#include <string.h>
#include <time.h>

// Carries out the request and wipes all that it leaves behind but an answer that is waited for.
static void nsm_worker_turn(struct nsm_worker *worker)
{
    struct bytes request = bytes_of(worker->request, worker->request_len);

    must(pthread_mutex_unlock(&worker->lock) == 0);
    worker->result = worker->nsm.call(worker->nsm.fd, request, worker->answer,
                                      sizeof(worker->answer), &worker->answer_len);
    ct_wipe(worker->request, worker->request_len);
    memory_wipe_stack(&worker->stack);
    must(pthread_mutex_lock(&worker->lock) == 0);
    if (worker->phase == NSM_WORKER_GIVEN_UP) {
        ct_wipe(worker->answer, sizeof(worker->answer));
        worker->phase = NSM_WORKER_IDLE;
        return;
    }
    worker->phase = NSM_WORKER_ANSWERED;
    must(pthread_cond_signal(&worker->answered) == 0);
}

static void *nsm_worker_main(void *context)
{
    struct nsm_worker *worker = context;

    must(pthread_mutex_lock(&worker->lock) == 0);
    for (;;) {
        while (worker->phase != NSM_WORKER_ASKED)
            must(pthread_cond_wait(&worker->asked, &worker->lock) == 0);
        nsm_worker_turn(worker);
    }
    return NULL;
}

struct err nsm_worker_start(struct nsm_worker *worker, const struct nsm *nsm,
                            const struct memory_stack *stack)
{
    pthread_condattr_t monotonic;
    pthread_t thread;

    worker->nsm = *nsm;
    worker->stack = *stack;
    must(pthread_condattr_init(&monotonic) == 0);
    must(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    must(pthread_mutex_init(&worker->lock, NULL) == 0);
    must(pthread_cond_init(&worker->asked, NULL) == 0);
    must(pthread_cond_init(&worker->answered, &monotonic) == 0);
    TRY(memory_start_thread(stack, nsm_worker_main, worker, &thread));
    must(pthread_detach(thread) == 0);
    return OK;
}

static struct timespec nsm_worker_until(int64_t ms)
{
    struct timespec until;

    must(clock_gettime(CLOCK_MONOTONIC, &until) == 0);
    until.tv_sec += ms / 1000;
    until.tv_nsec += ms % 1000 * 1000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_sec++;
        until.tv_nsec -= 1000000000;
    }
    return until;
}

static struct err nsm_worker_exchange(struct nsm_worker *worker, struct bytes request)
{
    struct timespec until = nsm_worker_until(map_this.nsm_ms);
    int waited = 0;

    ENSURE(worker->phase == NSM_WORKER_IDLE, ERR_BUSY,
           "NSM: busy with an earlier request, which it has not answered; try again");
    memcpy(worker->request, request.p, request.n);
    worker->request_len = request.n;
    worker->phase = NSM_WORKER_ASKED;
    must(pthread_cond_signal(&worker->asked) == 0);
    while (worker->phase == NSM_WORKER_ASKED && waited != ETIMEDOUT)
        waited = pthread_cond_timedwait(&worker->answered, &worker->lock, &until);
    if (worker->phase == NSM_WORKER_ASKED) {
        worker->phase = NSM_WORKER_GIVEN_UP;
        return FAIL(ERR_DEVICE, "NSM: no answer within 5 s");
    }
    worker->phase = NSM_WORKER_IDLE;
    return worker->result;
}

struct err nsm_worker_call(struct nsm_worker *worker, struct bytes request, uint8_t *answer,
                           size_t cap, size_t *n)
{
    struct err err;

    ENSURE(request.n <= sizeof(worker->request), ERR_TOO_LARGE,
           "NSM: request is larger than 4096 bytes");
    must(pthread_mutex_lock(&worker->lock) == 0);
    err = nsm_worker_exchange(worker, request);
    if (!err.code && worker->answer_len > cap)
        err = FAIL(ERR_DEVICE, "NSM: answer is larger than expected");
    if (!err.code) {
        memcpy(answer, worker->answer, worker->answer_len);
        *n = worker->answer_len;
    }
    if (worker->phase == NSM_WORKER_IDLE)
        ct_wipe(worker->answer, sizeof(worker->answer));
    must(pthread_mutex_unlock(&worker->lock) == 0);
    return err;
}
