// SPDX-License-Identifier: Apache-2.0
// A stand-in for the init that nitro-cli puts into its images (aws-nitro-enclaves-sdk-bootstrap),
// which is not at hand where the tests run: process 1 of an image of that layout. Written after its
// published behaviour, in its order and as unforgiving: whatever fails ends the machine.
//
//   /nsm.ko      is loaded, if there is one, and removed
//   /cmd, /env   hold a word, or NAME=VALUE, in each line; read and removed
//   /rootfs      becomes the root, in which the command runs as a child
#include <errno.h>
#include <fcntl.h>
#include <linux/vm_sockets.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define CID_PARENT     3
#define HEARTBEAT_PORT 9000
#define HEARTBEAT_BYTE 0xB7
#define WORDS_MAX      32
#define TEXT_MAX       4096
#define GUARDED        (MS_NODEV | MS_NOSUID | MS_NOEXEC)

// The lines of a file.
struct words {
    char text[TEXT_MAX];
    char *word[WORDS_MAX + 1];
};

static void need(int good, const char *what)
{
    if (good)
        return;
    perror(what);
    exit(1); // of process 1: the kernel panics and restarts
}

static void dev_mount(void)
{
    need(mount("dev", "/dev", "devtmpfs", MS_NOSUID | MS_NOEXEC, NULL) == 0 || errno == EBUSY,
         "mount /dev");
}

static void console_open(void)
{
    need(freopen("/dev/console", "r", stdin) && freopen("/dev/console", "w", stdout) &&
             freopen("/dev/console", "w", stderr),
         "/dev/console");
}

static void module_load(void)
{
    int fd = open("nsm.ko", O_RDONLY | O_CLOEXEC);

    if (fd < 0 && errno == ENOENT)
        return;
    need(fd >= 0, "nsm.ko");
    need(syscall(SYS_finit_module, fd, "", 0) == 0, "finit_module nsm.ko");
    need(close(fd) == 0 && unlink("nsm.ko") == 0, "unlink nsm.ko");
}

static void heartbeat(void)
{
    struct sockaddr_vm parent = { .svm_family = AF_VSOCK,
                                  .svm_cid = CID_PARENT,
                                  .svm_port = HEARTBEAT_PORT };
    unsigned char byte = HEARTBEAT_BYTE;
    int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

    need(fd >= 0, "socket");
    need(connect(fd, (struct sockaddr *)&parent, sizeof(parent)) == 0, "connect to the parent");
    need(write(fd, &byte, 1) == 1 && read(fd, &byte, 1) == 1, "heartbeat");
    need(byte == HEARTBEAT_BYTE, "heartbeat: another byte");
    need(close(fd) == 0, "close");
}

static void words_read(struct words *words, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, words->text, sizeof(words->text) - 1);
    char *rest = NULL, *word;

    need(n >= 0, path);
    word = strtok_r(words->text, "\n", &rest);
    for (size_t i = 0; i < WORDS_MAX && word; i++) {
        words->word[i] = word;
        word = strtok_r(NULL, "\n", &rest);
    }
    need(close(fd) == 0 && unlink(path) == 0, path);
}

static void root_change(void)
{
    need(mount("/rootfs", "/rootfs", NULL, MS_BIND, NULL) == 0, "bind /rootfs");
    need(chdir("/rootfs") == 0, "chdir /rootfs");
    need(mount(".", "/", NULL, MS_MOVE, NULL) == 0, "move /rootfs");
    need(chroot(".") == 0 && chdir("/") == 0, "chroot /rootfs");
}

static void mount_at(const char *type, const char *target, unsigned long flags, const char *data)
{
    need(mount(type, target, type, flags, data) == 0, target);
}

static void mounts_make(void)
{
    static const char *const links[][2] = { { "/proc/self/fd", "/dev/fd" },
                                            { "/proc/self/fd/0", "/dev/stdin" },
                                            { "/proc/self/fd/1", "/dev/stdout" },
                                            { "/proc/self/fd/2", "/dev/stderr" } };

    mount_at("proc", "/proc", GUARDED, NULL);
    for (size_t i = 0; i < sizeof(links) / sizeof(links[0]); i++)
        need(symlink(links[i][0], links[i][1]) == 0 || errno == EEXIST, links[i][1]);
    mount_at("tmpfs", "/run", GUARDED, "mode=0755");
    mount_at("tmpfs", "/tmp", GUARDED, NULL);
    need(mkdir("/dev/shm", 0755) == 0 || errno == EEXIST, "/dev/shm");
    mount_at("tmpfs", "/dev/shm", GUARDED, NULL);
    need(mkdir("/dev/pts", 0755) == 0 || errno == EEXIST, "/dev/pts");
    mount_at("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, NULL);
    mount_at("sysfs", "/sys", GUARDED, NULL);
    mount_at("tmpfs", "/sys/fs/cgroup", GUARDED, "mode=0755");
}

// One hierarchy of version 1 for each controller: name, hierarchy, groups, enabled, after a head.
static void cgroups_mount(void)
{
    FILE *file = fopen("/proc/cgroups", "re");
    char line[128], path[64];

    need(file != NULL, "/proc/cgroups");
    while (fgets(line, sizeof(line), file)) {
        const char *enabled = strrchr(line, '\t');

        line[strcspn(line, "\t")] = 0;
        if (line[0] == '#' || !enabled || enabled[1] != '1')
            continue;
        (void)snprintf(path, sizeof(path), "/sys/fs/cgroup/%.31s", line);
        need(mkdir(path, 0755) == 0 && mount(line, path, "cgroup", GUARDED, line) == 0, path);
    }
    (void)fclose(file);
}

static pid_t command_start(struct words *cmd, struct words *env)
{
    pid_t child = fork();
    sigset_t all;

    need(child >= 0, "fork");
    if (child > 0)
        return child;
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_UNBLOCK, &all, NULL);
    (void)setsid();
    need(cmd->word[0] != NULL, "/cmd is empty");
    (void)execvpe(cmd->word[0], cmd->word, env->word);
    perror(cmd->word[0]);
    _exit(127);
}

int main(void)
{
    static struct words cmd, env;
    sigset_t all;
    pid_t child, dead;

    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
    dev_mount();
    console_open();
    module_load();
    heartbeat();
    words_read(&env, "/env");
    words_read(&cmd, "/cmd");
    root_change();
    dev_mount();
    mounts_make();
    cgroups_mount();
    child = command_start(&cmd, &env);
    do {
        dead = wait(NULL);
        need(dead > 0, "wait");
    } while (dead != child);
    (void)fprintf(stderr, "init: the command has ended\n");
    (void)reboot(RB_AUTOBOOT);
    return 1;
}
