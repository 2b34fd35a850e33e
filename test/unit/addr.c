// SPDX-License-Identifier: Apache-2.0
// net/addr.h: texts, and sockets on loopback and in a folder of their own. No vsock is connected.
#include "net/addr.h"

#include "base/fd.h"
#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "expect.h"

static char folder[] = "/tmp/cloister-addr-XXXXXX";

static void parsed_and_formatted(void **state)
{
    static const struct {
        const char *text;
        enum addr_kind kind;
        uint32_t cid, port;
        const char *host;
        bool is_local;
    } cases[] = {
        { "vsock://16:5000", ADDR_VSOCK, 16, 5000, "", false },
        { "vsock://any:4294967295", ADDR_VSOCK, UINT32_MAX, UINT32_MAX, "", false },
        { "unix:///run/a b:c", ADDR_UNIX, 0, 0, "/run/a b:c", true },
        { "tcp://127.0.0.1:8080", ADDR_TCP, 0, 8080, "127.0.0.1", true },
        { "tcp://127.255.0.9:0", ADDR_TCP, 0, 0, "127.255.0.9", true },
        { "tcp://[::1]:65535", ADDR_TCP, 0, 65535, "::1", true },
        { "tcp://localhost:1", ADDR_TCP, 0, 1, "localhost", true },
        { "tcp://[2001:db8::2]:443", ADDR_TCP, 0, 443, "2001:db8::2", false },
        { "tcp://0.0.0.0:80", ADDR_TCP, 0, 80, "0.0.0.0", false },
        { "tcp://localhost.example:80", ADDR_TCP, 0, 80, "localhost.example", false },
        { "tcp://a-b_c.example.org:80", ADDR_TCP, 0, 80, "a-b_c.example.org", false },
    };
    struct addr addr;
    char text[300];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        expect_ok(cases[i].text, addr_parse(&addr, cases[i].text));
        assert_int_equal(addr.kind, cases[i].kind);
        assert_int_equal(addr.cid, cases[i].cid);
        assert_int_equal(addr.port, cases[i].port);
        assert_string_equal(addr.host, cases[i].host);
        assert_int_equal(addr_is_local(&addr), cases[i].is_local);
        addr_format(text, sizeof(text), &addr);
        assert_string_equal(text, cases[i].text);
    }
    addr_format(text, 8, &addr);
    assert_string_equal(text, "tcp://a");
}

static void refused(void **state)
{
    static const char *const cases[] = {
        "",
        "tcp",
        "http://a:1",
        "TCP://a:1",
        "tcp:/a:1",
        "tcp://",
        "tcp://a",
        "tcp://:1",
        "tcp://a:",
        "tcp://a:65536",
        "tcp://a:-1",
        "tcp://a:+1",
        "tcp://a: 1",
        "tcp://a:0x1",
        "tcp://a:01",
        "tcp://a:1/",
        "tcp://a b:1",
        "tcp://u@a:1",
        "tcp://-a:1",
        "tcp://a:b:1",
        "tcp://::1:1",
        "tcp://[]:1",
        "tcp://[::1:1",
        "tcp://[127.0.0.1]:1",
        "tcp://[::1%lo]:1",
        "unix://",
        "unix:///",
        "unix://relative",
        "unix://./relative",
        "vsock://",
        "vsock://3",
        "vsock://:5000",
        "vsock://3:",
        "vsock://host:5000",
        "vsock://4294967296:1",
        "vsock://1:4294967296",
        "vsock://-1:1",
        "vsock://1:2:3",
    };
    char long_text[400];
    struct addr addr;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_err(cases[i], addr_parse(&addr, cases[i]), ERR_MALFORMED, "address");
    memset(long_text, 'a', sizeof(long_text));
    memcpy(long_text, "unix:///", 8);
    long_text[7 + 108] = 0;
    expect_err("path of 108", addr_parse(&addr, long_text), ERR_TOO_LARGE, "107");
    long_text[7 + 107] = 0;
    expect_ok("path of 107", addr_parse(&addr, long_text));
    memset(long_text, 'a', sizeof(long_text));
    memcpy(long_text, "tcp://", 6);
    (void)snprintf(long_text + 6 + 256, 8, ":1");
    expect_err("host of 256", addr_parse(&addr, long_text), ERR_MALFORMED, "255");
}

// A byte each way between what was dialled and what was accepted.
static void check_connection(const struct addr *to, int listen_fd)
{
    AUTO(fd_close) int ours = -1;
    AUTO(fd_close) int theirs = -1;
    struct deadline until = deadline_in(5000);
    uint8_t byte = 0;

    expect_ok("dial", addr_dial(&ours, to, until));
    assert_true(fcntl(ours, F_GETFL) & O_NONBLOCK);
    assert_true(fcntl(ours, F_GETFD) & FD_CLOEXEC);
    expect_ok("wait", fd_wait(listen_fd, 1, until));
    theirs = accept(listen_fd, NULL, NULL);
    assert_true(theirs >= 0);
    expect_ok("write", fd_write_all(ours, BYTES_LIT("x"), until));
    expect_ok("read", fd_read_all(theirs, &byte, 1, until));
    assert_int_equal(byte, 'x');
}

