// SPDX-License-Identifier: Apache-2.0
// Starting an enclave as a child and serving its NSM and its outgoing connections with one thread
// each, until it is gone. The listening socket is given away, so that a dead enclave refuses
// connections as it does on vsock.
#include "emu/vm.h"

#include "base/fd.h"
#include "base/must.h"
#include "base/rd.h"
#include "emu/disk.h"
#include "emu/journal.h"
#include "enclave/env.h"
#include "net/addr.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define IDLE_MS     3600000
#define EXCHANGE_MS 10000
#define CONNECT_MS  2000
#define CHILD_FDS   7
#define SPARE_FD    32 // above everything that is placed at 0 to 6

struct vm {
    pid_t pid; // 0 before the start and after the end
    int status;
    struct nsmdev *nsm;
    int nsm_fd, dial_fd; // our ends
    bool nsm_serving, dial_serving;
    pthread_t nsm_thread, dial_thread;
    char dir[DISK_PATH_MAX];
};

struct child_fds {
    int null, log, nsm, control, dial, data;
};

static FALLIBLE vm_launch(struct vm *vm, const struct vm_options *options);
static void *vm_serve_nsm(void *context);
static void *vm_serve_dial(void *context);

static void child_fds_close(struct child_fds *fds)
{
    fd_close(&fds->null);
    fd_close(&fds->log);
    fd_close(&fds->nsm);
    fd_close(&fds->control);
    fd_close(&fds->dial);
    fd_close(&fds->data);
}

static FALLIBLE vm_serve(struct vm *vm)
{
    ENSURE(pthread_create(&vm->nsm_thread, NULL, vm_serve_nsm, vm) == 0, ERR_IO,
           "thread cannot be started");
    vm->nsm_serving = true;
    ENSURE(pthread_create(&vm->dial_thread, NULL, vm_serve_dial, vm) == 0, ERR_IO,
           "thread cannot be started");
    vm->dial_serving = true;
    return OK;
}

struct err vm_start(struct vm **out, const struct vm_options *options, struct nsmdev *nsm)
{
    struct vm *vm = calloc(1, sizeof(*vm));
    struct err e;

    if (!vm) {
        nsmdev_free(&nsm);
        return FAIL(ERR_FULL, "no memory");
    }
    *out = vm;
    vm->nsm = nsm;
    vm->nsm_fd = vm->dial_fd = -1;
    e = vm_launch(vm, options);
    if (!e.code)
        e = vm_serve(vm);
    if (e.code)
        vm_stop(out, 0);
    return e;
}

pid_t vm_pid(const struct vm *vm)
{
    return vm->pid;
}

bool vm_has_ended(struct vm *vm, int *status)
{
    if (vm->pid > 0 && waitpid(vm->pid, &vm->status, WNOHANG) == vm->pid) {
        // Its other processes must not outlive it: on hardware the whole machine is gone.
        (void)kill(-vm->pid, SIGKILL);
        vm->pid = 0;
    }
    *status = vm->status;
    return vm->pid == 0;
}

static void vm_end_child(struct vm *vm, int grace_ms)
{
    struct deadline until = deadline_in(grace_ms);
    int status;

    if (vm->pid > 0 && grace_ms > 0)
        (void)kill(vm->pid, SIGTERM);
    while (!vm_has_ended(vm, &status) && deadline_left_ms(until) > 0)
        (void)poll(NULL, 0, 20);
    if (vm->pid > 0) {
        (void)kill(-vm->pid, SIGKILL);
        (void)waitpid(vm->pid, &vm->status, 0);
        vm->pid = 0;
    }
}

