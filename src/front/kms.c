// SPDX-License-Identifier: Apache-2.0
// The KMS client. Duty: make exactly the calls that the vault asks for, to hosts of the measured
// configuration only, through whatever the parent relays: TLS ends here, with compiled-in roots
// and the exact host name. It waits in a thread of its own, so that the loop never does. The
// answers are ciphertexts for the vault; nothing secret but the credentials' signatures passes.
#include "front/kms.h"

#include "front/kmscall.h"
#include "proto/anchor.h"
#include "proto/arn.h"

#include <stdlib.h>
#include <string.h>

#define QUEUE_MAX 16U

struct kms {
    struct kmscall *call; // the worker's
    struct crew *crew;
};

static void kms_run(void *owner, uint8_t *space)
{
    struct kms_job *job = owner;

    (void)space;
    kmscall_run(job->call, job);
}

static void kms_count(const struct kms_job *job)
{
    struct counters *counters = job->counters;
    bool is_anchor = job->request.kind >= MSG_STEP_ANCHOR_READ;

    counters->kms_outcomes[job->err.code]++;
    counters->row[is_anchor ? COUNTERS_ANCHOR_EXCHANGES : COUNTERS_KMS_CALLS]++;
    if (is_anchor || job->attempts == 0)
        return;
    counters->row[COUNTERS_KMS_ATTEMPTS] += job->attempts;
    counters->row[COUNTERS_KMS_RETRIES] += job->attempts - 1;
}

static void kms_done(void *owner)
{
    struct kms_job *job = owner;

    kms_count(job);
    job->done(job->context, job);
}

struct err kms_new(struct kms **out, struct core *core, const struct front_env *env)
{
    struct kms *kms = calloc(1, sizeof(*kms));
    struct crew_options options = { .workers = 1, .queue_max = QUEUE_MAX };
    struct err err;

    *out = kms;
    ENSURE(kms, ERR_FULL, "KMS client: out of memory");
    options.loop = core->loop;
    options.run = kms_run;
    options.done = kms_done;
    err = kmscall_new(&kms->call, core->credentials, env);
    if (!err.code)
        err = crew_new(&kms->crew, &options);
    if (err.code)
        kms_free(out);
    return err;
}

struct err kms_submit(struct kms *kms, struct kms_job *job)
{
    job->crew.owner = job;
    job->call = kms->call;
    job->err = FAIL(ERR_CLOSED, "KMS: the enclave's front is ending"); // until it was run
    ENSURE(crew_submit(kms->crew, &job->crew), ERR_BUSY, "KMS: too many calls at once; try again");
    return OK;
}

void kms_collect(struct kms *kms)
{
    crew_collect(kms->crew);
}

void kms_free(struct kms **out)
{
    struct kms *kms = *out;

    *out = NULL;
    if (!kms)
        return;
    crew_free(&kms->crew);
    kmscall_free(&kms->call);
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

static struct err kms_job_fill(struct kms_job *job, struct core *core, const struct msg_step *step)
{
    struct wr space = WR_OF(job->space), host = wr_of(job->host_name, sizeof(job->host_name));
    struct arn arn;
    int index;

    job->operation = job->anchored.operation = step->operation;
    job->keyset = step->keyset;
    job->clock = core->clock;
    job->counters = &core->counters;
    job->request = (struct kmsjson_request) { .kind = step->kind };
    job->request.deployment = core->config.deployment;
    job->request.cmk = kms_job_copy(&space, step->cmk);
    job->request.keyset = kms_job_copy(&space, step->name);
    job->request.blob = kms_job_copy(&space, step->blob);
    job->request.document = kms_job_copy(&space, step->document);
    TRY(wr_end(&space));
    if (step->kind >= MSG_STEP_ANCHOR_READ) {
        wr_str(&host, ANCHOR_HOST);
    } else {
        TRY(arn_parse(&arn, job->request.cmk));
        arn_write_host(&host, &arn);
    }
    index = config_find_host(&core->config, wr_done(&host));
    ENSURE(index >= 0, ERR_MISMATCH, "KMS: the key's host is not in the configuration");
    wr_u8(&host, 0);
    job->host = (unsigned)index;
    return wr_end(&host);
}

struct err kms_job_new(struct kms_job **out, struct core *core, const struct msg_step *step)
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
