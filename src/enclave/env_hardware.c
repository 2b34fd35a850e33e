// SPDX-License-Identifier: Apache-2.0
// The real surroundings: /dev/nsm by ioctl (linux/nsm.h, which Debian 12's headers lack), AF_VSOCK
// for the link, and the duties of a Nitro enclave's init: driver, mounts, heartbeat, randomness,
// and ending the machine. Whatever of these fails is fatal: there is no enclave without them.
#include "enclave/env.h"

#include "base/cbor.h"
#include "base/ct.h"
#include "base/fd.h"
#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <linux/random.h>
#include <linux/vm_sockets.h>

#define NSM_REQUEST_MAX 0x1000
#define NSM_ANSWER_MAX  0x3000
#define CONTROL_BACKLOG 128
#define DATA_BACKLOG    1024 // a burst of clients; kernels of AWS take 128 at most
#define HEARTBEAT_PORT  9000
#define HEARTBEAT_BYTE  0xB7
#define HEARTBEAT_MS    5000
#define LINK_BUFFER     131072 // bytes in flight of one connection, each way
#define DATA_BUFFER     32768  // the same of the data plane, which has thousands of them
#define RANDOM_BYTES    256    // what the NSM gives at once: eight times the kernel's pool

struct nsm_iovec {
    uint64_t addr, len;
};

struct nsm_raw {
    struct nsm_iovec request, response;
};

#define NSM_IOCTL_RAW _IOWR(0x0A, 0x0, struct nsm_raw)
_Static_assert(sizeof(struct nsm_raw) == 32, "the kernel's layout");

static struct err hardware_nsm_call(int nsm_fd, struct bytes request, uint8_t *answer, size_t cap,
                                    size_t *n)
{
    struct nsm_raw raw = {
        .request = { (uintptr_t)request.p, request.n },
        .response = { (uintptr_t)answer, NSM_ANSWER_MAX },
    };
    int done;

    ENSURE(request.n <= NSM_REQUEST_MAX, ERR_TOO_LARGE, "NSM: request is larger than 4096 bytes");
    ENSURE(cap >= NSM_ANSWER_MAX, ERR_INTERNAL,
           "NSM: the driver wants room for its largest answer");
    do { // the driver itself gives a silent device up, after 120 s (drivers/misc/nsm.c)
        done = ioctl(nsm_fd, NSM_IOCTL_RAW, &raw);
    } while (done < 0 && errno == EINTR);
    ENSURE(done == 0, ERR_DEVICE, "NSM: ioctl failed");
    ENSURE(raw.response.len <= cap, ERR_DEVICE, "NSM: answer is larger than expected");
    *n = (size_t)raw.response.len;
    return OK;
}

struct kernel_random { // rand_pool_info of linux/random.h
    int bits, n;
    uint8_t bytes[RANDOM_BYTES];
};

static void kernel_random_wipe(struct kernel_random *random)
{
    ct_wipe(random, sizeof(*random));
}

// The answer {"GetRandom": {"random": bytes}} into the kernel's generator, which counts them as
// fully random: from then on getrandom(2) rests on the hypervisor's source too. No key is drawn
// before. The kernel's own nsm-hwrng may have done the same; that is not taken for granted.
static struct err random_feed(int nsm_fd, int random_fd)
{
    AUTO(kernel_random_wipe) struct kernel_random random = { 0 };
    uint8_t answer[NSM_ANSWER_MAX];
    struct bytes bytes;
    struct rd rd;
    size_t n = 0;

    TRY(hardware_nsm_call(nsm_fd, BYTES_LIT("\x69GetRandom"), answer, sizeof(answer), &n));
    rd = rd_of(bytes_of(answer, n));
    ENSURE(cbor_map(&rd) == 1 && bytes_equal_str(cbor_text(&rd), "GetRandom") &&
               cbor_map(&rd) == 1 && bytes_equal_str(cbor_text(&rd), "random"),
           ERR_DEVICE, "NSM: no random bytes");
    bytes = cbor_bytes(&rd);
    ENSURE(!cbor_end(&rd).code && bytes.n == RANDOM_BYTES && !ct_is_zero(bytes), ERR_DEVICE,
           "NSM: expected 256 random bytes");
    random.bits = 8 * RANDOM_BYTES;
    random.n = RANDOM_BYTES;
    memcpy(random.bytes, bytes.p, bytes.n);
    ct_wipe(answer, sizeof(answer));
    ENSURE(ioctl(random_fd, RNDADDENTROPY, &random) == 0, ERR_IO,
           "init: the kernel does not take random bytes");
    return OK;
}

static struct err hardware_open_nsm(int *nsm_fd)
{
    AUTO(fd_close) int random_fd = open("/dev/random", O_RDWR | O_CLOEXEC);

