// SPDX-License-Identifier: Apache-2.0
// A machine monitor and its guest's drivers in one, for tests of vhost-user devices: it shares a
// memfd, hands over queues, and fills and empties them as Linux's drivers do. Include it after
// cmocka.h.
#pragma once

#include "base/fd.h"
#include "base/must.h"
#include "expect.h"
#include "net/addr.h"

#include <poll.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define VMM_QUEUES   2
#define VMM_ENTRIES  8U
#define VMM_SLOT     4096U
#define VMM_QUEUE    (4096U + VMM_ENTRIES * VMM_SLOT) // rings, then a buffer for each descriptor
#define VMM_SIZE     (VMM_QUEUES * VMM_QUEUE)
#define VMM_GUEST    0x1000000ULL
#define VMM_USER     0x7fff00000000ULL
#define VMM_WAIT_MS  5000
#define VMM_QUIET_MS 100

struct vmm {
    int fd, memory_fd, kick[VMM_QUEUES], call[VMM_QUEUES];
    uint8_t *memory;
    uint16_t offered[VMM_QUEUES], seen[VMM_QUEUES];
};

#define VMM_OFF ((struct vmm) { -1, -1, { -1, -1 }, { -1, -1 }, NULL, { 0 }, { 0 } })

struct vmm_descriptor {
    uint64_t guest;
    uint32_t n;
    uint16_t flags, next;
};

static inline void vmm_send_fd(struct vmm *vmm, uint32_t request, const void *body, uint32_t n,
                               int fd)
{
    uint32_t head[3] = { request, 1, n };
    struct iovec iov[2] = { { head, sizeof(head) }, { (void *)(uintptr_t)body, n } };
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = { 0 };
    struct msghdr msg = { .msg_iov = iov, .msg_iovlen = n ? 2 : 1 };

    if (fd >= 0) {
        msg.msg_control = control.space;
        msg.msg_controllen = sizeof(control.space);
        CMSG_FIRSTHDR(&msg)->cmsg_level = SOL_SOCKET;
        CMSG_FIRSTHDR(&msg)->cmsg_type = SCM_RIGHTS;
        CMSG_FIRSTHDR(&msg)->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(CMSG_FIRSTHDR(&msg)), &fd, sizeof(int));
    }
    (void)sendmsg(vmm->fd, &msg, MSG_NOSIGNAL);
}

static inline void vmm_send(struct vmm *vmm, uint32_t request, const void *body, uint32_t n)
{
    vmm_send_fd(vmm, request, body, n, -1);
}

static inline uint64_t vmm_ask(struct vmm *vmm, uint32_t request, const void *body, uint32_t n)
{
    struct {
        uint32_t head[3];
        uint8_t body[8];
    } answer;
    uint64_t number;

    vmm_send(vmm, request, body, n);
    expect_ok("answer", fd_read_all(vmm->fd, &answer, 20, deadline_in(VMM_WAIT_MS)));
    assert_int_equal(answer.head[0], request);
    assert_int_equal(answer.head[1], 5);
    memcpy(&number, answer.body, sizeof(number));
    return number;
}

static inline void vmm_connect(struct vmm *vmm, const char *path)
{
    struct addr addr = { .kind = ADDR_UNIX };

    (void)snprintf(addr.host, sizeof(addr.host), "%.200s", path);
    expect_ok("monitor", addr_dial(&vmm->fd, &addr, deadline_in(VMM_WAIT_MS)));
}

static inline void vmm_share(struct vmm *vmm)
{
    uint64_t region[5] = { 1, VMM_GUEST, VMM_SIZE, VMM_USER, 0 };

    vmm->memory_fd = memfd_create("guest", MFD_CLOEXEC);
    assert_int_equal(ftruncate(vmm->memory_fd, VMM_SIZE), 0);
    vmm->memory = mmap(NULL, VMM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, vmm->memory_fd, 0);
    assert_ptr_not_equal(vmm->memory, MAP_FAILED);
    vmm_send_fd(vmm, 5, region, sizeof(region), vmm->memory_fd);
}

static inline void vmm_queue(struct vmm *vmm, uint32_t q)
{
    uint64_t base = VMM_USER + (uint64_t)q * VMM_QUEUE, index = q;
    uint32_t entries[2] = { q, VMM_ENTRIES }, next[2] = { q, 0 }, on[2] = { q, 1 };
    uint64_t addresses[5] = { q, base, base + 512, base + 256, 0 };

    vmm->kick[q] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    vmm->call[q] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    vmm_send(vmm, 8, entries, sizeof(entries));
    vmm_send(vmm, 10, next, sizeof(next));
    vmm_send(vmm, 9, addresses, sizeof(addresses));
    vmm_send_fd(vmm, 12, &index, sizeof(index), vmm->kick[q]);
    vmm_send_fd(vmm, 13, &index, sizeof(index), vmm->call[q]);
    vmm_send(vmm, 18, on, sizeof(on));
}

