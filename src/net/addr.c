// SPDX-License-Identifier: Apache-2.0
// Addresses and the sockets behind them. Texts come from configuration and command lines and are
// checked all the same. Every connection attempt ends at the deadline; only the resolver, which has
// timeouts of its own, is outside it, and only for names (never for literal addresses).
#include "net/addr.h"

#include "base/fd.h"
#include "base/must.h"
#include "base/u256.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define BACKLOG       1024 // a burst of clients, or what the kernel allows
#define BUSY_SLEEP_MS 5

union addr_socket {
    struct sockaddr any;
    struct sockaddr_un un;
    struct sockaddr_vm vm;
    struct sockaddr_in in;
    struct sockaddr_in6 in6;
    struct sockaddr_storage storage;
};

static FALLIBLE addr_parse_vsock(struct addr *out, struct bytes rest);
static FALLIBLE addr_parse_unix(struct addr *out, struct bytes rest);
static FALLIBLE addr_parse_tcp(struct addr *out, struct bytes rest);

bool addr_scheme(struct bytes *rest, const char *text, const char *scheme)
{
    size_t n = strlen(scheme);

    if (strncmp(text, scheme, n) != 0)
        return false;
    *rest = bytes_str(text + n);
    return true;
}

struct err addr_parse(struct addr *out, const char *text)
{
    struct bytes rest;

    *out = (struct addr) { 0 };
    if (addr_scheme(&rest, text, "vsock://"))
        return addr_parse_vsock(out, rest);
    if (addr_scheme(&rest, text, "unix://"))
        return addr_parse_unix(out, rest);
    if (addr_scheme(&rest, text, "tcp://"))
        return addr_parse_tcp(out, rest);
    return FAIL(ERR_MALFORMED, "address: expected vsock://, unix:// or tcp://");
}

static struct err addr_parse_number(uint32_t *out, struct bytes text, uint32_t most)
{
    struct u256 wide;
    uint64_t value;

    ENSURE(u256_parse_decimal(&wide, text).code == ERR_NONE, ERR_MALFORMED,
           "address: expected decimal numbers for CID and port");
    ENSURE(u256_to_u64(&value, wide).code == ERR_NONE && value <= most, ERR_MALFORMED,
           "address: CID or port is too large");
    *out = (uint32_t)value;
    return OK;
}

// Splits at the last colon, which an address in brackets may hold too.
static struct err addr_split(struct bytes *host, struct bytes *port, struct bytes text)
{
    const uint8_t *colon = text.n ? memrchr(text.p, ':', text.n) : NULL;

    ENSURE(colon, ERR_MALFORMED, "address: port is missing");
    *host = bytes_take(text, (size_t)(colon - text.p));
    *port = bytes_skip(text, host->n + 1);
    return OK;
}

static struct err addr_parse_vsock(struct addr *out, struct bytes rest)
{
    struct bytes cid, port;

    out->kind = ADDR_VSOCK;
    TRY(addr_split(&cid, &port, rest));
    if (bytes_equal_str(cid, "any"))
        out->cid = VMADDR_CID_ANY;
    else
        TRY(addr_parse_number(&out->cid, cid, UINT32_MAX));
    return addr_parse_number(&out->port, port, UINT32_MAX);
}

static struct err addr_parse_unix(struct addr *out, struct bytes rest)
{
    out->kind = ADDR_UNIX;
    ENSURE(rest.n > 1 && rest.p[0] == '/', ERR_MALFORMED, "address: expected unix:///path");
    ENSURE(rest.n < sizeof(((struct sockaddr_un *)0)->sun_path), ERR_TOO_LARGE,
           "address: path of a Unix socket exceeds 107 bytes");
    ENSURE(bytes_to_str(rest, out->host, sizeof(out->host)), ERR_MALFORMED,
           "address: path holds NUL");
    return OK;
}

static bool addr_is_name(struct bytes host)
{
    for (size_t i = 0; i < host.n; i++) {
        uint8_t c = host.p[i] | 0x20;
        bool is_alnum = (c >= 'a' && c <= 'z') || (host.p[i] >= '0' && host.p[i] <= '9');

        if (!is_alnum && !memchr("-._", host.p[i], 3))
            return false;
    }
    return host.n > 0 && host.p[0] != '-';
}

static struct err addr_parse_tcp(struct addr *out, struct bytes rest)
{
    struct in6_addr ip;
    struct bytes host, port;
    bool is_ipv6;

    out->kind = ADDR_TCP;
    TRY(addr_split(&host, &port, rest));
    is_ipv6 = host.n > 2 && host.p[0] == '[' && host.p[host.n - 1] == ']';
    if (is_ipv6)
        host = bytes_of(host.p + 1, host.n - 2);
    ENSURE(bytes_to_str(host, out->host, sizeof(out->host)), ERR_MALFORMED,
           "address: host exceeds 255 bytes");
    ENSURE(is_ipv6 ? inet_pton(AF_INET6, out->host, &ip) == 1 : addr_is_name(host), ERR_MALFORMED,
           "address: expected a name, an IPv4 address or [IPv6] as host");
    return addr_parse_number(&out->port, port, UINT16_MAX);
}

