// SPDX-License-Identifier: Apache-2.0
// base/fd.h and base/deadline.h: whole reads and writes, every wait ends, and descriptors cross
// with nothing left open.
#include "base/fd.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "expect.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOON 30 // milliseconds
#define LATE 10000

static int pair[2];

static int open_pair(void **state)
{
    (void)state;
    return socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair);
}

static int close_pair(void **state)
{
    (void)state;
    fd_close(&pair[0]);
    fd_close(&pair[1]);
    return 0;
}

static void deadlines(void **state)
{
    int64_t before = deadline_now_ms();
    struct deadline soon = deadline_in(SOON), late = deadline_in(LATE);
    int left = deadline_left_ms(late);

    (void)state;
    assert_true(before > 0 && deadline_now_ms() >= before);
    assert_true(left > LATE - 5000 && left <= LATE);
    assert_int_equal(deadline_left_ms(deadline_in(0)), 0);
    assert_int_equal(deadline_left_ms(deadline_in(-1)), 0);
    assert_int_equal(deadline_left_ms(deadline_in(INT64_MIN / 2)), 0);
    assert_int_equal(deadline_left_ms(deadline_in(INT64_MAX / 2)), INT_MAX);
    assert_int_equal(deadline_min(soon, late).at_ms, soon.at_ms);
    assert_int_equal(deadline_min(late, soon).at_ms, soon.at_ms);
}

static void closes(void **state)
{
    int fd = dup(pair[0]), none = -1;
    int was = fd;

    (void)state;
    fd_close(&fd);
    assert_int_equal(fd, -1);
    assert_int_equal(fcntl(was, F_GETFD), -1);
    fd_close(&fd);
    fd_close(&none);
}

static void flags(void **state)
{
    (void)state;
    expect_ok("nonblock", fd_set_nonblock(pair[0]));
    assert_true(fcntl(pair[0], F_GETFL) & O_NONBLOCK);
    expect_err("no descriptor", fd_set_nonblock(-1), ERR_IO, NULL);
}

static void reads_all(void **state)
{
    uint8_t out[6] = { 0 };

    (void)state;
    assert_int_equal(write(pair[0], "abc", 3), 3);
    expect_err("half", fd_read_all(pair[1], out, 6, deadline_in(SOON)), ERR_TIMEOUT, NULL);
    assert_int_equal(write(pair[0], "abcdef", 6), 6);
    expect_ok("whole", fd_read_all(pair[1], out, 6, deadline_in(LATE)));
    assert_memory_equal(out, "abcdef", 6);
    expect_ok("nothing", fd_read_all(pair[1], out, 0, deadline_in(0)));
    expect_err("time is over", fd_read_all(pair[1], out, 1, deadline_in(-5)), ERR_TIMEOUT, NULL);
    assert_int_equal(write(pair[0], "abc", 3), 3);
    fd_close(&pair[0]);
    expect_err("early end", fd_read_all(pair[1], out, 6, deadline_in(LATE)), ERR_CLOSED, NULL);
    expect_err("no descriptor", fd_read_all(INT_MAX, out, 1, deadline_in(LATE)), ERR_IO, NULL);
}

static void writes_all(void **state)
{
    static uint8_t large[8 << 20];
    uint8_t out[3];
    int files[2];

    (void)state;
    expect_ok("socket", fd_write_all(pair[0], BYTES_LIT("abc"), deadline_in(LATE)));
    expect_ok("nothing", fd_write_all(pair[0], BYTES_NONE, deadline_in(0)));
    expect_ok("read", fd_read_all(pair[1], out, 3, deadline_in(LATE)));
    assert_memory_equal(out, "abc", 3);
    expect_err("nobody reads", fd_write_all(pair[0], BYTES_OF(large), deadline_in(SOON)),
               ERR_TIMEOUT, NULL);
    fd_close(&pair[1]);
    // SIGPIPE has its usual action here: it would end the test.
    expect_err("closed", fd_write_all(pair[0], BYTES_LIT("abc"), deadline_in(LATE)), ERR_CLOSED,
               NULL);
    assert_int_equal(pipe2(files, O_CLOEXEC), 0);
    expect_ok("pipe", fd_write_all(files[1], BYTES_LIT("abc"), deadline_in(LATE)));
    expect_err("wrong end", fd_write_all(files[0], BYTES_LIT("abc"), deadline_in(LATE)), ERR_IO,
               NULL);
    fd_close(&files[0]);
    fd_close(&files[1]);
}