static void tcp(void **state)
{
    static const char *const cases[] = { "tcp://127.0.0.1:0", "tcp://localhost:0" };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        AUTO(fd_close) int fd = -1;
        struct addr addr, bound;

        expect_ok(cases[i], addr_parse(&addr, cases[i]));
        expect_ok(cases[i], addr_listen(&fd, &addr, &bound));
        assert_true(bound.port > 0);
        assert_string_equal(bound.host, addr.host);
        assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        check_connection(&bound, fd);
    }
}

static void tcp_nobody_listens(void **state)
{
    struct addr addr, bound;
    int fd, ours;

    (void)state;
    expect_ok("text", addr_parse(&addr, "tcp://127.0.0.1:0"));
    expect_ok("listen", addr_listen(&fd, &addr, &bound));
    {
        AUTO(fd_close) int second = -1;

        expect_err("port in use", addr_listen(&second, &bound, &addr), ERR_EXISTS, "bind");
    }
    fd_close(&fd);
    expect_err("dial", addr_dial(&ours, &bound, deadline_in(2000)), ERR_UNREACHABLE, "listens");
    assert_int_equal(ours, -1);
    expect_ok("text", addr_parse(&addr, "tcp://no-such-host.invalid:1"));
    expect_err("name", addr_dial(&ours, &addr, deadline_in(2000)), ERR_UNREACHABLE, "resolve");
}

static void unix_address(struct addr *addr, const char *name)
{
    char text[300];

    (void)snprintf(text, sizeof(text), "unix://%s/%s", folder, name);
    expect_ok(text, addr_parse(addr, text));
}

static void unix_socket(void **state)
{
    AUTO(fd_close) int fd = -1;
    AUTO(fd_close) int second = -1;
    struct addr addr, bound;
    struct stat status;
    int ours;

    (void)state;
    unix_address(&addr, "a");
    expect_err("no file", addr_dial(&ours, &addr, deadline_in(1000)), ERR_UNREACHABLE, NULL);
    expect_ok("listen", addr_listen(&fd, &addr, &bound));
    assert_int_equal(stat(addr.host, &status), 0);
    assert_int_equal(status.st_mode & 0777, 0600);
    check_connection(&bound, fd);
    expect_err("in use", addr_listen(&second, &addr, &bound), ERR_EXISTS, "another program");
    fd_close(&fd);
    expect_err("stale", addr_dial(&ours, &addr, deadline_in(1000)), ERR_UNREACHABLE, NULL);
    expect_ok("stale file is replaced", addr_listen(&fd, &addr, &bound));
    check_connection(&bound, fd);
    assert_int_equal(unlink(addr.host), 0);
}

static void unix_refused(void **state)
{
    AUTO(fd_close) int file = -1;
    struct addr addr, bound;
    int fd;

    (void)state;
    unix_address(&addr, "file");
    file = open(addr.host, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    assert_true(file >= 0);
    expect_err("a file", addr_listen(&fd, &addr, &bound), ERR_EXISTS, "no socket");
    assert_int_equal(access(addr.host, F_OK), 0);
    assert_int_equal(unlink(addr.host), 0);
    unix_address(&addr, "missing/a");
    expect_err("no folder", addr_listen(&fd, &addr, &bound), ERR_IO, "bind");
    memset(addr.host, 'a', 200);
    expect_err("long path", addr_dial(&fd, &addr, deadline_in(100)), ERR_TOO_LARGE, "107");
}

// A full queue of a Unix socket is waited for until the deadline, not longer.
static void unix_full(void **state)
{
    AUTO(fd_close) int fd = -1;
    int held[8];
    size_t n = 0;
    struct addr addr, bound;
    struct err err = OK;
    int64_t before;

    (void)state;
    unix_address(&addr, "full");
    expect_ok("listen", addr_listen(&fd, &addr, &bound));
    assert_int_equal(listen(fd, 0), 0);
    before = deadline_now_ms();
    while (n < ARRAY_LEN(held) && !err.code)
        err = addr_dial(&held[n++], &addr, deadline_in(200));
    expect_err("full", err, ERR_TIMEOUT, NULL);
    assert_true(deadline_now_ms() - before < 30000);
    for (size_t i = 0; i < n; i++)
        fd_close(&held[i]);
    assert_int_equal(unlink(addr.host), 0);
}

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parsed_and_formatted),
        cmocka_unit_test(refused),
        cmocka_unit_test(tcp),
        cmocka_unit_test(tcp_nobody_listens),
        cmocka_unit_test(unix_socket),
        cmocka_unit_test(unix_refused),
        cmocka_unit_test(unix_full),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