void addr_format(char *out, size_t cap, const struct addr *addr)
{
    bool is_ipv6 = strchr(addr->host, ':') != NULL;

    if (addr->kind == ADDR_UNIX)
        (void)snprintf(out, cap, "unix://%s", addr->host);
    else if (addr->kind == ADDR_TCP)
        (void)snprintf(out, cap, is_ipv6 ? "tcp://[%s]:%u" : "tcp://%s:%u", addr->host,
                       (unsigned)addr->port);
    else if (addr->cid == VMADDR_CID_ANY)
        (void)snprintf(out, cap, "vsock://any:%u", (unsigned)addr->port);
    else
        (void)snprintf(out, cap, "vsock://%u:%u", (unsigned)addr->cid, (unsigned)addr->port);
}

static struct err addr_socket_new(int *fd, int family)
{
    *fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ENSURE(*fd >= 0, ERR_IO, "socket failed");
    return OK;
}

// The kernel's own limit for a vsock connection is 2 s; the deadline takes its place.
static void addr_set_options(int fd, int family, struct deadline until)
{
    int left_ms = deadline_left_ms(until);
    struct timeval left = { .tv_sec = left_ms / 1000 + 1 };
    int on = 1;

    if (family == AF_VSOCK)
        (void)setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &left, sizeof(left));
    if (family == AF_INET || family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

// A Unix socket whose queue is full says EAGAIN, and poll cannot wait for room: try again.
static int addr_connect_once(int fd, const struct sockaddr *to, socklen_t n, struct deadline until)
{
    while (connect(fd, to, n) != 0) {
        bool is_full = errno == EAGAIN && to->sa_family == AF_UNIX;

        if (!is_full || deadline_left_ms(until) == 0)
            return errno;
        (void)poll(NULL, 0, BUSY_SLEEP_MS);
    }
    return 0;
}

static int addr_socket_error(int fd)
{
    int error = 0;
    socklen_t n = sizeof(error);

    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) == 0 ? error : EIO;
}

static struct err addr_connect(int *out, const struct sockaddr *to, socklen_t n,
                               struct deadline until)
{
    AUTO(fd_close) int fd = -1;
    int error = 0;

    TRY(addr_socket_new(&fd, to->sa_family));
    addr_set_options(fd, to->sa_family, until);
    error = addr_connect_once(fd, to, n, until);
    if (error == EINPROGRESS || error == EINTR) {
        TRY(fd_wait(fd, POLLOUT, until));
        error = addr_socket_error(fd);
    }
    ENSURE(error != ETIMEDOUT && error != EAGAIN, ERR_TIMEOUT, "connection: no answer in time");
    ENSURE(error == 0, ERR_UNREACHABLE, "connection: nobody listens at the address");
    *out = fd;
    fd = -1;
    return OK;
}

static void addr_free_info(struct addrinfo **info)
{
    if (*info)
        freeaddrinfo(*info);
    *info = NULL;
}

static struct err addr_resolve(struct addrinfo **out, const struct addr *addr, int flags)
{
    struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV };
    char port[8];

    *out = NULL;
    (void)snprintf(port, sizeof(port), "%u", (unsigned)addr->port);
    ENSURE(getaddrinfo(addr->host, port, &hints, out) == 0 && *out, ERR_UNREACHABLE,
           "address: host name does not resolve");
    return OK;
}

// Every address of the name in turn; each gets its share of the time that is left.
static struct err addr_dial_tcp(int *fd, const struct addr *addr, struct deadline until)
{
    AUTO(addr_free_info) struct addrinfo *all = NULL;
    struct err err = FAIL(ERR_UNREACHABLE, "address: host name does not resolve");
    int left = 0;

    TRY(addr_resolve(&all, addr, 0));
    for (const struct addrinfo *at = all; at; at = at->ai_next)
        left++;
    for (const struct addrinfo *at = all; at; at = at->ai_next, left--) {
        struct deadline share = deadline_in(deadline_left_ms(until) / left);

        err = addr_connect(fd, at->ai_addr, at->ai_addrlen, share);
        if (!err.code)
            return OK;
    }
    return err;
}

// The socket address of a vsock or Unix address.
static struct err addr_to_socket(union addr_socket *out, socklen_t *n, const struct addr *addr)
{
    *out = (union addr_socket) { .storage = { 0 } };
    if (addr->kind == ADDR_VSOCK) {
        out->vm.svm_family = AF_VSOCK;
        out->vm.svm_cid = addr->cid;
        out->vm.svm_port = addr->port;
        *n = sizeof(out->vm);
        return OK;
    }
    out->un.sun_family = AF_UNIX;
    *n = sizeof(out->un);
    ENSURE(bytes_to_str(bytes_str(addr->host), out->un.sun_path, sizeof(out->un.sun_path)),
           ERR_TOO_LARGE, "address: path of a Unix socket exceeds 107 bytes");
    return OK;
}

