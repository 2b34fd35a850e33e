// SPDX-License-Identifier: Apache-2.0
// emu/vm.h and emu/env_emulated.c against each other: this program starts itself as the enclave,
// which reaches everything through the production seam (enclave/env.h).
#include "emu/vm.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/fd.h"
#include "emu_scene.h"
#include "enclave/env.h"
#include "net/addr.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define WAIT_MS 30000

static struct vm *vm;
static char self[DISK_PATH_MAX];

// The enclave's side: each connection to one of its ports carries one letter and gets an answer.

static void child_dial(struct wr *out)
{
    int fd = -1;
    struct err e = env_this.dial(5, 8000, &fd, deadline_in(WAIT_MS));

    if (!e.code && fcntl(fd, F_GETFL) & O_NONBLOCK)
        e = fd_write_all(fd, BYTES_LIT("from the enclave"), deadline_in(WAIT_MS));
    fd_close(&fd);
    wr_str(out, err_name(e.code));
}

static void child_ask_nsm(int nsm, struct wr *out)
{
    uint8_t answer[NSMDEV_RESPONSE_MAX];
    size_t n = 0;
    struct err e = env_this.nsm_call(nsm,
                                     BYTES_LIT("\x6b"
                                               "DescribeNSM"),
                                     answer, sizeof(answer), &n);

    wr_bytes(out, e.code ? bytes_str(err_name(e.code)) : bytes_of(answer, n));
}

static void child_describe(struct wr *out, int connection)
{
    bool clean = !*environ;

    for (int fd = 7; fd < 1024; fd++)
        clean = clean && (fd == connection || fcntl(fd, F_GETFD) < 0);
    wr_str(out, clean ? "clean" : "not clean");
}

static FALLIBLE child_serve(int nsm, const struct env_link *link)
{
    struct pollfd polled[] = { { link->control, POLLIN, 0 }, { link->data, POLLIN, 0 } };
    uint8_t letter, text[4096];
    struct wr out = WR_OF(text);

    ENSURE(poll(polled, ARRAY_LEN(polled), WAIT_MS) > 0, ERR_TIMEOUT, "nobody asks");
    bool is_data = !polled[0].revents;
    AUTO(fd_close) int fd = accept4(polled[is_data].fd, NULL, NULL, SOCK_CLOEXEC);
    TRY(fd_read_all(fd, &letter, 1, deadline_in(WAIT_MS)));
    if (letter == 'x')
        _exit(7);
    if (letter == 'd')
        child_dial(&out);
    if (letter == 'n')
        child_ask_nsm(nsm, &out);
    if (letter == 'c')
        child_describe(&out, fd);
    if (letter == 'p')
        wr_str(&out, is_data ? "data" : "control");
    if (fcntl(link->control, F_GETFL) & fcntl(link->data, F_GETFL) & O_NONBLOCK)
        wr_u8(&out, '.');
    return fd_write_all(fd, wr_done(&out), deadline_in(WAIT_MS));
}

static int child(void)
{
    struct env_link link;
    int nsm;

    if (env_this.open_nsm(&nsm).code || env_this.open_link(&link).code || env_this.boot().code)
        return 1;
    while (!child_serve(nsm, &link).code)
        ;
    return 2;
}

// The test's side.

static int start(void **state)
{
    struct nsmdev_options options = scene_options();
    struct vm_options vm_options = { scene_dir, self };
    struct nsmdev *nsm = NULL;
    char path[DISK_PATH_MAX];

    (void)state;
    expect_ok("path", disk_path(path, sizeof(path), scene_dir, "link"));
    expect_ok("link", disk_make_dir(path));
    expect_ok("module", nsmdev_new(&nsm, &options));
    expect_ok("start", vm_start(&vm, &vm_options, nsm));
    return 0;
}

static int stop(void **state)
{
    (void)state;
    vm_stop(&vm, 0);
    return 0;
}

static void link_addr(struct addr *addr, unsigned port)
{
    *addr = (struct addr) { .kind = ADDR_UNIX };
    (void)snprintf(addr->host, sizeof(addr->host), "%.200s/link/%u", scene_dir, port);
}

static struct err ask_port(unsigned port, char letter, char out[static 4096])
{
    AUTO(fd_close) int fd = -1;
    struct addr addr;
    ssize_t got;
    size_t n = 0;