static void waits(void **state)
{
    (void)state;
    expect_ok("writable", fd_wait(pair[0], POLLOUT, deadline_in(0)));
    expect_err("nothing to read", fd_wait(pair[0], POLLIN, deadline_in(SOON)), ERR_TIMEOUT, NULL);
    assert_int_equal(write(pair[1], "a", 1), 1);
    expect_ok("readable", fd_wait(pair[0], POLLIN, deadline_in(LATE)));
}

static void passes_descriptors(void **state)
{
    int files[2], got = -1;
    uint8_t tag = 0, byte = 0;

    (void)state;
    assert_int_equal(pipe2(files, O_CLOEXEC), 0);
    expect_ok("send", fd_send_fd(pair[0], 'C', files[0], deadline_in(LATE)));
    expect_ok("receive", fd_receive_fd(pair[1], &tag, &got, deadline_in(LATE)));
    assert_int_equal(tag, 'C');
    assert_int_equal(fcntl(got, F_GETFD), FD_CLOEXEC);
    assert_int_equal(write(files[1], "x", 1), 1);
    expect_ok("same pipe", fd_read_all(got, &byte, 1, deadline_in(LATE)));
    assert_int_equal(byte, 'x');
    fd_close(&got);
    fd_close(&files[0]);
    fd_close(&files[1]);
}

static void refuses_descriptors(void **state)
{
    int got = -1;
    uint8_t tag = 0;

    (void)state;
    expect_err("nothing comes", fd_receive_fd(pair[1], &tag, &got, deadline_in(SOON)), ERR_TIMEOUT,
               NULL);
    assert_int_equal(write(pair[0], "C", 1), 1);
    expect_err("a byte alone", fd_receive_fd(pair[1], &tag, &got, deadline_in(LATE)), ERR_MALFORMED,
               NULL);
    expect_err("not a descriptor", fd_send_fd(pair[0], 'C', INT_MAX, deadline_in(LATE)), ERR_IO,
               NULL);
    fd_close(&pair[0]);
    expect_err("end", fd_receive_fd(pair[1], &tag, &got, deadline_in(LATE)), ERR_CLOSED, NULL);
    expect_err("send to nobody", fd_send_fd(pair[1], 'C', 0, deadline_in(LATE)), ERR_CLOSED, NULL);
    assert_int_equal(got, -1);
}

static void reads_files(void **state)
{
    char dir[] = "/tmp/cloister-fd-XXXXXX", file[64], link[64];
    uint8_t out[8];
    size_t n = 99;
    AUTO(fd_close) int fd = -1;

    (void)state;
    assert_non_null(mkdtemp(dir));
    (void)snprintf(file, sizeof(file), "%s/file", dir);
    (void)snprintf(link, sizeof(link), "%s/link", dir);
    expect_err("no file", fd_read_file(file, out, sizeof(out), &n), ERR_NOT_FOUND, NULL);
    fd = open(file, O_CREAT | O_WRONLY | O_CLOEXEC, 0600);
    expect_ok("empty", fd_read_file(file, out, sizeof(out), &n));
    assert_int_equal(n, 0);
    assert_int_equal(write(fd, "12345678", 8), 8);
    expect_ok("full", fd_read_file(file, out, sizeof(out), &n));
    assert_int_equal(n, 8);
    assert_memory_equal(out, "12345678", 8);
    expect_err("larger", fd_read_file(file, out, 7, &n), ERR_TOO_LARGE, NULL);
    assert_int_equal(symlink(file, link), 0);
    expect_err("symbolic link", fd_read_file(link, out, sizeof(out), &n), ERR_IO, NULL);
    expect_err("directory", fd_read_file(dir, out, sizeof(out), &n), ERR_IO, NULL);
    assert_int_equal(unlink(link) + unlink(file) + rmdir(dir), 0);
}

#define WITH_PAIR(test) cmocka_unit_test_setup_teardown(test, open_pair, close_pair)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadlines),
        WITH_PAIR(closes),
        WITH_PAIR(flags),
        WITH_PAIR(reads_all),
        WITH_PAIR(writes_all),
        WITH_PAIR(waits),
        WITH_PAIR(passes_descriptors),
        WITH_PAIR(refuses_descriptors),
        cmocka_unit_test(reads_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