// Switches a machine on: from here on its queues are the device's.
static inline void vmm_on(struct vmm *vmm, const char *path, unsigned queues)
{
    uint64_t features;

    *vmm = VMM_OFF;
    vmm_connect(vmm, path);
    features = vmm_ask(vmm, 1, NULL, 0);
    assert_true(features >> 32 & 1);
    vmm_send(vmm, 2, &features, sizeof(features));
    assert_true(vmm_ask(vmm, 17, NULL, 0) == queues);
    vmm_share(vmm);
    for (unsigned q = 0; q < queues; q++)
        vmm_queue(vmm, q);
    assert_true(vmm_ask(vmm, 17, NULL, 0) == queues); // everything before was taken
}

static inline void vmm_off(struct vmm *vmm)
{
    for (unsigned q = 0; q < VMM_QUEUES; q++) {
        fd_close(&vmm->kick[q]);
        fd_close(&vmm->call[q]);
    }
    if (vmm->memory)
        (void)munmap(vmm->memory, VMM_SIZE);
    fd_close(&vmm->memory_fd);
    fd_close(&vmm->fd);
    *vmm = VMM_OFF;
}

static inline uint8_t *vmm_slot(struct vmm *vmm, unsigned q, unsigned slot)
{
    return vmm->memory + (size_t)q * VMM_QUEUE + 4096 + (size_t)slot * VMM_SLOT;
}

static inline void vmm_put(struct vmm *vmm, unsigned q, unsigned slot, struct vmm_descriptor d)
{
    memcpy(vmm->memory + (size_t)q * VMM_QUEUE + sizeof(d) * slot, &d, sizeof(d));
}

static inline void vmm_kick(struct vmm *vmm, unsigned q)
{
    uint64_t one = 1;

    assert_int_equal(write(vmm->kick[q], &one, sizeof(one)), sizeof(one));
}

// Offers a chain that begins at this descriptor.
static inline void vmm_offer(struct vmm *vmm, unsigned q, unsigned head)
{
    uint8_t *available = vmm->memory + (size_t)q * VMM_QUEUE + 256;
    uint16_t value = (uint16_t)head;

    memcpy(available + 4 + 2 * (size_t)(vmm->offered[q] % VMM_ENTRIES), &value, sizeof(value));
    vmm->offered[q]++;
    __atomic_store_n((uint16_t *)(void *)(available + 2), vmm->offered[q], __ATOMIC_RELEASE);
}

// One descriptor of n bytes in its own slot, to be read by the device or written.
static inline void vmm_give(struct vmm *vmm, unsigned q, unsigned slot, uint32_t n, bool writable)
{
    uint64_t guest = VMM_GUEST + (uint64_t)(vmm_slot(vmm, q, slot) - vmm->memory);

    vmm_put(vmm, q, slot, (struct vmm_descriptor) { guest, n, writable ? 2 : 0, 0 });
    vmm_offer(vmm, q, slot);
}

// Waits until the device has given back the next chain: its head, and the bytes written. False
// when nothing comes.
static inline bool vmm_used(struct vmm *vmm, unsigned q, uint32_t used[static 2])
{
    uint8_t *ring = vmm->memory + (size_t)q * VMM_QUEUE + 512;
    struct deadline until = deadline_in(VMM_QUIET_MS * 10);
    uint64_t count;

    while (__atomic_load_n((uint16_t *)(void *)(ring + 2), __ATOMIC_ACQUIRE) == vmm->seen[q]) {
        if (fd_wait(vmm->call[q], POLLIN, until).code)
            return false;
        (void)!read(vmm->call[q], &count, sizeof(count));
    }
    memcpy(used, ring + 4 + 8 * (size_t)(vmm->seen[q] % VMM_ENTRIES), 8);
    vmm->seen[q]++;
    return true;
}

// True when the device has closed the connection.
static inline bool vmm_is_dropped(struct vmm *vmm)
{
    uint8_t byte;

    return fd_read_all(vmm->fd, &byte, 1, deadline_in(VMM_WAIT_MS)).code == ERR_CLOSED;
}
