// SPDX-License-Identifier: Apache-2.0
// The KMS client. Duty: make exactly the calls that the vault asks for, to hosts of the measured
// configuration only, through whatever the parent relays: TLS ends here, with compiled-in roots
// and the exact host name. It waits in a thread of its own, so that the loop never does. The
// answers are ciphertexts for the vault; nothing secret but the credentials' signatures passes.
#include "front/kms.h"

#include "base/must.h"
#include "front/kmscall.h"
#include "proto/arn.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define QUEUE_MAX 16U

struct kms {
    struct core *core;
    struct kmscall *call; // the worker's
    pthread_t thread;
    bool started;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool running, stopping;            // under lock
    unsigned queued_count;             // under lock
    struct kms_job *queued, *finished; // under lock
};

static void *kms_main(void *context);

// Signals are not the worker's business, and libssl writes with write(), which raises SIGPIPE.
static struct err kms_start(struct kms *kms)
{
    sigset_t all, before;
    int failed;

    (void)sigfillset(&all);
    must(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    failed = pthread_create(&kms->thread, NULL, kms_main, kms);
    must(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    ENSURE(!failed, ERR_FULL, "KMS client: no thread");
    kms->started = true;
    // A thread's first system calls are none that the sandbox allows: wait until they are made.
    (void)pthread_mutex_lock(&kms->lock);
    while (!kms->running)
        (void)pthread_cond_wait(&kms->changed, &kms->lock);
    (void)pthread_mutex_unlock(&kms->lock);
    return OK;
}

struct err kms_new(struct kms **out, struct core *core, const struct front_env *env)
{
    struct kms *kms = calloc(1, sizeof(*kms));
    struct err err;

    *out = kms;
    ENSURE(kms, ERR_FULL, "KMS client: out of memory");
    kms->core = core;
    (void)pthread_mutex_init(&kms->lock, NULL);
    (void)pthread_cond_init(&kms->changed, NULL);
    err = kmscall_new(&kms->call, core->credentials, env);
    if (!err.code)
        err = kms_start(kms);
    if (err.code)
        kms_free(out);
    return err;
}

static struct kms_job *kms_pop(struct kms_job **list)
{
    struct kms_job *job = *list;

    if (job) {
        *list = job->next;
        job->next = NULL;
    }
    return job;
}

static void kms_push(struct kms_job **list, struct kms_job *job)
{
    while (*list)
        list = &(*list)->next;
    *list = job;
}

static struct kms_job *kms_wait(struct kms *kms)
{
    struct kms_job *job;

    (void)pthread_mutex_lock(&kms->lock);
    kms->running = true;
    (void)pthread_cond_broadcast(&kms->changed);
    while (!kms->queued && !kms->stopping)
        (void)pthread_cond_wait(&kms->changed, &kms->lock);
    job = kms->stopping ? NULL : kms_pop(&kms->queued);
    kms->queued_count -= job != NULL;
    (void)pthread_mutex_unlock(&kms->lock);
    return job;
}

static void *kms_main(void *context)
{
    struct kms *kms = context;
    struct kms_job *job;

    while ((job = kms_wait(kms))) {
        kmscall_run(kms->call, job);
        (void)pthread_mutex_lock(&kms->lock);
        kms_push(&kms->finished, job);
        (void)pthread_mutex_unlock(&kms->lock);
        loop_wake(kms->core->loop);
    }
    return NULL;
}

void kms_collect(struct kms *kms)
{
    struct kms_job *job;

    do {
        (void)pthread_mutex_lock(&kms->lock);
        job = kms_pop(&kms->finished);
        (void)pthread_mutex_unlock(&kms->lock);
        if (job)
            job->done(job->context, job);
    } while (job);
}

struct err kms_submit(struct kms *kms, struct kms_job *job)
{
    bool room;

    (void)pthread_mutex_lock(&kms->lock);
    room = kms->queued_count < QUEUE_MAX && !kms->stopping;
    if (room) {
        kms_push(&kms->queued, job);
        kms->queued_count++;
        (void)pthread_cond_broadcast(&kms->changed);
    }
    (void)pthread_mutex_unlock(&kms->lock);
    ENSURE(room, ERR_BUSY, "KMS: too many calls at once; try again");
    return OK;
}

void kms_free(struct kms **out)
{
    struct kms *kms = *out;
    struct kms_job *job;

    *out = NULL;
    if (!kms)
        return;
    (void)pthread_mutex_lock(&kms->lock);
    kms->stopping = true;
    (void)pthread_cond_broadcast(&kms->changed);
    (void)pthread_mutex_unlock(&kms->lock);
    if (kms->started)
        (void)pthread_join(kms->thread, NULL);
    while ((job = kms_pop(&kms->queued))) {
        job->err = FAIL(ERR_CLOSED, "KMS: the enclave's front is ending");
        kms_push(&kms->finished, job);
    }
    kms_collect(kms);
    kmscall_free(&kms->call);
    (void)pthread_cond_destroy(&kms->changed);
    (void)pthread_mutex_destroy(&kms->lock);
    free(kms);
}

// The step's views end with the vault's message: the job has space of its own.
static struct bytes kms_job_copy(struct wr *space, struct bytes b)
{
    uint8_t *room = wr_room(space, b.n);

    if (room && b.n)
        memcpy(room, b.p, b.n);
    return room ? bytes_of(room, b.n) : BYTES_NONE;
}

static struct err kms_job_fill(struct kms_job *job, const struct core *core,
                               const struct msg_step *step)
{
    struct wr space = WR_OF(job->space), host = wr_of(job->host_name, sizeof(job->host_name));
    struct arn arn;
    int index;

    job->operation = step->operation;
    job->wall_ms = core->wall_ms;
    job->boot_ms = core->boot_ms;
    job->request = (struct kmsjson_request) { .kind = step->kind };
    job->request.deployment = core->config.deployment;
    job->request.cmk = kms_job_copy(&space, step->cmk);
    job->request.keyset = kms_job_copy(&space, step->name);
    job->request.blob = kms_job_copy(&space, step->blob);
    job->request.document = kms_job_copy(&space, step->document);
    TRY(wr_end(&space));
    TRY(arn_parse(&arn, job->request.cmk));
    arn_write_host(&host, &arn);
    index = config_find_host(&core->config, wr_done(&host));
    ENSURE(index >= 0, ERR_MISMATCH, "KMS: the key's host is not in the configuration");
    wr_u8(&host, 0);
    job->host = (unsigned)index;
    return wr_end(&host);
}

struct err kms_job_new(struct kms_job **out, const struct core *core, const struct msg_step *step)
{
    struct kms_job *job = calloc(1, sizeof(*job));
    struct err err;

    *out = NULL;
    ENSURE(job, ERR_FULL, "KMS: out of memory");
    err = kms_job_fill(job, core, step);
    if (err.code)
        kms_job_free(&job);
    *out = job;
    return err;
}

void kms_job_free(struct kms_job **job)
{
    free(*job);
    *job = NULL;
}
