// SPDX-License-Identifier: Apache-2.0
// The front's life: make everything that a sandboxed process cannot make later, seal, learn from
// the vault where it stands, then serve. It holds no state that matters: when it dies, PID 1
// starts another one, which asks the vault again; only the AWS credentials have to be sent again.
#include "front/front.h"

#include "base/must.h"
#include "crypto/ecdsa.h"
#include "front/control.h"
#include "front/data.h"
#include "front/kms.h"
#include "front/tlscert.h"
#include "front/tlssign.h"

#include <malloc.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#define AGE_MS 30000 // how long expired credentials may lie about

struct front {
    struct core core;
    struct loop_timer *age;
    const struct front_env *env;
    struct err end; // why the loop was stopped
};

// Ends the front, unless there is no error.
static void front_check(void *context, struct err err)
{
    struct front *front = context;

    if (!err.code)
        return;
    if (!front->end.code)
        front->end = err;
    loop_stop(front->core.loop);
}

static void front_turn(void *context)
{
    struct front *front = context;

    if (front->core.control)
        control_turn(front->core.control);
    link_flush(front->core.link);
}

static void front_wake(void *context)
{
    struct front *front = context;

    kms_collect(front->core.kms);
}

// Credentials that nobody uses are wiped at their end, too.
static void front_age(void *context)
{
    struct front *front = context;

    (void)credentials_expires(front->core.credentials, core_now_s(&front->core.clock));
    loop_timer_set(front->age, deadline_in(AGE_MS));
}

// glibc's allocator must not make arenas for threads (they grow by mprotect), and reads the time
// zone from a file when it is first asked for a calendar date (libcrypto does, for certificates).
static struct err front_prepare_libraries(void)
{
    uint8_t seed[32];

    (void)mallopt(M_ARENA_MAX, 1);
    tzset();
    ENSURE(getrandom(seed, sizeof(seed), 0) == (ssize_t)sizeof(seed), ERR_IO,
           "front: no random bytes");
    ecdsa_init(seed);
    return OK;
}

static struct err front_set_up(struct front *front)
{
    struct core *core = &front->core;

    TRY(front_prepare_libraries());
    core->anchors = front->env->anchors;
    TRY(loop_new(&core->loop));
    loop_set_turn(core->loop, front_turn, front);
    loop_set_wake(core->loop, front_wake, front);
    TRY(link_new(&core->link, core->loop, front->env->vault_fd, front_check, front));
    TRY(credentials_new(&core->credentials));
    TRY(permits_new(&core->permits));
    TRY(tlssign_new(&core->tlssign, core));
    TRY(tlscert_new(&core->tlscert, core));
    TRY(data_new(&core->data, core, front->env->data_fd));
    TRY(loop_timer(core->loop, &front->age, deadline_in(AGE_MS), front_age, front));
    return kms_new(&core->kms, core, front->env);
}

static struct err front_serve(struct front *front)
{
    core_event(CORE_EVENT_READY, front->core.phase, 0);
    if (front->core.phase != PHASE_UNCONFIGURED)
        TRY(permits_ask(&front->core));
    return control_new(&front->core.control, &front->core, front->env->listen_fd);
}

static struct err front_learn_config(struct front *front, struct link_answer *answer)
{
    ENSURE(answer->verdict.code == ERR_NONE, ERR_INTERNAL, "vault: keeps its configuration back");
    TRY(core_set_config(&front->core, answer->result.left));
    return front_serve(front);
}

static void front_on_config(void *context, struct link_answer *answer)
{
    front_check(context, front_learn_config(context, answer));
}

static struct err front_learn_status(struct front *front, struct link_answer *answer)
{
    struct msg_status status = { 0 };

    ENSURE(answer->verdict.code == ERR_NONE, ERR_INTERNAL, "vault: keeps its status back");
    TRY(msg_read_status(&status, &answer->result));
    TRY(rd_end(&answer->result));
    core_set_status(&front->core, &status);
    if (status.phase == PHASE_UNCONFIGURED)
        return front_serve(front);
    return link_send(front->core.link, MSG_CONFIG, BYTES_NONE,
                     (struct link_done) { front_on_config, front });
}

static void front_on_status(void *context, struct link_answer *answer)
{
    front_check(context, front_learn_status(context, answer));
}

// Connections first: calls then have nobody to answer, and end with the KMS client and the link.
static void front_tear_down(struct front *front)
{
    struct core *core = &front->core;

    control_free(&core->control);
    data_free(&core->data);
    kms_free(&core->kms);
    link_free(&core->link);
    tlscert_free(&core->tlscert);
    tlssign_free(&core->tlssign);
    permits_free(&core->permits);
    loop_timer_free(&front->age);
    credentials_free(&core->credentials);
    loop_free(&core->loop);
    free(front);
}

static struct err front_live(struct front *front)
{
    TRY(front_set_up(front));
    TRY(front->env->seal());
    TRY(link_send(front->core.link, MSG_STATUS, BYTES_NONE,
                  (struct link_done) { front_on_status, front }));
    loop_run(front->core.loop);
    return front->end;
}

struct err front_run(const struct front_env *env)
{
    struct front *front = calloc(1, sizeof(*front));
    struct err err;

    ENSURE(front, ERR_FULL, "front: out of memory");
    front->env = env;
    err = front_live(front);
    core_event(CORE_EVENT_END, err.code, 0);
    front_tear_down(front);
    return err;
}
