// SPDX-License-Identifier: Apache-2.0
#include "vault/vault.h"

#include "base/ct.h"
#include "base/fd.h"
#include "base/must.h"
#include "crypto/ecdsa.h"
#include "crypto/selftest.h"
#include "vault/channel.h"
#include "vault/deployment.h"
#include "vault/entropy.h"
#include "vault/memory.h"
#include "vault/nsm_worker.h"

#include <poll.h>
#include <pthread.h>

#define HANDOVER_MS 10000

// Three threads: the main thread maps memory and seals the process, the worker, whose stack lies in
// the arena, does everything that touches a secret, and one waits for the NSM.
struct vault {
    const struct vault_env *env;
    struct memory memory;
    struct state state;
    struct channel channel;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    bool sealed, abandoned;
    struct err result;
};

static void *worker_main(void *context);
static struct err worker_run(struct vault *vault);

// Both threads; that of the NSM is there before the worker needs it.
static struct err threads_start(struct vault *vault, pthread_t *worker)
{
    struct memory *memory = &vault->memory;
    struct nsm nsm = { vault->env->nsm_call, vault->env->nsm_fd, NULL };

    TRY(nsm_worker_start(memory->nsm_worker, &nsm, &memory->nsm_stack));
    vault->state.nsm.worker = memory->nsm_worker;
    return memory_start_thread(&memory->worker_stack, worker_main, vault, worker);
}

static void worker_release(struct vault *vault, bool sealed)
{
    must(pthread_mutex_lock(&vault->lock) == 0);
    vault->sealed = sealed;
    vault->abandoned = !sealed;
    must(pthread_cond_signal(&vault->changed) == 0);
    must(pthread_mutex_unlock(&vault->lock) == 0);
}

struct err vault_run(const struct vault_env *env)
{
    static struct vault vault = {
        .lock = PTHREAD_MUTEX_INITIALIZER,
        .changed = PTHREAD_COND_INITIALIZER,
    };
    pthread_t thread;
    struct err sealed = OK;

    vault.env = env;
    vault.channel.fd = -1;
    TRY(memory_init(&vault.memory));
    vault.state.env = env;
    vault.state.secret = vault.memory.secrets;
    TRY(threads_start(&vault, &thread));
    if (env->seal)
        sealed = env->seal();
    worker_release(&vault, sealed.code == ERR_NONE);
    must(pthread_join(thread, NULL) == 0);
    TRY(sealed);
    return vault.result;
}

static void *worker_main(void *context)
{
    struct vault *vault = context;
    bool sealed;

    must(pthread_mutex_lock(&vault->lock) == 0);
    while (!vault->sealed && !vault->abandoned)
        must(pthread_cond_wait(&vault->changed, &vault->lock) == 0);
    sealed = vault->sealed;
    must(pthread_mutex_unlock(&vault->lock) == 0);
    if (sealed)
        vault->result = worker_run(vault);
    return NULL;
}

static struct err worker_boot(struct vault *vault)
{
    AUTO(seckey_wipe) struct seckey blinding = { 0 };

    TRY(entropy_key(&vault->state.nsm, &blinding));
    ecdsa_init(blinding.b);
    TRY(selftest_run());
    TRY(deployment_boot(&vault->state));
    memory_wipe_stack(&vault->memory.worker_stack);
    return OK;
}

// The supervisor hands over a channel for each front it starts; 'C' is the only message it sends.
static struct err worker_handover(struct vault *vault)
{
    uint8_t tag = 0;
    int fd = -1;

    TRY(fd_receive_fd(vault->env->supervisor_fd, &tag, &fd, deadline_in(HANDOVER_MS)));
    if (tag != 'C')
        fd_close(&fd);
    ENSURE(tag == 'C', ERR_MALFORMED, "supervisor: unknown message");
    channel_replace(&vault->channel, &vault->state, fd);
    return OK;
}

// Waits for the front or the supervisor, serves one batch, wipes the stack.
static struct err worker_turn(struct vault *vault)
{
    struct pollfd fds[2] = {
        { .fd = vault->env->supervisor_fd, .events = POLLIN },
        { .fd = vault->channel.fd, .events = POLLIN },
    };

    if (poll(fds, 2, -1) < 0)
        return OK;
    if (fds[0].revents)
        return worker_handover(vault);
    if (fds[1].revents && channel_serve(&vault->channel, &vault->state).code)
        channel_replace(&vault->channel, &vault->state, -1);
    memory_wipe_stack(&vault->memory.worker_stack);
    ENSURE(!vault->state.fatal, ERR_DEVICE, "PCR16 is not as it must be: the enclave ends");
    return OK;
}

static struct err worker_run(struct vault *vault)
{
    struct err err = worker_boot(vault);

    while (!err.code)
        err = worker_turn(vault);
    return err.code == ERR_CLOSED ? OK : err;
}
