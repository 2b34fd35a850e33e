// SPDX-License-Identifier: Apache-2.0
// File descriptors: release by attribute, whole reads and writes with a deadline.
#pragma once

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/err.h"

// Closes *fd when it is not negative and sets it to -1: `AUTO(fd_close) int fd = -1;`.
void fd_close(int *fd);
FALLIBLE fd_set_nonblock(int fd);
// Reads exactly n bytes from a stream. ERR_CLOSED at an early end, ERR_TIMEOUT, ERR_IO.
FALLIBLE fd_read_all(int fd, void *out, size_t n, struct deadline until);
// Writes everything, never raising SIGPIPE on sockets. ERR_CLOSED, ERR_TIMEOUT, ERR_IO.
FALLIBLE fd_write_all(int fd, struct bytes b, struct deadline until);
// Waits until `events` (POLLIN, POLLOUT) are there. ERR_TIMEOUT or ERR_IO otherwise.
FALLIBLE fd_wait(int fd, short events, struct deadline until);
// Sends or receives one byte with one descriptor attached (SCM_RIGHTS). The received one is
// close-on-exec and belongs to the caller. ERR_CLOSED at the end of the stream.
FALLIBLE fd_send_fd(int channel, uint8_t tag, int fd, struct deadline until);
FALLIBLE fd_receive_fd(int channel, uint8_t *tag, int *fd, struct deadline until);
// The whole of a small file, at most cap bytes, opened without following a symbolic link.
FALLIBLE fd_read_file(const char *path, uint8_t *out, size_t cap, size_t *n);
