// SPDX-License-Identifier: Apache-2.0
#include "enclave/filter.h"

#include "base/must.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define NSM_IOCTL_RAW 0xC0200A00U // _IOWR(0x0A, 0, 32 bytes), linux/nsm.h
#define X32_BIT       0x40000000U

enum test { ANY, EQUAL, CLEAR };

// A call that is allowed: always, when an argument equals a value, or when bits of it are clear.
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

#define RULE_STEPS  6 // instructions of a rule with a test, and one more before it
#define PROGRAM_MAX (6 + RULE_STEPS * ARRAY_LEN(front_rules))
_Static_assert(ARRAY_LEN(vault_rules) <= ARRAY_LEN(front_rules), "both fit PROGRAM_MAX");

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

// The low 32 bits of an argument are compared: the kernel takes int and unsigned int of them.
static void emit_rule(struct program *p, const struct rule *rule)
{
    if (rule->test == ANY) {
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, rule->call);
        emit_return(p, SECCOMP_RET_ALLOW);
        return;
    }
    emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 4, rule->call);
    emit_load(p, offsetof(struct seccomp_data, args) + 8 * rule->argument);
    if (rule->test == EQUAL)
        emit(p, BPF_JMP | BPF_JEQ | BPF_K, 0, 1, rule->value);
    else
        emit(p, BPF_JMP | BPF_JSET | BPF_K, 1, 0, rule->value);
    emit_return(p, SECCOMP_RET_ALLOW);
    emit_return(p, SECCOMP_RET_KILL_PROCESS);
}

static struct err install(const struct rule *rules, size_t count)
{
    struct program p = { .len = 0 };
    struct sock_fprog prog = { .filter = p.step };

    emit_head(&p);
    for (size_t i = 0; i < count; i++)
        emit_rule(&p, &rules[i]);
    emit_return(&p, SECCOMP_RET_KILL_PROCESS);
    prog.len = p.len;
    ENSURE(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &prog) == 0,
           ERR_IO, "sandbox: seccomp filter was not taken");
    return OK;
}

struct err filter_install_vault(void)
{
    return install(vault_rules, ARRAY_LEN(vault_rules));
}

struct err filter_install_front(void)
{
    return install(front_rules, ARRAY_LEN(front_rules));
}
