// SPDX-License-Identifier: Apache-2.0
// The header that parent/tunnel.h writes for a client, byte by byte as "The PROXY protocol" of
// HAProxy has it in section 2.2.
#include "parent/tunnel.h"

#include "base/fd.h"
#include "base/hex.h"
#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "expect.h"
#include "fake_parent.h"

#define WAIT_MS 30000

static unsigned port_of(int fd, bool peer)
{
    struct sockaddr_storage at = { 0 };
    socklen_t n = sizeof(at);
    uint8_t port[2];

    assert_int_equal(peer ? getpeername(fd, (struct sockaddr *)&at, &n)
                          : getsockname(fd, (struct sockaddr *)&at, &n),
                     0);
    memcpy(port, (uint8_t *)&at + 2, 2); // where both families have it
    return (unsigned)port[0] << 8 | port[1];
}

static const struct {
    const char *name, *listen, *dial_host;
    const char *expected; // up to the ports of client and server
} headers[] = {
    { "IPv4", "tcp://127.0.0.1:0", "127.0.0.1",
      "0d0a0d0a000d0a515549540a"
      "2111000c"
      "7f0000017f000001" },
    { "IPv6", "tcp://[::1]:0", "::1",
      "0d0a0d0a000d0a515549540a"
      "21210024"
      "00000000000000000000000000000001"
      "00000000000000000000000000000001" },
    { "IPv4 on a socket for both", "tcp://[::]:0", "127.0.0.2",
      "0d0a0d0a000d0a515549540a"
      "2111000c"
      "7f0000017f000002" },
};

// Whether this machine has it at all.
static bool has_ipv6(void)
{
    AUTO(fd_close) int fd = -1;
    struct addr at, bound;

    return !addr_parse(&at, "tcp://[::1]:0").code && !addr_listen(&fd, &at, &bound).code;
}

static void of_tcp(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(headers); i++) {
        if (strchr(headers[i].listen, '[') && !has_ipv6())
            continue;
        AUTO(fd_close) int listener = -1;
        AUTO(fd_close) int client = -1;
        AUTO(fd_close) int server = -1;
        struct addr at, bound;
        char wanted[128], hex[2 * 64 + 1];
        uint8_t head[64];
        struct wr wr = WR_OF(head);

        expect_ok(headers[i].name, addr_parse(&at, headers[i].listen));
        expect_ok(headers[i].name, addr_listen(&listener, &at, &bound));
        (void)snprintf(bound.host, sizeof(bound.host), "%s", headers[i].dial_host);
        expect_ok(headers[i].name, addr_dial(&client, &bound, deadline_in(WAIT_MS)));
        expect_ok(headers[i].name, fd_wait(listener, POLLIN, deadline_in(WAIT_MS)));
        server = accept(listener, NULL, NULL);
        tunnel_write_source(&wr, server);
        (void)snprintf(wanted, sizeof(wanted), "%s%04x%04x", headers[i].expected,
                       port_of(client, false), port_of(client, true));
        hex_encode(hex, wr_done(&wr));
        assert_string_equal(hex, wanted);
    }
}

static void of_others(void **state)
{
    uint8_t head[64];
    struct wr wr = WR_OF(head);
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    tunnel_write_source(&wr, pair[0]);
    tunnel_write_source(&wr, -1);
    assert_int_equal(wr.len, 0);
    fd_close(&pair[0]);
    fd_close(&pair[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(of_tcp),
        cmocka_unit_test(of_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