struct err addr_dial(int *fd, const struct addr *addr, struct deadline until)
{
    union addr_socket to;
    socklen_t n;

    *fd = -1;
    if (addr->kind == ADDR_TCP)
        return addr_dial_tcp(fd, addr, until);
    TRY(addr_to_socket(&to, &n, addr));
    return addr_connect(fd, &to.any, n, until);
}

struct err addr_begin(int *out, const struct addr *addr, struct deadline until)
{
    AUTO(fd_close) int fd = -1;
    union addr_socket to;
    socklen_t n;

    *out = -1;
    ENSURE(addr->kind != ADDR_TCP, ERR_UNSUPPORTED, "address: expected vsock or a Unix socket");
    TRY(addr_to_socket(&to, &n, addr));
    TRY(addr_socket_new(&fd, to.any.sa_family));
    addr_set_options(fd, to.any.sa_family, until);
    ENSURE(connect(fd, &to.any, n) == 0 || errno == EINPROGRESS, ERR_UNREACHABLE,
           "connection: nobody listens at the address");
    *out = fd;
    fd = -1;
    return OK;
}

struct err addr_begun(int fd)
{
    ENSURE(addr_socket_error(fd) == 0, ERR_UNREACHABLE,
           "connection: nobody listens at the address");
    return OK;
}

// Makes room for a Unix socket: removes a socket file that nobody listens on, and nothing else.
static struct err addr_remove_stale(const struct sockaddr_un *un)
{
    AUTO(fd_close) int fd = -1;
    struct stat status;

    if (lstat(un->sun_path, &status) != 0)
        return OK;
    ENSURE(S_ISSOCK(status.st_mode), ERR_EXISTS, "address: the path exists and is no socket");
    TRY(addr_socket_new(&fd, AF_UNIX));
    ENSURE(connect(fd, (const struct sockaddr *)un, sizeof(*un)) != 0 && errno == ECONNREFUSED,
           ERR_EXISTS, "address: another program listens on the Unix socket");
    ENSURE(unlink(un->sun_path) == 0, ERR_IO, "address: stale socket cannot be removed");
    return OK;
}

// Reads back which port the kernel chose.
static struct err addr_bound_port(int fd, struct addr *bound)
{
    union addr_socket at = { .storage = { 0 } };
    socklen_t n = sizeof(at);

    ENSURE(getsockname(fd, &at.any, &n) == 0, ERR_IO, "getsockname failed");
    if (at.any.sa_family == AF_INET)
        bound->port = ntohs(at.in.sin_port);
    if (at.any.sa_family == AF_INET6)
        bound->port = ntohs(at.in6.sin6_port);
    return OK;
}

static struct err addr_bind(int *out, const struct sockaddr *at, socklen_t n)
{
    AUTO(fd_close) int fd = -1;
    int on = 1;

    TRY(addr_socket_new(&fd, at->sa_family));
    if (at->sa_family == AF_INET || at->sa_family == AF_INET6)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
    // Linux gives the socket file the mode of the socket's own inode: no moment of a wider mode,
    // and no umask that other threads would share.
    if (at->sa_family == AF_UNIX)
        ENSURE(fchmod(fd, 0600) == 0, ERR_IO, "address: mode of the socket cannot be set");
    ENSURE(bind(fd, at, n) == 0, errno == EADDRINUSE ? ERR_EXISTS : ERR_IO, "address: bind failed");
    ENSURE(listen(fd, BACKLOG) == 0, ERR_IO, "address: listen failed");
    *out = fd;
    fd = -1;
    return OK;
}

static struct err addr_listen_tcp(int *fd, const struct addr *addr, struct addr *bound)
{
    AUTO(addr_free_info) struct addrinfo *all = NULL;
    struct err err = FAIL(ERR_IO, "address: bind failed");

    TRY(addr_resolve(&all, addr, AI_PASSIVE));
    for (const struct addrinfo *at = all; at && err.code; at = at->ai_next)
        err = addr_bind(fd, at->ai_addr, at->ai_addrlen);
    TRY(err);
    *bound = *addr;
    return addr_bound_port(*fd, bound);
}

struct err addr_listen(int *fd, const struct addr *addr, struct addr *bound)
{
    union addr_socket at;
    socklen_t n;

    *fd = -1;
    if (addr->kind == ADDR_TCP)
        return addr_listen_tcp(fd, addr, bound);
    TRY(addr_to_socket(&at, &n, addr));
    if (addr->kind == ADDR_UNIX)
        TRY(addr_remove_stale(&at.un));
    TRY(addr_bind(fd, &at.any, n));
    *bound = *addr;
    return OK;
}

bool addr_is_local(const struct addr *addr)
{
    struct in_addr v4;
    struct in6_addr v6;

    if (addr->kind != ADDR_TCP)
        return addr->kind == ADDR_UNIX;
    if (inet_pton(AF_INET, addr->host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, addr->host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return strcmp(addr->host, "localhost") == 0;
}
