// SPDX-License-Identifier: Apache-2.0
// The emulated surroundings of a development enclave: the emulator starts the enclave with four
// descriptors (emu/vm.h says what they speak), and these functions stand where the hardware's
// ioctl and vsock calls do. Trusts the emulator as an enclave trusts the hypervisor. It decides
// nothing: no key, policy or anchor depends on it.
#include "enclave/env.h"

#include "base/fd.h"
#include "base/must.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/socket.h>
#include <unistd.h>

#define FD_NSM     3
#define FD_CONTROL 4
#define FD_DIAL    5
#define FD_DATA    6

#define NSM_MS  120000 // as Linux's driver
#define DIAL_MS 5000

// One request at a time on each channel, as the NSM driver does it too.
static pthread_mutex_t nsm_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_mutex_t dial_lock = PTHREAD_MUTEX_INITIALIZER;
static bool nsm_lost; // an answer is missing, and a late one would be taken for the next

static FALLIBLE env_inherited(int fd)
{
    ENSURE(fcntl(fd, F_GETFD) >= 0, ERR_DEVICE,
           "descriptors 3 to 6: expected those of cloister-emu; it starts this program");
    return OK;
}

static FALLIBLE env_open_nsm(int *nsm_fd)
{
    TRY(env_inherited(FD_NSM));
    *nsm_fd = FD_NSM;
    return OK;
}

static FALLIBLE env_open_link(struct env_link *link)
{
    TRY(env_inherited(FD_CONTROL));
    TRY(env_inherited(FD_DIAL));
    TRY(env_inherited(FD_DATA));
    *link = (struct env_link) { .control = FD_CONTROL, .data = FD_DATA, .dial = FD_DIAL };
    return OK;
}

static FALLIBLE env_nsm_exchange(int fd, struct bytes request, uint8_t *answer, size_t cap,
                                 size_t *n)
{
    struct deadline until = deadline_in(NSM_MS);
    uint8_t head[4] = { (uint8_t)(request.n >> 24), (uint8_t)(request.n >> 16),
                        (uint8_t)(request.n >> 8), (uint8_t)request.n };

    TRY(fd_write_all(fd, BYTES_OF(head), until));
    TRY(fd_write_all(fd, request, until));
    TRY(fd_read_all(fd, head, sizeof(head), until));
    *n = (size_t)head[0] << 24 | (size_t)head[1] << 16 | (size_t)head[2] << 8 | head[3];
    ENSURE(*n <= cap, ERR_DEVICE, "security module: answer is larger than 12 KiB");
    return fd_read_all(fd, answer, *n, until);
}

static FALLIBLE env_nsm_call(int nsm_fd, struct bytes request, uint8_t *answer, size_t cap,
                             size_t *n)
{
    struct err e;

    (void)pthread_mutex_lock(&nsm_lock);
    e = nsm_lost ? FAIL(ERR_DEVICE, "security module: out of step")
                 : env_nsm_exchange(nsm_fd, request, answer, cap, n);
    nsm_lost = e.code != ERR_NONE;
    (void)pthread_mutex_unlock(&nsm_lock);
    // Whatever went wrong, to the vault it is the device that failed.
    ENSURE(!e.code, ERR_DEVICE, "security module: no answer");
    return OK;
}

// The emulator connects to a Unix socket on its own machine and answers at once, so the wait for
// its answer has a limit of its own: given up earlier, the answer would be taken for that of the
// next call.
static FALLIBLE env_dial_exchange(int dial_fd, uint32_t port, int *fd)
{
    struct deadline until = deadline_in(DIAL_MS);
    uint8_t wanted[4] = { (uint8_t)(port >> 24), (uint8_t)(port >> 16), (uint8_t)(port >> 8),
                          (uint8_t)port };
    uint8_t tag = 0;
    struct err e;

    TRY(fd_write_all(dial_fd, BYTES_OF(wanted), until));
    e = fd_receive_fd(dial_fd, &tag, fd, until);
    ENSURE(tag != 'E', ERR_UNREACHABLE, "nobody listens on that port of the parent");
    return e;
}

static FALLIBLE env_dial(int dial_fd, uint32_t port, int *fd, struct deadline until)
{
    struct err e;

    ENSURE(deadline_left_ms(until) > 0, ERR_TIMEOUT, "no answer in time");
    (void)pthread_mutex_lock(&dial_lock);
    e = env_dial_exchange(dial_fd, port, fd);
    (void)pthread_mutex_unlock(&dial_lock);
    return e;
}

static FALLIBLE env_boot(void)
{
    return OK;
}

static void env_end(void)
{
}

const struct env env_this = {
    .name = "emulated",
    .open_nsm = env_open_nsm,
    .open_link = env_open_link,
    .nsm_call = env_nsm_call,
    .dial = env_dial,
    .boot = env_boot,
    .end = env_end,
};
