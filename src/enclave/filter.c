// SPDX-License-Identifier: Apache-2.0
#include "enclave/filter.h"

#include "base/must.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NSM_IOCTL_RAW 0xC0200A00U // _IOWR(0x0A, 0, 32 bytes), linux/nsm.h
#define X32_BIT       0x40000000U
#define NAMESPACES                                                                           \
    (uint32_t)(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | \
               CLONE_NEWPID | CLONE_NEWNET)

enum test { ANY, EQUAL, CLEAR, ABSENT };

// A call that is allowed: always, when an argument equals a value, or when bits of it are clear; a
// call may have several rules. Or one that is answered as if this kernel did not have it.
struct rule {
    uint32_t call;
    enum test test;
    uint32_t argument; // 0..5
    uint32_t value;
};

// The vault: its channel, NSM (a device or the emulator's socket), time, randomness, threads that
// exist already. No file, no socket, no process, no executable memory.
static const struct rule vault_rules[] = {
    { SYS_read, ANY, 0, 0 },
    { SYS_write, ANY, 0, 0 },
    { SYS_sendto, ANY, 0, 0 },
    { SYS_poll, ANY, 0, 0 },
    { SYS_futex, ANY, 0, 0 },
    { SYS_recvmsg, ANY, 0, 0 },
    { SYS_close, ANY, 0, 0 },
    { SYS_ioctl, EQUAL, 1, NSM_IOCTL_RAW },
    { SYS_clock_gettime, ANY, 0, 0 },
    { SYS_getrandom, ANY, 0, 0 },
    { SYS_mmap, CLEAR, 2, PROT_EXEC },
    { SYS_munmap, ANY, 0, 0 },
    { SYS_madvise, ANY, 0, 0 },
    { SYS_brk, ANY, 0, 0 },
    { SYS_rt_sigprocmask, ANY, 0, 0 },
    { SYS_rt_sigreturn, ANY, 0, 0 },
    { SYS_restart_syscall, ANY, 0, 0 },
    { SYS_getpid, ANY, 0, 0 },
    { SYS_gettid, ANY, 0, 0 },
    { SYS_tgkill, ANY, 0, 0 },
    { SYS_exit, ANY, 0, 0 },
    { SYS_exit_group, ANY, 0, 0 },
};

// The front: connections it was given or accepts, new ones over vsock only.
static const struct rule front_rules[] = {
    { SYS_read, ANY, 0, 0 },
    { SYS_write, ANY, 0, 0 },
    { SYS_recvfrom, ANY, 0, 0 },
    { SYS_sendto, ANY, 0, 0 },
    { SYS_recvmsg, ANY, 0, 0 },
    { SYS_sendmsg, ANY, 0, 0 },
    { SYS_epoll_wait, ANY, 0, 0 },
    { SYS_epoll_pwait, ANY, 0, 0 },
    { SYS_epoll_ctl, ANY, 0, 0 },
    { SYS_poll, ANY, 0, 0 },
    { SYS_futex, ANY, 0, 0 },
    { SYS_accept4, ANY, 0, 0 },
    { SYS_socket, EQUAL, 0, AF_VSOCK },
    { SYS_connect, ANY, 0, 0 },
    { SYS_close, ANY, 0, 0 },
    { SYS_shutdown, ANY, 0, 0 },
    { SYS_setsockopt, ANY, 0, 0 },
    { SYS_getsockopt, ANY, 0, 0 },
    { SYS_fcntl, ANY, 0, 0 },
    { SYS_clock_gettime, ANY, 0, 0 },
    { SYS_clock_nanosleep, ANY, 0, 0 },
    { SYS_getrandom, ANY, 0, 0 },
    { SYS_mmap, CLEAR, 2, PROT_EXEC },
    { SYS_mprotect, CLEAR, 2, PROT_EXEC },
    { SYS_munmap, ANY, 0, 0 },
    { SYS_mremap, ANY, 0, 0 },
    { SYS_madvise, ANY, 0, 0 },
    { SYS_brk, ANY, 0, 0 },
    { SYS_rt_sigprocmask, ANY, 0, 0 },
    { SYS_rt_sigreturn, ANY, 0, 0 },
    { SYS_restart_syscall, ANY, 0, 0 },
    { SYS_getpid, ANY, 0, 0 },
    { SYS_gettid, ANY, 0, 0 },
    { SYS_tgkill, ANY, 0, 0 },
    { SYS_exit, ANY, 0, 0 },
    { SYS_exit_group, ANY, 0, 0 },
};

