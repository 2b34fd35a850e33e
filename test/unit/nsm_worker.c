// SPDX-License-Identifier: Apache-2.0
// vault/nsm_worker.h with a module that answers, refuses, or is silent until the test lets it go.
#include "vault/nsm_worker.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ct.h"
#include "base/deadline.h"
#include "base/must.h"
#include "expect.h"
#include "vault/map.h"

#include <semaphore.h>
#include <string.h>
#include <time.h>

#define SILENT_MS 300

// In place of the product's: less patient.
const struct map map_this = { .worker_stack = 2U << 20,
                              .nsm_stack = 2U << 20,
                              .nsm_ms = SILENT_MS };

static struct memory memory;
static struct nsm_worker *worker;
static sem_t go, came;
static unsigned calls;

// The request is an order: 'a' answer with what follows, 'r' refuse, 's' be silent until `go`, then
// answer as 'a', 'l' as 's', but fail.
static FALLIBLE obey(int fd, struct bytes request, uint8_t *answer, size_t cap, size_t *n)
{
    must(fd == 7 && request.n > 0 && request.n <= cap);
    calls++;
    if (request.p[0] == 's' || request.p[0] == 'l') {
        must(sem_post(&came) == 0);
        while (sem_wait(&go) != 0)
            ;
    }
    ENSURE(request.p[0] != 'r' && request.p[0] != 'l', ERR_DEVICE, "NSM: told to refuse");
    *n = request.n - 1;
    memcpy(answer, request.p + 1, *n);
    return OK;
}

static int start(void **context)
{
    (void)context;
    must(sem_init(&go, 0, 0) == 0 && sem_init(&came, 0, 0) == 0);
    expect_ok("memory", memory_init(&memory));
    worker = memory.nsm_worker;
    expect_ok("start",
              nsm_worker_start(worker, &(struct nsm) { .call = obey, .fd = 7 }, &memory.nsm_stack));
    return 0;
}

static struct err ask(const char *request, char answer[static 64])
{
    size_t n = 0;
    struct err err = nsm_worker_call(worker, bytes_str(request), (uint8_t *)answer, 63, &n);

    answer[n] = 0;
    return err;
}

static void test_answers_and_refusals(void **context)
{
    char answer[64];

    (void)context;
    for (unsigned i = 0; i < 3; i++) {
        expect_ok("first", ask("afirst", answer));
        assert_string_equal(answer, "first");
        expect_err("refused", ask("r", answer), ERR_DEVICE, "told to refuse");
        expect_ok("second", ask("a2", answer));
        assert_string_equal(answer, "2");
        expect_ok("empty", ask("a", answer));
        assert_string_equal(answer, "");
    }
}

static void test_sizes(void **context)
{
    static uint8_t request[NSM_REQUEST_BYTES + 1] = { 'a' }, answer[NSM_ANSWER_BYTES];
    size_t n = 0;

    (void)context;
    expect_err("too large", nsm_worker_call(worker, BYTES_OF(request), answer, sizeof(answer), &n),
               ERR_TOO_LARGE, "4096");
    expect_ok("largest", nsm_worker_call(worker, bytes_of(request, NSM_REQUEST_BYTES), answer,
                                         sizeof(answer), &n));
    assert_int_equal(n, NSM_REQUEST_BYTES - 1);
    expect_err("no room", nsm_worker_call(worker, bytes_of(request, 66), answer, 64, &n),
               ERR_DEVICE, "larger than expected");
    expect_ok("just room", nsm_worker_call(worker, bytes_of(request, 65), answer, 64, &n));
    assert_int_equal(n, 64);
}

// Until the thread is idle again: a given-up request's answer has come and is gone.
static void wait_idle(char answer[static 64])
{
    struct deadline until = deadline_in(20000);
    struct err err = ask("aagain", answer);

    while (err.code == ERR_BUSY && deadline_left_ms(until) > 0) {
        (void)nanosleep(&(struct timespec) { .tv_nsec = 1000000 }, NULL);
        err = ask("aagain", answer);
    }
    expect_ok("again", err);
}

static void test_silence(void **context)
{
    static const char *const orders[] = { "sa late answer of the module", "l" };

    (void)context;
    for (size_t i = 0; i < ARRAY_LEN(orders); i++) {
        char answer[64] = "untouched";
        int64_t began = deadline_now_ms();
        unsigned before = calls;

        expect_err("silent", ask(orders[i], answer), ERR_DEVICE, "no answer");
        assert_in_range(deadline_now_ms() - began, SILENT_MS - 10, SILENT_MS + 10000);
        must(sem_wait(&came) == 0);
        began = deadline_now_ms();
        for (unsigned k = 0; k < 5; k++)
            expect_err("busy", ask("aother", answer), ERR_BUSY, "earlier request");
        assert_in_range(deadline_now_ms() - began, 0, SILENT_MS);
        assert_int_equal(calls, before + 1); // the module hears one request at a time
        must(sem_post(&go) == 0);
        wait_idle(answer);
        assert_string_equal(answer, "again");
        must(pthread_mutex_lock(&worker->lock) == 0);
        assert_true(ct_is_zero(BYTES_OF(worker->answer)) && ct_is_zero(BYTES_OF(worker->request)));
        must(pthread_mutex_unlock(&worker->lock) == 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_answers_and_refusals),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_silence),
    };

    return cmocka_run_group_tests(tests, start, NULL);
}