    link_addr(&addr, port);
    TRY(addr_dial(&fd, &addr, deadline_in(WAIT_MS)));
    TRY(fd_write_all(fd, bytes_of(&letter, 1), deadline_in(WAIT_MS)));
    do {
        TRY(fd_wait(fd, POLLIN, deadline_in(WAIT_MS)));
        got = read(fd, out + n, 4095 - n);
        n += got > 0 ? (size_t)got : 0;
    } while (got > 0);
    out[n] = 0;
    return OK;
}

static struct err ask(char letter, char out[static 4096])
{
    return ask_port(ENV_CONTROL_PORT, letter, out);
}

static void inherits_nothing(void **state)
{
    char text[4096];

    (void)state;
    expect_ok("ask", ask('c', text));
    assert_string_equal(text, "clean.");
}

static void has_two_ports(void **state)
{
    char text[4096];

    (void)state;
    expect_ok("ask", ask_port(ENV_CONTROL_PORT, 'p', text));
    assert_string_equal(text, "control.");
    expect_ok("ask", ask_port(ENV_DATA_PORT, 'p', text));
    assert_string_equal(text, "data.");
}

static void answers_nsm(void **state)
{
    char text[4096];

    (void)state;
    for (int i = 0; i < 3; i++) {
        expect_ok("ask", ask('n', text));
        assert_memory_equal(text,
                            "\xa1\x6b"
                            "DescribeNSM",
                            13);
    }
}

static void dials(void **state)
{
    AUTO(fd_close) int listener = -1;
    struct addr addr, bound;
    char text[4096];
    uint8_t got[16];

    (void)state;
    expect_ok("ask", ask('d', text));
    assert_string_equal(text, "unreachable.");
    link_addr(&addr, 8000);
    expect_ok("listen", addr_listen(&listener, &addr, &bound));
    expect_ok("ask", ask('d', text));
    assert_string_equal(text, "ok.");
    expect_ok("accept", fd_wait(listener, POLLIN, deadline_in(WAIT_MS)));
    AUTO(fd_close) int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    expect_ok("read", fd_read_all(fd, got, sizeof(got), deadline_in(WAIT_MS)));
    assert_memory_equal(got, "from the enclave", sizeof(got));
}

// A dead enclave is noticed, and nobody listens in its place.
static void ends(void **state)
{
    struct addr addr;
    char text[4096];
    int status, fd = -1;

    (void)state;
    assert_false(vm_has_ended(vm, &status));
    expect_ok("ask", ask('x', text));
    for (int i = 0; i < WAIT_MS / 20 && !vm_has_ended(vm, &status); i++)
        (void)poll(NULL, 0, 20);
    assert_true(vm_has_ended(vm, &status));
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 7);
    for (int i = 0; i < 2; i++) {
        link_addr(&addr, i ? ENV_DATA_PORT : ENV_CONTROL_PORT);
        assert_int_not_equal(addr_dial(&fd, &addr, deadline_in(WAIT_MS)).code, ERR_NONE);
    }
    vm_stop(&vm, 0);
    assert_null(vm);
}

static void stops(void **state)
{
    pid_t pid = vm_pid(vm);

    (void)state;
    assert_true(pid > 0);
    vm_stop(&vm, WAIT_MS);
    assert_int_equal(kill(pid, 0), -1);
}

static void cannot_start(void **state)
{
    struct nsmdev_options options = scene_options();
    struct vm_options vm_options = { scene_dir, "/nonexistent" };
    struct nsmdev *nsm = NULL;
    int status = 0;

    (void)state;
    expect_ok("module", nsmdev_new(&nsm, &options));
    expect_ok("start", vm_start(&vm, &vm_options, nsm));
    for (int i = 0; i < WAIT_MS / 20 && !vm_has_ended(vm, &status); i++)
        (void)poll(NULL, 0, 20);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 127);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(inherits_nothing, start, stop),
        cmocka_unit_test_setup_teardown(has_two_ports, start, stop),
        cmocka_unit_test_setup_teardown(answers_nsm, start, stop),
        cmocka_unit_test_setup_teardown(dials, start, stop),
        cmocka_unit_test_setup_teardown(ends, start, stop),
        cmocka_unit_test_setup_teardown(stops, start, stop),
        cmocka_unit_test_teardown(cannot_start, stop),
    };
    ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
    socklen_t len = sizeof(int);
    int type = 0;

    // Only an enclave of vm.c has such a descriptor at 5.
    if (getsockopt(5, SOL_SOCKET, SO_TYPE, &type, &len) == 0 && type == SOCK_SEQPACKET)
        return child();
    if (n <= 0)
        return 1;
    return cmocka_run_group_tests(tests, scene_setup, scene_teardown);
}
