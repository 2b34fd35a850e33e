// SPDX-License-Identifier: Apache-2.0
#include "base/fd.h"

#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

void fd_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

struct err fd_set_nonblock(int fd)
{
    int flags = fcntl(fd, F_GETFL);

    ENSURE(flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0, ERR_IO, "fcntl failed");
    return OK;
}

struct err fd_wait(int fd, short events, struct deadline until)
{
    struct pollfd p = { .fd = fd, .events = events };
    int ready;

    do {
        ready = poll(&p, 1, deadline_left_ms(until));
    } while (ready < 0 && errno == EINTR);
    ENSURE(ready != 0, ERR_TIMEOUT, "no answer in time");
    ENSURE(ready > 0, ERR_IO, "poll failed");
    return OK;
}

// After a call that returned -1: waits when it would have blocked, fails when it was an error.
static struct err fd_blocked(int fd, short events, struct deadline until)
{
    if (errno == EINTR)
        return OK;
    ENSURE(errno != EPIPE && errno != ECONNRESET, ERR_CLOSED, "connection was closed");
    ENSURE(errno == EAGAIN || errno == EWOULDBLOCK, ERR_IO, "read or write failed");
    return fd_wait(fd, events, until);
}

struct err fd_read_all(int fd, void *out, size_t n, struct deadline until)
{
    uint8_t *at = out;

    while (n > 0) {
        ssize_t got;

        TRY(fd_wait(fd, POLLIN, until));
        got = read(fd, at, n);
        if (got < 0) {
            TRY(fd_blocked(fd, POLLIN, until));
            continue;
        }
        ENSURE(got > 0, ERR_CLOSED, "connection was closed");
        at += got;
        n -= (size_t)got;
    }
    return OK;
}

static ssize_t fd_write_some(int fd, struct bytes b)
{
    ssize_t done = send(fd, b.p, b.n, MSG_NOSIGNAL | MSG_DONTWAIT);

    return done < 0 && errno == ENOTSOCK ? write(fd, b.p, b.n) : done;
}

struct err fd_write_all(int fd, struct bytes b, struct deadline until)
{
    while (b.n > 0) {
        ssize_t done = fd_write_some(fd, b);

        if (done < 0)
            TRY(fd_blocked(fd, POLLOUT, until));
        else
            b = bytes_skip(b, (size_t)done);
    }
    return OK;
}

union fd_control {
    char space[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
};

struct err fd_send_fd(int channel, uint8_t tag, int fd, struct deadline until)
{
    union fd_control control = { 0 };
    struct iovec iov = { &tag, 1 };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    struct cmsghdr *head;

    msg.msg_control = control.space;
    msg.msg_controllen = sizeof(control.space);
    head = CMSG_FIRSTHDR(&msg);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(head), &fd, sizeof(int));
    while (sendmsg(channel, &msg, MSG_NOSIGNAL) < 0)
        TRY(fd_blocked(channel, POLLOUT, until));
    return OK;
}

struct err fd_receive_fd(int channel, uint8_t *tag, int *fd, struct deadline until)
{
    union fd_control control = { 0 };
    struct iovec iov = { tag, 1 };
    struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
    struct cmsghdr *head;
    ssize_t got;

    msg.msg_control = control.space;
    msg.msg_controllen = sizeof(control.space);
    do {
        TRY(fd_wait(channel, POLLIN, until));
        got = recvmsg(channel, &msg, MSG_CMSG_CLOEXEC);
        if (got < 0)
            TRY(fd_blocked(channel, POLLIN, until));
    } while (got < 0);
    ENSURE(got == 1, ERR_CLOSED, "channel was closed");
    head = CMSG_FIRSTHDR(&msg);
    ENSURE(head && head->cmsg_type == SCM_RIGHTS && head->cmsg_len == CMSG_LEN(sizeof(int)),
           ERR_MALFORMED, "channel: expected a descriptor");
    memcpy(fd, CMSG_DATA(head), sizeof(int));
    return OK;
}

struct err fd_read_file(const char *path, uint8_t *out, size_t cap, size_t *n)
{
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    uint8_t more;

    ENSURE(fd >= 0, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "file cannot be opened");
    *n = 0;
    for (;;) {
        bool full = *n == cap;
        ssize_t got = read(fd, full ? &more : out + *n, full ? 1 : cap - *n);

        ENSURE(got >= 0, ERR_IO, "file cannot be read");
        if (got == 0)
            return OK;
        ENSURE(!full, ERR_TOO_LARGE, "file is larger than expected");
        *n += (size_t)got;
    }
}