void vm_stop(struct vm **out, int grace_ms)
{
    struct vm *vm = *out;

    if (!vm)
        return;
    vm_end_child(vm, grace_ms);
    // The threads wait in poll(); a shut socket wakes them and they end.
    if (vm->nsm_fd >= 0)
        (void)shutdown(vm->nsm_fd, SHUT_RDWR);
    if (vm->dial_fd >= 0)
        (void)shutdown(vm->dial_fd, SHUT_RDWR);
    if (vm->nsm_serving)
        (void)pthread_join(vm->nsm_thread, NULL);
    if (vm->dial_serving)
        (void)pthread_join(vm->dial_thread, NULL);
    fd_close(&vm->nsm_fd);
    fd_close(&vm->dial_fd);
    nsmdev_free(&vm->nsm);
    free(vm);
    *out = NULL;
}

// Between fork and execve of a program with threads only async-signal-safe calls are allowed
// (POSIX fork), so everything is prepared before.
static _Noreturn void child_run(const char *program, const struct child_fds *fds, pid_t parent)
{
    int from[CHILD_FDS] = { fds->null,    fds->log,  fds->log, fds->nsm,
                            fds->control, fds->dial, fds->data };
    char *const argv[] = { (char *)(uintptr_t)program, NULL };
    char *const envp[] = { NULL };
    static const char failed[] = "cloister-emu: the enclave file cannot be executed\n";
    sigset_t none;
    bool good = setpgid(0, 0) == 0 && prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;

    for (int i = 0; i < CHILD_FDS; i++) {
        from[i] = fcntl(from[i], F_DUPFD, SPARE_FD);
        good = good && from[i] >= 0;
    }
    for (int i = 0; i < CHILD_FDS; i++)
        good = good && dup2(from[i], i) == i;
    (void)signal(SIGPIPE, SIG_DFL);
    (void)sigemptyset(&none);
    good = good && sigprocmask(SIG_SETMASK, &none, NULL) == 0;
    good = good && close_range(CHILD_FDS, ~0U, 0) == 0;
    if (good)
        (void)execve(program, argv, envp);
    (void)!write(2, failed, sizeof(failed) - 1);
    _exit(127);
}

static FALLIBLE vm_listen(const struct vm *vm, int *fd, uint32_t port)
{
    struct addr addr = { .kind = ADDR_UNIX }, bound;

    // The size is stated against vm->dir, which is longer than a Unix socket's path may be.
    int n = snprintf(addr.host, sizeof(addr.host), "%.200s/link/%u", vm->dir, port);

    ENSURE(n > 0 && (size_t)n < sizeof(addr.host) && strlen(vm->dir) <= 200, ERR_TOO_LARGE,
           "directory: its path is too long for Unix sockets");
    return addr_listen(fd, &addr, &bound);
}

static FALLIBLE vm_open(struct vm *vm, struct child_fds *fds)
{
    char log[DISK_PATH_MAX];
    int nsm[2], dial[2];

    ENSURE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, nsm) == 0, ERR_IO,
           "socket pair cannot be made");
    vm->nsm_fd = nsm[0];
    fds->nsm = nsm[1];
    ENSURE(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, dial) == 0, ERR_IO,
           "socket pair cannot be made");
    vm->dial_fd = dial[0];
    fds->dial = dial[1];
    TRY(vm_listen(vm, &fds->control, ENV_CONTROL_PORT));
    TRY(vm_listen(vm, &fds->data, ENV_DATA_PORT));
    TRY(disk_path(log, sizeof(log), vm->dir, "enclave.log"));
    fds->log = open(log, O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);
    fds->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    ENSURE(fds->log >= 0 && fds->null >= 0, ERR_IO, "enclave.log cannot be opened");
    return OK;
}

static struct err vm_launch(struct vm *vm, const struct vm_options *options)
{
    AUTO(child_fds_close) struct child_fds fds = { -1, -1, -1, -1, -1, -1 };
    pid_t parent = getpid();

    ENSURE(bytes_to_str(bytes_str(options->dir), vm->dir, sizeof(vm->dir)), ERR_TOO_LARGE,
           "path is longer than 511 bytes");
    TRY(vm_open(vm, &fds));
    vm->pid = fork();
    if (vm->pid == 0)
        child_run(options->enclave, &fds, parent);
    if (vm->pid < 0)
        vm->pid = 0;
    ENSURE(vm->pid > 0, ERR_IO, "enclave process cannot be started");
    (void)setpgid(vm->pid, vm->pid);
    return OK;
}

