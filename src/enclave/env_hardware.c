// SPDX-License-Identifier: Apache-2.0
// The real surroundings: /dev/nsm by ioctl (linux/nsm.h, which Debian 12's headers lack), AF_VSOCK
// for the link, and the mounts and heartbeat of a Nitro enclave's init.
#include "enclave/env.h"

#include "base/fd.h"
#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define NSM_REQUEST_MAX 0x1000
#define NSM_ANSWER_MAX  0x3000
#define LISTEN_BACKLOG  128
#define HEARTBEAT_PORT  9000
#define HEARTBEAT_BYTE  0xB7
#define HEARTBEAT_MS    5000

struct nsm_iovec {
    uint64_t addr, len;
};

struct nsm_raw {
    struct nsm_iovec request, response;
};

#define NSM_IOCTL_RAW _IOWR(0x0A, 0x0, struct nsm_raw)
_Static_assert(sizeof(struct nsm_raw) == 32, "the kernel's layout");

static struct err hardware_open_nsm(int *nsm_fd)
{
    *nsm_fd = open("/dev/nsm", O_RDWR | O_CLOEXEC);
    ENSURE(*nsm_fd >= 0, ERR_DEVICE, "/dev/nsm cannot be opened: not a Nitro enclave?");
    return OK;
}

static struct err hardware_nsm_call(int nsm_fd, struct bytes request, uint8_t *answer, size_t cap,
                                    size_t *n)
{
    static uint8_t full[NSM_ANSWER_MAX]; // the driver wants room for its largest answer
    struct nsm_raw raw = {
        .request = { (uintptr_t)request.p, request.n },
        .response = { (uintptr_t)(cap < sizeof(full) ? full : answer), sizeof(full) },
    };
    int done;

    ENSURE(request.n <= NSM_REQUEST_MAX, ERR_TOO_LARGE, "NSM: request is larger than 4096 bytes");
    do {
        done = ioctl(nsm_fd, NSM_IOCTL_RAW, &raw);
    } while (done < 0 && errno == EINTR);
    ENSURE(done == 0, ERR_DEVICE, "NSM: ioctl failed");
    ENSURE(raw.response.len <= cap, ERR_DEVICE, "NSM: answer is larger than expected");
    *n = (size_t)raw.response.len;
    for (size_t i = 0; cap < sizeof(full) && i < *n; i++)
        answer[i] = full[i];
    return OK;
}

static struct err hardware_open_link(int *listen_fd, int *dial_fd)
{
    struct sockaddr_vm any = { .svm_family = AF_VSOCK,
                               .svm_port = ENV_CONTROL_PORT,
                               .svm_cid = VMADDR_CID_ANY };

    *dial_fd = -1;
    *listen_fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ENSURE(*listen_fd >= 0, ERR_IO, "vsock: no socket");
    ENSURE(bind(*listen_fd, (struct sockaddr *)&any, sizeof(any)) == 0, ERR_IO,
           "vsock: port 5000 cannot be bound");
    ENSURE(listen(*listen_fd, LISTEN_BACKLOG) == 0, ERR_IO, "vsock: listen failed");
    return OK;
}

static struct err vsock_connect(int fd, uint32_t port, struct deadline until)
{
    struct sockaddr_vm parent = { .svm_family = AF_VSOCK,
                                  .svm_port = port,
                                  .svm_cid = ENV_CID_PARENT };
    int failed = 0;
    socklen_t len = sizeof(failed);

    if (connect(fd, (struct sockaddr *)&parent, sizeof(parent)) == 0)
        return OK;
    ENSURE(errno == EINPROGRESS, ERR_UNREACHABLE, "vsock: the parent does not listen");
    TRY(fd_wait(fd, POLLOUT, until));
    ENSURE(getsockopt(fd, SOL_SOCKET, SO_ERROR, &failed, &len) == 0 && failed == 0, ERR_UNREACHABLE,
           "vsock: the parent does not listen");
    return OK;
}

static struct err hardware_dial(int dial_fd, uint32_t port, int *fd, struct deadline until)
{
    AUTO(fd_close) int made = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    (void)dial_fd;
    ENSURE(made >= 0, ERR_IO, "vsock: no socket");
    TRY(vsock_connect(made, port, until));
    *fd = made;
    made = -1;
    return OK;
}

// nitro-cli waits for this byte and its echo before it calls the enclave started.
static struct err heartbeat(void)
{
    AUTO(fd_close) int fd = -1;
    struct deadline until = deadline_in(HEARTBEAT_MS);
    uint8_t byte = HEARTBEAT_BYTE;

    TRY(hardware_dial(-1, HEARTBEAT_PORT, &fd, until));
    TRY(fd_write_all(fd, BYTES_OF(byte), until));
    TRY(fd_read_all(fd, &byte, 1, until));
    ENSURE(byte == HEARTBEAT_BYTE, ERR_DEVICE, "heartbeat: the answer is another byte");
    return OK;
}

static struct err mount_one(const char *source, const char *target, const char *type)
{
    int done = mount(source, target, type, MS_NOSUID | MS_NOEXEC, NULL);

    ENSURE(done == 0 || errno == EBUSY, ERR_IO, "init: mount failed");
    return OK;
}

// A kernel that finds no /dev/console starts init without descriptors 0 to 2. They must not become
// those of NSM or of a channel: events are written to descriptor 2.
static struct err console_open(void)
{
    int fd = open("/dev/console", O_RDWR | O_NOCTTY);

    if (fd < 0)
        fd = open("/dev/null", O_RDWR);
    ENSURE(fd >= 0, ERR_IO, "init: neither /dev/console nor /dev/null can be opened");
    for (int at = STDIN_FILENO; at <= STDERR_FILENO; at++)
        ENSURE(fd == at || dup2(fd, at) == at, ERR_IO, "init: console cannot be set");
    if (fd > STDERR_FILENO)
        fd_close(&fd);
    return OK;
}

static struct err hardware_boot(void)
{
    if (getpid() != 1)
        return OK; // under AWS's own init, which has mounted and sent its heartbeat
    TRY(mount_one("dev", "/dev", "devtmpfs"));
    TRY(console_open());
    TRY(mount_one("proc", "/proc", "proc"));
    return heartbeat();
}

const struct env env_this = {
    .name = "hardware",
    .open_nsm = hardware_open_nsm,
    .open_link = hardware_open_link,
    .nsm_call = hardware_nsm_call,
    .dial = hardware_dial,
    .boot = hardware_boot,
};