    *nsm_fd = open("/dev/nsm", O_RDWR | O_CLOEXEC);
    ENSURE(*nsm_fd >= 0, ERR_DEVICE, "/dev/nsm cannot be opened: not a Nitro enclave?");
    ENSURE(random_fd >= 0, ERR_IO, "init: /dev/random cannot be opened");
    return random_feed(*nsm_fd, random_fd);
}

// A peer's bytes that nobody reads yet are kept in the kernel, as are ours that it does not take.
// Both are bounded by this, whatever credit the parent claims to give (the latter where the kernel
// has virtio_transport_tx_buf_size, as that of the image does). Accepted connections inherit it.
static struct err link_socket(int *fd, uint64_t most)
{
    *fd = socket(AF_VSOCK, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    ENSURE(*fd >= 0, ERR_IO, "vsock: no socket");
    ENSURE(setsockopt(*fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_MAX_SIZE, &most, sizeof(most)) == 0 &&
               setsockopt(*fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &most, sizeof(most)) == 0,
           ERR_IO, "vsock: buffers cannot be set");
    return OK;
}

static struct err link_listen(int fd, uint32_t port, int backlog)
{
    struct sockaddr_vm any = { .svm_family = AF_VSOCK,
                               .svm_port = port,
                               .svm_cid = VMADDR_CID_ANY };

    ENSURE(bind(fd, (struct sockaddr *)&any, sizeof(any)) == 0, ERR_IO,
           "vsock: port 5000 or 9000 cannot be bound");
    ENSURE(listen(fd, backlog) == 0, ERR_IO, "vsock: listen failed");
    return OK;
}

static struct err hardware_open_link(struct env_link *link)
{
    link->dial = -1;
    TRY(link_socket(&link->control, LINK_BUFFER));
    TRY(link_socket(&link->data, DATA_BUFFER));
    TRY(link_listen(link->control, ENV_CONTROL_PORT, CONTROL_BACKLOG));
    return link_listen(link->data, ENV_DATA_PORT, DATA_BACKLOG);
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
    AUTO(fd_close) int made = -1;

    (void)dial_fd;
    TRY(link_socket(&made, LINK_BUFFER));
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

// A kernel that has the NSM's driver as a module finds it beside init, as in AWS's own images. What
// became of it shows when the device is opened.
static void driver_load(void)
{
    AUTO(fd_close) int fd = open("/nsm.ko", O_RDONLY | O_CLOEXEC);

    if (fd >= 0)
        (void)syscall(SYS_finit_module, fd, "", 0);
}

static struct err mount_one(const char *target, const char *type)
{
    ENSURE(mkdir(target, 0755) == 0 || errno == EEXIST, ERR_IO, "init: mkdir failed");
    ENSURE(mount(type, target, type, MS_NOSUID | MS_NOEXEC, NULL) == 0 || errno == EBUSY, ERR_IO,
           "init: mount failed");
    return OK;
}

static struct err node_make(const char *path, unsigned major_number, unsigned minor_number)
{
    ENSURE(mknod(path, S_IFCHR | 0600, makedev(major_number, minor_number)) == 0 || errno == EEXIST,
           ERR_IO, "init: mknod failed");
    return OK;
}

// What stands in /dev without devtmpfs. The NSM's number is chosen by the kernel: /proc/misc has
// it, in a line of its own.
static struct err nodes_make(void)
{
    char text[1024] = "";
    const char *at;
    size_t n;

    TRY(fd_read_file("/proc/misc", (uint8_t *)text, sizeof(text) - 1, &n));
    at = strstr(text, " nsm\n");
    ENSURE(at, ERR_DEVICE, "init: the kernel has no NSM driver: not a Nitro enclave?");
    while (at > text && at[-1] >= '0' && at[-1] <= '9')
        at--;
    TRY(node_make("/dev/null", 1, 3));
    TRY(node_make("/dev/random", 1, 8));
    return node_make("/dev/nsm", 10, (unsigned)strtoul(at, NULL, 10));
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
    driver_load();
    TRY(mount_one("/proc", "proc"));
    if (mount_one("/dev", "devtmpfs").code)
        TRY(nodes_make());
    TRY(console_open());
    return heartbeat();
}

// As PID 1 nobody else could end the machine; memory goes with it.
static void hardware_end(void)
{
    if (getpid() == 1)
        (void)reboot(RB_AUTOBOOT);
}

const struct env env_this = {
    .name = "hardware",
    .open_nsm = hardware_open_nsm,
    .open_link = hardware_open_link,
    .nsm_call = hardware_nsm_call,
    .dial = hardware_dial,
    .boot = hardware_boot,
    .end = hardware_end,
};