// Waits for the enclave as long as it takes; false when it is gone.
static bool vm_wait(int fd)
{
    struct err e;

    do {
        e = fd_wait(fd, POLLIN, deadline_in(IDLE_MS));
    } while (e.code == ERR_TIMEOUT);
    return e.code == ERR_NONE;
}

static FALLIBLE vm_answer_nsm(struct vm *vm)
{
    uint8_t request[NSMDEV_REQUEST_MAX], answer[4 + NSMDEV_RESPONSE_MAX], head[4];
    struct wr wr = wr_of(answer + 4, NSMDEV_RESPONSE_MAX), head_wr = wr_of(answer, 4);
    struct deadline until = deadline_in(EXCHANGE_MS);
    struct rd rd = rd_of(BYTES_OF(head));
    size_t n;

    TRY(fd_read_all(vm->nsm_fd, head, sizeof(head), until));
    n = rd_u32(&rd);
    // As the driver: requests over 4096 bytes never reach the device.
    ENSURE(n <= sizeof(request), ERR_TOO_LARGE, "request is larger than 4096 bytes");
    TRY(fd_read_all(vm->nsm_fd, request, n, until));
    nsmdev_answer(vm->nsm, &wr, bytes_of(request, n));
    wr_u32(&head_wr, (uint32_t)wr.len);
    return fd_write_all(vm->nsm_fd, bytes_of(answer, 4 + wr.len), until);
}

static void *vm_serve_nsm(void *context)
{
    struct vm *vm = context;
    struct err e = OK;

    while (!e.code && vm_wait(vm->nsm_fd))
        e = vm_answer_nsm(vm);
    if (e.code != ERR_CLOSED && e.code != ERR_NONE)
        journal("nsm channel closed: %s", err_text(e));
    // The enclave sees the end of the channel at once, not a device that never answers.
    (void)shutdown(vm->nsm_fd, SHUT_RDWR);
    return NULL;
}

static FALLIBLE vm_connect(const struct vm *vm, uint32_t port, int *fd)
{
    struct addr addr = { .kind = ADDR_UNIX };
    int n = snprintf(addr.host, sizeof(addr.host), "%.200s/link/%u", vm->dir, port);

    ENSURE(n > 0 && (size_t)n < sizeof(addr.host), ERR_TOO_LARGE, "path is too long");
    return addr_dial(fd, &addr, deadline_in(CONNECT_MS));
}

static FALLIBLE vm_answer_dial(struct vm *vm)
{
    AUTO(fd_close) int fd = -1;
    uint8_t request[5];
    ssize_t got = recv(vm->dial_fd, request, sizeof(request), 0);
    struct rd rd = rd_of(bytes_of(request, 4));
    struct err e;
    uint32_t port;

    ENSURE(got > 0, ERR_CLOSED, "connection was closed");
    ENSURE(got == 4, ERR_MALFORMED, "dial request: expected a port in 4 bytes");
    port = rd_u32(&rd);
    e = vm_connect(vm, port, &fd);
    if (!e.code)
        return fd_send_fd(vm->dial_fd, 'K', fd, deadline_in(EXCHANGE_MS));
    journal("link port %u of the parent: %s", port, err_text(e));
    return fd_write_all(vm->dial_fd, BYTES_LIT("E"), deadline_in(EXCHANGE_MS));
}

static void *vm_serve_dial(void *context)
{
    struct vm *vm = context;
    struct err e = OK;

    while (!e.code && vm_wait(vm->dial_fd))
        e = vm_answer_dial(vm);
    if (e.code != ERR_CLOSED && e.code != ERR_NONE)
        journal("link channel closed: %s", err_text(e));
    (void)shutdown(vm->dial_fd, SHUT_RDWR);
    return NULL;
}
