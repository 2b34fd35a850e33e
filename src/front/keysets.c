// SPDX-License-Identifier: Apache-2.0
// Keysets: the vault says step by step which call of KMS or of the anchor it wants, the front makes
// it and carries the answer back or says that there is none, until the vault is done. The front
// chooses nothing. When the vault gives up the client hears why. When the front has to, the vault's
// pending operation is simply not continued.
#include "front/keysets.h"

#include "front/kms.h"
#include "front/params.h"
#include "front/report.h"
#include "proto/anchor.h"

// GenerateDataKey and Decrypt for each wrapping; three times write and look for each keyset that is
// sealed, open or half open (vault/limits.h, vault/state.h); one to spare.
#define STEPS_MAX (2 * CONFIG_CMKS + 6 * (CONFIG_KEYSETS + 4) + 1)

static void keysets_on_step(void *context, struct link_answer *answer);
static void keysets_on_kms(void *context, struct kms_job *job);

struct err keysets_create(struct call *call, const struct json *params)
{
    struct core *core = call->core;
    struct msg_keyset_create m = { .name = json_string(json_get(params, "name")) };
    struct wr *wr;

    ENSURE(m.name.n >= 1 && m.name.n <= NAME_BYTES_MAX, ERR_MALFORMED,
           "name: expected the name of a keyset of the configuration");
    ENSURE(config_find_keyset(&core->config, m.name), ERR_NOT_FOUND,
           "name: no keyset of the configuration");
    TRY(params_read_nonce(&m.nonce, params));
    TRY(credentials_check(core->credentials, core_now_s(&core->clock)));
    call->creating = true;
    TRY(link_begin(core->link, &wr, MSG_KEYSET_CREATE, 2 + NAME_BYTES_MAX + NONCE_BYTES_MAX));
    msg_write_keyset_create(wr, &m);
    return link_end(core->link, (struct link_done) { keysets_on_step, call });
}

struct err keysets_open(struct call *call, const struct json *params)
{
    struct core *core = call->core;
    struct bytes record;

    TRY(params_read_blob(&record, params, &params_record));
    TRY(credentials_check(core->credentials, core_now_s(&core->clock)));
    return call_ask(call, MSG_KEYSET_OPEN, record, keysets_on_step);
}

struct err keysets_administer(struct call *call, uint16_t type, struct bytes body)
{
    call->administers = true;
    return call_ask(call, type, body, keysets_on_step);
}

static struct err keysets_ask_kms(struct call *call, const struct msg_step *step)
{
    struct kms_job *job;
    struct err err;

    ENSURE(call->steps++ < STEPS_MAX, ERR_INTERNAL, "vault: asks for too many calls");
    TRY(kms_job_new(&job, call->core, step));
    job->done = keysets_on_kms;
    job->context = call;
    err = kms_submit(call->core->kms, job);
    if (err.code)
        kms_job_free(&job);
    return err;
}

static void keysets_on_step(void *context, struct link_answer *answer)
{
    struct call *call = context;
    struct msg_step step = { 0 };
    struct err err;

    if (answer->verdict.code == ERR_PHASE) // the anchor says so, or another call has sealed
        core_set_phase(call->core, PHASE_SEALED);
    if (report_refusal(call, answer))
        return;
    err = msg_read_step(&step, &answer->result);
    if (!err.code)
        err = rd_end(&answer->result);
    if (!err.code && step.kind == MSG_STEP_DONE && call->administers) {
        report_changed(call, answer);
        return;
    }
    if (!err.code && step.kind == MSG_STEP_DONE) {
        if (!call->creating) // creation forgets the key: the stored record has to be opened
            core_set_phase(call->core, PHASE_READY);
        report_keyset(call, &step);
        return;
    }
    if (!err.code)
        err = keysets_ask_kms(call, &step);
    if (err.code)
        call_fail(call, err);
}

static struct err keysets_answer_vault(struct call *call, const struct kms_job *job)
{
    struct link *link = call->core->link;
    struct msg_kms_answer m = { .operation = job->operation, .cmk = job->request.cmk };
    struct wr *wr;

    m.blob = bytes_of(job->answer.blob.b, job->answer.blob.n);
    m.cms = bytes_of(job->answer.cms.b, job->answer.cms.n);
    TRY(link_begin(link, &wr, MSG_KMS_ANSWER, 16 + ARN_BYTES_MAX + 2 * KMS_BLOB_MAX));
    msg_write_kms_answer(wr, &m);
    return link_end(link, (struct link_done) { keysets_on_step, call });
}

// The vault asks for no further call: what AWS said last is more use to people than its words.
static void keysets_on_failed(void *context, struct link_answer *answer)
{
    struct call *call = context;

    if (answer->verdict.code)
        call_fail_text(call, call->kms_refused, call_kept(call));
    else
        keysets_on_step(call, answer);
}

// A keyset of k of n may open without this CMK: the vault knows.
static struct err keysets_tell_failure(struct call *call, const struct kms_job *job)
{
    struct link *link = call->core->link;
    struct wr *wr;

    call->kms_refused = job->err.code;
    TRY(call_keep(call, job->text_len ? bytes_of(job->text, job->text_len)
                                      : bytes_str(err_text(job->err))));
    TRY(link_begin(link, &wr, MSG_KMS_FAILED, 8));
    wr_u64(wr, job->operation);
    return link_end(link, (struct link_done) { keysets_on_failed, call });
}

static struct err keysets_tell_anchored(struct call *call, const struct kms_job *job)
{
    struct link *link = call->core->link;
    struct wr *wr;

    TRY(link_begin(link, &wr, MSG_ANCHOR_ANSWER, 19 + ANCHOR_ITEM_BYTES));
    msg_write_anchor_answer(wr, &job->anchored);
    return link_end(link, (struct link_done) { keysets_on_step, call });
}

static void keysets_on_kms(void *context, struct kms_job *job)
{
    struct call *call = context;
    struct err err;

    if (job->request.kind >= MSG_STEP_ANCHOR_READ)
        err = keysets_tell_anchored(call, job);
    else
        err = job->err.code ? keysets_tell_failure(call, job) : keysets_answer_vault(call, job);
    if (err.code)
        call_fail(call, err);
    kms_job_free(&job);
}