// Process 1: starting its own file again and watching over it. Vault and front inherit its filter
// over execve until they add their own, so it also has what a program's start and their set-up
// take, and all of their rules. No file can be opened, so execve finds nothing but what the image
// holds: this program. A thread is made by clone, whose flags can be judged; glibc takes it where
// there is no clone3.
static const struct rule init_rules[] = {
    // watching
    { SYS_wait4, ANY, 0, 0 },
    { SYS_kill, ANY, 0, 0 },
    { SYS_socketpair, EQUAL, 0, AF_UNIX },
    { SYS_reboot, EQUAL, 2, (uint32_t)RB_AUTOBOOT },
    // starting
    { SYS_clone, CLEAR, 0, NAMESPACES },
    { SYS_clone3, ABSENT, 0, 0 },
    { SYS_dup2, ANY, 0, 0 },
    { SYS_prctl, EQUAL, 0, PR_SET_PDEATHSIG },
    { SYS_execve, ANY, 0, 0 },
    { SYS_arch_prctl, ANY, 0, 0 },
    { SYS_set_tid_address, ANY, 0, 0 },
    { SYS_set_robust_list, ANY, 0, 0 },
    { SYS_rseq, ANY, 0, 0 },
    { SYS_readlink, ANY, 0, 0 },
    // setting up
    { SYS_rt_sigaction, ANY, 0, 0 },
    { SYS_epoll_create1, ANY, 0, 0 },
    { SYS_eventfd2, ANY, 0, 0 },
    { SYS_mlock, ANY, 0, 0 },
    { SYS_sysinfo, ANY, 0, 0 }, // glibc's qsort
    // giving up
    { SYS_prlimit64, ANY, 0, 0 },
    { SYS_prctl, EQUAL, 0, PR_SET_DUMPABLE },
    { SYS_prctl, EQUAL, 0, PR_CAPBSET_READ },
    { SYS_prctl, EQUAL, 0, PR_CAPBSET_DROP },
    { SYS_prctl, EQUAL, 0, PR_SET_NO_NEW_PRIVS },
    { SYS_setgroups, ANY, 0, 0 },
    { SYS_setresgid, ANY, 0, 0 },
    { SYS_setresuid, ANY, 0, 0 },
    { SYS_getresuid, ANY, 0, 0 },
    { SYS_capget, ANY, 0, 0 },
    { SYS_seccomp, EQUAL, 0, SECCOMP_SET_MODE_FILTER },
};

#define HEAD_STEPS  6
#define RULE_STEPS  5 // instructions of a rule with a test
#define RULES_MAX   (ARRAY_LEN(init_rules) + ARRAY_LEN(front_rules) + ARRAY_LEN(vault_rules))
#define PROGRAM_MAX (HEAD_STEPS + RULE_STEPS * RULES_MAX + 1)

struct program {
    struct sock_filter step[PROGRAM_MAX];
    unsigned short len;
};

static void emit(struct program *p, uint16_t code, uint8_t when_true, uint8_t when_false,
                 uint32_t k)
{
    must(p->len < PROGRAM_MAX);
    p->step[p->len++] = (struct sock_filter) { code, when_true, when_false, k };
}

static void emit_load(struct program *p, size_t offset)
{
    emit(p, BPF_LD | BPF_W | BPF_ABS, 0, 0, (uint32_t)offset);
}

static void emit_return(struct program *p, uint32_t action)
{
    emit(p, BPF_RET | BPF_K, 0, 0, action);
}

// Another architecture or the x32 numbers would give the same numbers another meaning.
static void emit_head(struct program *p)
{
    emit_load(p, offsetof(struct seccomp_data, arch));
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, 1, 0, AUDIT_ARCH_X86_64);
    emit_return(p, SECCOMP_RET_KILL_PROCESS);
    emit_load(p, offsetof(struct seccomp_data, nr));
    emit(p, BPF_JMP | BPF_JGE | BPF_K, 0, 1, X32_BIT);
    emit_return(p, SECCOMP_RET_KILL_PROCESS);
}

// The low 32 bits of an argument are compared: the kernel takes int and unsigned int of them. What
// does not pass the test goes on to the next rule, with the call's number loaded again.
static void emit_rule(struct program *p, const struct rule *rule)
{
    if (rule->test == ANY || rule->test == ABSENT) {
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, rule->call);
        emit_return(p, rule->test == ANY ? SECCOMP_RET_ALLOW : SECCOMP_RET_ERRNO | ENOSYS);
        return;
    }
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, rule->call);
    emit_load(p, offsetof(struct seccomp_data, args) + 8 * rule->argument);
    if (rule->test == EQUAL)
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, rule->value);
    else
        emit(p, BPF_JMP | BPF_JSET | BPF_K, 1, 0, rule->value);
    emit_return(p, SECCOMP_RET_ALLOW);
    emit_load(p, offsetof(struct seccomp_data, nr));
}

static void emit_rules(struct program *p, const struct rule *rules, size_t count)
{
    for (size_t i = 0; i < count; i++)
        emit_rule(p, &rules[i]);
}

static struct err install(struct program *p)
{
    struct sock_fprog prog = { .filter = p->step };

    emit_return(p, SECCOMP_RET_KILL_PROCESS);
    prog.len = p->len;
    ENSURE(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &prog) == 0,
           ERR_IO, "sandbox: seccomp filter was not taken");
    return OK;
}

struct err filter_install_init(void)
{
    struct program p = { .len = 0 };

    emit_head(&p);
    emit_rules(&p, vault_rules, ARRAY_LEN(vault_rules));
    emit_rules(&p, front_rules, ARRAY_LEN(front_rules));
    emit_rules(&p, init_rules, ARRAY_LEN(init_rules));
    return install(&p);
}

struct err filter_install_vault(void)
{
    struct program p = { .len = 0 };

    emit_head(&p);
    emit_rules(&p, vault_rules, ARRAY_LEN(vault_rules));
    return install(&p);
}

struct err filter_install_front(void)
{
    struct program p = { .len = 0 };

    emit_head(&p);
    emit_rules(&p, front_rules, ARRAY_LEN(front_rules));
    return install(&p);
}
