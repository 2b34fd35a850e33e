// SPDX-License-Identifier: Apache-2.0
#include "enclave/supervise.h"

#include "base/fd.h"
#include "base/must.h"
#include "enclave/env.h"
#include "enclave/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILD_FDS       4
#define FIRST_CHILD_FD  3
#define HIGH_FD         64 // where descriptors wait while their final numbers are made free
#define HANDOVER_MS     5000
#define FRONT_PAUSE_MS  50 // a front that dies at once is not restarted in a tight loop
#define FRONT_PAUSE_MAX 1000
#define FRONT_LIVED_MS  10000 // after that long, its death is not held against the next one

struct supervisor {
    int nsm;
    struct env_link link;
    int vault_channel; // our end of the socket over which the vault gets its channels
    pid_t vault, front;
    unsigned early_deaths; // of fronts, one after the other
    struct deadline front_lived;
};

static volatile sig_atomic_t stop_asked;

static void on_term(int signal_number)
{
    (void)signal_number;
    stop_asked = 1;
}

// In the child: the descriptors to 3, 4, 5, 6 (those given as -1 stay closed), then the same
// program again. All others close by execve, but for the copies. Only async-signal-safe calls.
_Noreturn static void child_exec(const char *role, const int fds[static CHILD_FDS])
{
    char *const argv[] = { (char *)"cloister-enclave", (char *)role, NULL };
    char *const envp[] = { NULL };

    for (int i = 0; i < CHILD_FDS; i++)
        if (fds[i] >= 0 && dup2(fds[i], HIGH_FD + i) < 0)
            _exit(126);
    for (int i = 0; i < CHILD_FDS; i++) {
        (void)close(FIRST_CHILD_FD + i);
        if (fds[i] >= 0 && dup2(HIGH_FD + i, FIRST_CHILD_FD + i) < 0)
            _exit(126);
    }
    for (int i = 0; i < CHILD_FDS; i++)
        (void)close(HIGH_FD + i);
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    (void)execve("/proc/self/exe", argv, envp);
    _exit(127);
}

static struct err child_start(pid_t *out, const char *role, const int fds[static CHILD_FDS])
{
    *out = fork();
    ENSURE(*out >= 0, ERR_IO, "supervisor: fork failed");
    if (*out == 0)
        child_exec(role, fds);
    return OK;
}

static struct err pair_open(int pair[static 2])
{
    ENSURE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0, ERR_IO,
           "supervisor: socketpair failed");
    return OK;
}

static struct err vault_start(struct supervisor *s)
{
    int pair[2];
    AUTO(fd_close) int theirs = -1;

    TRY(pair_open(pair));
    s->vault_channel = pair[0];
    theirs = pair[1];
    return child_start(&s->vault, "vault", (const int[]) { s->nsm, theirs, -1, -1 });
}

// A front with a fresh channel, whose other end goes to the vault.
static struct err front_start(struct supervisor *s)
{
    int pair[2];
    AUTO(fd_close) int to_vault = -1;
    AUTO(fd_close) int to_front = -1;

    TRY(pair_open(pair));
    to_vault = pair[0];
    to_front = pair[1];
    TRY(child_start(&s->front, "front",
                    (const int[]) { to_front, s->link.control, s->link.dial, s->link.data }));
    s->front_lived = deadline_in(FRONT_LIVED_MS);
    return fd_send_fd(s->vault_channel, 'C', to_vault, deadline_in(HANDOVER_MS));
}

static void pause_ms(unsigned ms)
{
    struct timespec time = { .tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000 };

    (void)nanosleep(&time, NULL);
}

// 50 ms after the first early death, doubling up to a second.
static unsigned front_pause(struct supervisor *s)
{
    unsigned shift;

    s->early_deaths = deadline_left_ms(s->front_lived) > 0 ? s->early_deaths + 1 : 1;
    shift = s->early_deaths - 1 < 5 ? s->early_deaths - 1 : 5;
    return (unsigned)FRONT_PAUSE_MS << shift < FRONT_PAUSE_MAX ? (unsigned)FRONT_PAUSE_MS << shift
                                                               : FRONT_PAUSE_MAX;
}

static void children_end(struct supervisor *s)
{
    if (s->front > 0)
        (void)kill(s->front, SIGKILL);
    if (s->vault > 0)
        (void)kill(s->vault, SIGKILL);
    while (wait(NULL) > 0 || errno == EINTR)
        ;
}

// Waits for the next child to die. ERR_CLOSED when it was the vault or a stop was asked for.
static struct err children_watch(struct supervisor *s)
{
    int status = 0;
    pid_t dead = wait(&status);

    ENSURE(!stop_asked, ERR_CLOSED, "supervisor: asked to stop");
    if (dead < 0 && errno == EINTR)
        return OK;
    ENSURE(dead > 0, ERR_IO, "supervisor: wait failed");
    if (dead != s->vault && dead != s->front)
        return OK; // an orphan that init inherits
    fprintf(stderr, "event %s ended status %d\n", dead == s->vault ? "vault" : "front", status);
    ENSURE(dead != s->vault, ERR_CLOSED, "supervisor: the vault has ended");
    s->front = 0;
    pause_ms(front_pause(s));
    return front_start(s);
}

static struct err signals_set(void)
{
    struct sigaction term = { .sa_handler = on_term };
    struct sigaction ignore = { .sa_handler = SIG_IGN };

    ENSURE(sigaction(SIGTERM, &term, NULL) == 0 && sigaction(SIGINT, &term, NULL) == 0 &&
               sigaction(SIGPIPE, &ignore, NULL) == 0,
           ERR_IO, "supervisor: sigaction failed");
    return OK;
}

static struct err supervise_start(struct supervisor *s)
{
    TRY(signals_set());
    TRY(env_this.boot());
    // Whatever else an init of AWS's left open goes. Not by the children: on AWS's kernel (4.14),
    // which has no close_range(2), this opens /proc/self/fd.
    closefrom(FIRST_CHILD_FD + CHILD_FDS);
    TRY(env_this.open_nsm(&s->nsm));
    TRY(env_this.open_link(&s->link));
    TRY(sandbox_enter_init());
    TRY(vault_start(s));
    fd_close(&s->nsm); // the vault's alone from here on
    return front_start(s);
}

struct err supervise_run(void)
{
    struct supervisor s = { .nsm = -1, .link = { -1, -1, -1 }, .vault_channel = -1 };
    struct err err = supervise_start(&s);

    while (!err.code)
        err = children_watch(&s);
    children_end(&s);
    fd_close(&s.vault_channel);
    return err;
}
