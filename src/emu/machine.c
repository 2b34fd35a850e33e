// SPDX-License-Identifier: Apache-2.0
// Both devices in one loop and thread. The heartbeat's socket is a pair whose other end lives here.
#include "emu/machine.h"

#include "base/fd.h"
#include "base/must.h"
#include "emu/disk.h"
#include "emu/fault.h"
#include "emu/journal.h"
#include "emu/nsmvirt.h"
#include "emu/vsock.h"
#include "enclave/env.h"
#include "net/addr.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEARTBEAT_PORT 9000U // of the parent; the guest's own 9000 is its data plane
#define CONNECT_MS     500   // Unix sockets of this machine: at once or never

struct machine {
    struct machine_options options;
    struct loop *loop;
    struct nsmvirt *nsm;
    struct vsock *vsock;
    pthread_t thread;
    bool runs;
    int heartbeat;
    struct loop_watch *heartbeat_watch;
    char dir[DISK_PATH_MAX], nsm_path[DISK_PATH_MAX], vsock_path[DISK_PATH_MAX],
        control_path[DISK_PATH_MAX], data_path[DISK_PATH_MAX];
    struct vsock_listener listener[3]; // the last one ends them
};

static void heartbeat_end(struct machine *m)
{
    loop_unwatch(&m->heartbeat_watch);
    fd_close(&m->heartbeat);
}

static void heartbeat_event(void *context, uint32_t events)
{
    struct machine *m = context;
    uint8_t byte;

    (void)events;
    if (recv(m->heartbeat, &byte, 1, MSG_DONTWAIT) == 1 &&
        send(m->heartbeat, &byte, 1, MSG_DONTWAIT | MSG_NOSIGNAL) == 1)
        journal("heartbeat %02x of the enclave", byte);
    else
        heartbeat_end(m);
}

// The newest one counts.
static FALLIBLE heartbeat_open(struct machine *m, int *fd)
{
    int pair[2];

    heartbeat_end(m);
    ENSURE(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) == 0, ERR_IO,
           "socket pair cannot be made");
    *fd = pair[0];
    m->heartbeat = pair[1];
    return loop_watch(m->loop, &m->heartbeat_watch, m->heartbeat, EPOLLIN, heartbeat_event, m);
}

static struct err machine_dial(int *fd, uint32_t port, void *context)
{
    struct machine *m = context;
    struct addr addr = { .kind = ADDR_UNIX };
    int n = snprintf(addr.host, sizeof(addr.host), "%.200s/link/%u", m->dir, port);

    if (port == HEARTBEAT_PORT)
        return heartbeat_open(m, fd);
    // The guest's own ports are no services of the parent.
    ENSURE(port != ENV_CONTROL_PORT && n > 0 && (size_t)n < sizeof(addr.host), ERR_UNREACHABLE,
           "nobody listens there");
    return addr_dial(fd, &addr, deadline_in(CONNECT_MS));
}

static void machine_fault(struct fault_link *out, bool egress, void *context)
{
    struct machine *m = context;
    struct fault fault;
    struct err e = fault_take(&fault, m->dir, egress ? FAULT_EGRESS : FAULT_CONTROL);

    if (e.code)
        journal("faults: %s", err_text(e));
    *out = fault.link;
}

static FALLIBLE machine_open(struct machine *m)
{
    ENSURE(bytes_to_str(bytes_str(m->options.dir), m->dir, sizeof(m->dir)), ERR_TOO_LARGE,
           "path is longer than 511 bytes");
    TRY(disk_path(m->nsm_path, sizeof(m->nsm_path), m->dir, "nsm.sock"));
    TRY(disk_path(m->vsock_path, sizeof(m->vsock_path), m->dir, "vsock.sock"));
    TRY(disk_path(m->control_path, sizeof(m->control_path), m->dir, "link/5000"));
    TRY(disk_path(m->data_path, sizeof(m->data_path), m->dir, "link/9000"));
    m->listener[0] = (struct vsock_listener) { m->control_path, ENV_CONTROL_PORT };
    m->listener[1] = (struct vsock_listener) { m->data_path, ENV_DATA_PORT };
    TRY(loop_new(&m->loop));
    TRY(nsmvirt_new(
        &m->nsm, m->loop,
        &(struct nsmvirt_options) { m->nsm_path, m->options.module, m->options.context }));
    return vsock_new(&m->vsock, m->loop,
                     &(struct vsock_options) { .path = m->vsock_path,
                                               .guest_cid = m->options.guest_cid,
                                               .listener = m->listener,
                                               .dial = machine_dial,
                                               .fault = machine_fault,
                                               .context = m });
}

static void *machine_run(void *context)
{
    struct machine *m = context;

    loop_run(m->loop);
    return NULL;
}

struct err machine_start(struct machine **out, const struct machine_options *options)
{
    struct machine *m = *out = calloc(1, sizeof(*m));
    struct err e;

    ENSURE(m, ERR_FULL, "no memory");
    m->options = *options;
    m->heartbeat = -1;
    e = machine_open(m);
    if (!e.code) {
        m->runs = pthread_create(&m->thread, NULL, machine_run, m) == 0;
        e = m->runs ? OK : FAIL(ERR_IO, "thread cannot be started");
    }
    if (e.code)
        machine_stop(out);
    return e;
}

void machine_stop(struct machine **out)
{
    struct machine *m = *out;

    if (!m)
        return;
    if (m->runs) {
        loop_stop(m->loop);
        (void)pthread_join(m->thread, NULL);
    }
    vsock_free(&m->vsock);
    nsmvirt_free(&m->nsm);
    if (m->loop)
        heartbeat_end(m);
    loop_free(&m->loop);
    free(m);
    *out = NULL;
}
