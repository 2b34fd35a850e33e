// SPDX-License-Identifier: Apache-2.0
// Addresses as text, one form for all programs: vsock://CID:PORT, unix:///path, tcp://HOST:PORT.
// HOST of tcp may be a name, an IPv4 address or [IPv6].
#pragma once

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum addr_kind { ADDR_VSOCK = 1, ADDR_UNIX, ADDR_TCP };

struct addr {
    enum addr_kind kind;
    uint32_t cid;   // vsock; UINT32_MAX: any
    uint32_t port;  // vsock, tcp
    char host[256]; // tcp: host without brackets; unix: path
};

// True when `text` starts with the scheme ("tcp://"); *rest is what follows it.
bool addr_scheme(struct bytes *rest, const char *text, const char *scheme);
FALLIBLE addr_parse(struct addr *out, const char *text);
// At most `cap` bytes with the closing NUL.
void addr_format(char *out, size_t cap, const struct addr *addr);
// A connected, non-blocking, close-on-exec socket (TCP_NODELAY set). Names are resolved in turn.
FALLIBLE addr_dial(int *fd, const struct addr *addr, struct deadline until);
// The same for vsock and Unix addresses without waiting: the socket becomes writable when the
// connection is made or has failed, which addr_begun tells. ERR_UNREACHABLE, also when the queue of
// a Unix socket is full.
FALLIBLE addr_begin(int *fd, const struct addr *addr, struct deadline until);
FALLIBLE addr_begun(int fd);
// A listening, non-blocking, close-on-exec socket. A Unix socket file that nobody listens on is
// replaced; its mode is 0600. tcp with port 0: the kernel chooses, and *bound says which.
FALLIBLE addr_listen(int *fd, const struct addr *addr, struct addr *bound);
// True for Unix sockets and for tcp hosts that are literal loopback addresses or "localhost".
bool addr_is_local(const struct addr *addr);
