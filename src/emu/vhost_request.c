// SPDX-License-Identifier: Apache-2.0
// vhost-user: a message is a head of three native 32-bit words and a body; descriptors come with
// the head. Requests are answered in turn, in the loop's thread; the monitor waits for each answer.
#include "emu/vhost_request.h"

#include "base/fd.h"
#include "base/must.h"
#include "emu/journal.h"

#include <stddef.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BODY_MAX        512
#define BODY_MS         2000
#define FLAG_VERSION    1U
#define FLAG_REPLY      4U
#define FLAG_NEED_REPLY 8U
#define NO_DESCRIPTOR   0x100U

#define FEATURE_PROTOCOL  (1ULL << 30) // VHOST_USER_F_PROTOCOL_FEATURES
#define FEATURE_VERSION_1 (1ULL << 32)
#define PROTOCOL_MQ       (1ULL << 0)
#define PROTOCOL_ACK      (1ULL << 3)
#define PROTOCOL_CONFIG   (1ULL << 9)

struct message {
    uint32_t padding; // the body follows the head at once
    uint32_t request, flags, n;
    union {
        uint64_t number;
        struct {
            uint32_t index, value;
        } ring;
        struct {
            uint32_t index, flags;
            uint64_t descriptors, used, available, log;
        } addresses;
        struct {
            uint32_t n, padding;
            struct {
                uint64_t guest, size, user, offset;
            } region[VRING_REGIONS_MAX];
        } memory;
        struct {
            uint32_t offset, n, flags;
            uint8_t bytes[VHOST_CONFIG_MAX];
        } config;
        uint8_t bytes[BODY_MAX];
    } body;
    int fd[VRING_REGIONS_MAX];
    size_t fds;
};

#define HEAD_BYTES 12
_Static_assert(offsetof(struct message, body) == offsetof(struct message, request) + HEAD_BYTES,
               "a message is one piece of memory");

static FALLIBLE on_get_features(struct vhost *v, struct message *m);
static FALLIBLE on_set_features(struct vhost *v, struct message *m);
static FALLIBLE on_nothing(struct vhost *v, struct message *m);
static FALLIBLE on_memory(struct vhost *v, struct message *m);
static FALLIBLE on_ring_entries(struct vhost *v, struct message *m);
static FALLIBLE on_ring_addresses(struct vhost *v, struct message *m);
static FALLIBLE on_ring_base(struct vhost *v, struct message *m);
static FALLIBLE on_ring_stop(struct vhost *v, struct message *m);
static FALLIBLE on_ring_kick(struct vhost *v, struct message *m);
static FALLIBLE on_ring_call(struct vhost *v, struct message *m);
static FALLIBLE on_ring_enable(struct vhost *v, struct message *m);
static FALLIBLE on_get_protocol(struct vhost *v, struct message *m);
static FALLIBLE on_get_queues(struct vhost *v, struct message *m);
static FALLIBLE on_get_config(struct vhost *v, struct message *m);

// Requests that the monitor makes, with the least size of their body.
static const struct request {
    uint32_t number, least;
    bool replies;
    struct err (*handle)(struct vhost *v, struct message *m);
} requests[] = {
    { 1, 0, true, on_get_features },
    { 2, 8, false, on_set_features },
    { 3, 0, false, on_nothing }, // SET_OWNER
    { 5, 8, false, on_memory },
    { 8, 8, false, on_ring_entries },
    { 9, 40, false, on_ring_addresses },
    { 10, 8, false, on_ring_base },
    { 11, 8, true, on_ring_stop },
    { 12, 8, false, on_ring_kick },
    { 13, 8, false, on_ring_call },
    { 14, 8, false, on_nothing }, // SET_VRING_ERR
    { 15, 0, true, on_get_protocol },
    { 16, 8, false, on_nothing }, // SET_PROTOCOL_FEATURES: what was offered
    { 17, 0, true, on_get_queues },
    { 18, 8, false, on_ring_enable },
    { 24, 12, true, on_get_config },
    { 25, 12, false, on_nothing }, // SET_CONFIG: nothing can be set
};

void vhost_request_signal(int fd)
{
    uint64_t one = 1;

    // A full counter means that the other side has been told already.
    if (fd >= 0)
        (void)!write(fd, &one, sizeof(one));
}

void vhost_request_stop_queue(struct vhost_queue *q)
{
    loop_unwatch(&q->watch);
    fd_close(&q->kick);
    q->enabled = false;
}

void vhost_request_unmap(struct vhost *v)
{
    for (size_t i = 0; i < v->memory.n; i++)
        (void)munmap(v->mapping[i].at, v->mapping[i].n);
    v->memory.n = 0;
}

static FALLIBLE message_receive(int fd, struct message *m)
{
    union {
        char space[CMSG_SPACE(sizeof(int) * VRING_REGIONS_MAX)];
        struct cmsghdr align;
    } control;
    struct iovec iov = { &m->request, HEAD_BYTES };
    struct msghdr msg = { .msg_iov = &iov,
                          .msg_iovlen = 1,
                          .msg_control = control.space,
                          .msg_controllen = sizeof(control.space) };
    ssize_t got = recvmsg(fd, &msg, MSG_CMSG_CLOEXEC);
    struct cmsghdr *head = got > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

    if (head && head->cmsg_type == SCM_RIGHTS) {
        m->fds = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        must(m->fds <= VRING_REGIONS_MAX);
        memcpy(m->fd, CMSG_DATA(head), m->fds * sizeof(int));
    }
    ENSURE(got > 0, ERR_CLOSED, "connection was closed");
    ENSURE(got == HEAD_BYTES && !(msg.msg_flags & MSG_CTRUNC), ERR_MALFORMED,
           "message: expected a head of 12 bytes and at most 8 descriptors");
    ENSURE(m->n <= sizeof(m->body), ERR_TOO_LARGE, "message: larger than 512 bytes");
    return fd_read_all(fd, &m->body, m->n, deadline_in(BODY_MS));
}

static FALLIBLE message_reply(int fd, struct message *m)
{
    m->flags = FLAG_VERSION | FLAG_REPLY;
    return fd_write_all(fd, bytes_of(&m->request, HEAD_BYTES + m->n), deadline_in(BODY_MS));
}

static FALLIBLE message_handle(struct vhost *v, struct message *m)
{
    bool acknowledge = m->flags & FLAG_NEED_REPLY;

    for (size_t i = 0; i < ARRAY_LEN(requests); i++) {
        if (requests[i].number != m->request)
            continue;
        ENSURE(m->n >= requests[i].least, ERR_MALFORMED, "message: body is too short");
        TRY(requests[i].handle(v, m));
        if (!requests[i].replies && acknowledge) {
            m->body.number = 0;
            m->n = sizeof(m->body.number);
        }
        return requests[i].replies || acknowledge ? message_reply(v->fd, m) : OK;
    }
    return FAIL(ERR_UNSUPPORTED, "message: this request is not known");
}

static void message_done(struct message *m)
{
    for (size_t i = 0; i < m->fds; i++)
        fd_close(&m->fd[i]);
}

struct err vhost_request(struct vhost *v)
{
    AUTO(message_done) struct message m = { 0 };
    struct err e = message_receive(v->fd, &m);

    if (!e.code)
        e = message_handle(v, &m);
    if (e.code && e.code != ERR_CLOSED)
        journal("%s: request %u: %s", v->device.name, m.request, err_text(e));
    return e;
}

static void reply_number(struct message *m, uint64_t number)
{
    m->body.number = number;
    m->n = sizeof(number);
}

static struct err on_get_features(struct vhost *v, struct message *m)
{
    (void)v;
    reply_number(m, FEATURE_PROTOCOL | FEATURE_VERSION_1);
    return OK;
}

static struct err on_set_features(struct vhost *v, struct message *m)
{
    (void)v;
    ENSURE((m->body.number & ~(FEATURE_PROTOCOL | FEATURE_VERSION_1)) == 0, ERR_UNSUPPORTED,
           "features: some were not offered");
    return OK;
}

static struct err on_nothing(struct vhost *v, struct message *m)
{
    (void)v;
    (void)m;
    return OK;
}

static struct err on_get_protocol(struct vhost *v, struct message *m)
{
    uint64_t config = v->device.config_n ? PROTOCOL_CONFIG : 0;

    reply_number(m, PROTOCOL_MQ | PROTOCOL_ACK | config);
    return OK;
}

static struct err on_get_queues(struct vhost *v, struct message *m)
{
    reply_number(m, v->device.queues);
    return OK;
}

static struct err on_get_config(struct vhost *v, struct message *m)
{
    uint32_t offset = m->body.config.offset, n = m->body.config.n;

    ENSURE(n <= v->device.config_n && offset <= v->device.config_n - n && m->n == 12 + n,
           ERR_MALFORMED, "configuration space: expected a range inside of it");
    memcpy(m->body.config.bytes, v->config + offset, n);
    return OK;
}

static FALLIBLE memory_map_one(struct vhost *v, const struct message *m, size_t i)
{
    uint64_t size = m->body.memory.region[i].size, offset = m->body.memory.region[i].offset;
    struct stat st;
    void *at;

    ENSURE(size > 0 && size <= INT64_MAX && offset <= INT64_MAX && fstat(m->fd[i], &st) == 0 &&
               st.st_size >= 0 && size <= (uint64_t)st.st_size &&
               offset <= (uint64_t)st.st_size - size,
           ERR_MALFORMED, "memory: expected regions inside their files");
    at = mmap(NULL, size + offset, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd[i], 0);
    ENSURE(at != MAP_FAILED, ERR_IO, "memory: cannot be mapped (expected share=on)");
    v->mapping[i] = (struct vhost_mapping) { at, size + offset };
    v->memory.region[i] =
        (struct vring_region) { m->body.memory.region[i].guest, m->body.memory.region[i].user, size,
                                (uint8_t *)at + offset };
    v->memory.n = i + 1;
    return OK;
}

static struct err on_memory(struct vhost *v, struct message *m)
{
    size_t n = m->body.memory.n;

    ENSURE(n <= VRING_REGIONS_MAX && m->fds == n && m->n == 8 + 32 * n, ERR_MALFORMED,
           "memory: expected at most 8 regions, each with its descriptor");
    vhost_request_unmap(v);
    for (size_t i = 0; i < n; i++)
        TRY(memory_map_one(v, m, i));
    return OK;
}

static FALLIBLE message_queue(struct vhost_queue **out, struct vhost *v, uint64_t index)
{
    ENSURE(index < v->device.queues, ERR_MALFORMED, "queue: this device has not so many");
    *out = &v->queue[index];
    (*out)->ring.memory = &v->memory;
    return OK;
}

static struct err on_ring_entries(struct vhost *v, struct message *m)
{
    struct vhost_queue *q;
    uint32_t n = m->body.ring.value;

    TRY(message_queue(&q, v, m->body.ring.index));
    ENSURE(n > 0 && n <= VRING_ENTRIES_MAX && (n & (n - 1)) == 0, ERR_MALFORMED,
           "queue: expected a power of two, at most 1024, as its size");
    q->ring.entries = (uint16_t)n;
    return OK;
}

static struct err on_ring_addresses(struct vhost *v, struct message *m)
{
    struct vhost_queue *q;

    TRY(message_queue(&q, v, m->body.addresses.index));
    q->ring.descriptors = m->body.addresses.descriptors;
    q->ring.available = m->body.addresses.available;
    q->ring.used = m->body.addresses.used;
    return OK;
}

static struct err on_ring_base(struct vhost *v, struct message *m)
{
    struct vhost_queue *q;

    TRY(message_queue(&q, v, m->body.ring.index));
    q->ring.next = q->ring.done = (uint16_t)m->body.ring.value;
    q->ring.broken = false;
    return OK;
}

static struct err on_ring_stop(struct vhost *v, struct message *m)
{
    struct vhost_queue *q;

    TRY(message_queue(&q, v, m->body.ring.index));
    m->body.ring.value = q->ring.next;
    m->n = 8;
    vhost_request_stop_queue(q);
    return OK;
}

static void queue_kicked(void *context, uint32_t events)
{
    struct vhost_queue *q = context;
    uint64_t count;

    (void)events;
    (void)!read(q->kick, &count, sizeof(count));
    if (q->enabled)
        q->vhost->device.kicked(q->vhost->device.context, (unsigned)(q - q->vhost->queue));
}

// Takes the message's descriptor; -1 when it has none.
static int message_take(struct message *m)
{
    int fd = m->fds > 0 && !(m->body.number & NO_DESCRIPTOR) ? m->fd[0] : -1;

    if (fd >= 0)
        m->fd[0] = -1;
    return fd;
}

static struct err on_ring_kick(struct vhost *v, struct message *m)
{
    struct vhost_queue *q;
    bool enabled;

    TRY(message_queue(&q, v, m->body.number & 0xff));
    enabled = q->enabled;
    vhost_request_stop_queue(q);
    q->enabled = enabled;
    q->kick = message_take(m);
    ENSURE(q->kick >= 0, ERR_UNSUPPORTED, "queue: expected a descriptor that says when to look");
    TRY(fd_set_nonblock(q->kick));
    return loop_watch(v->loop, &q->watch, q->kick, EPOLLIN, queue_kicked, q);
}

static struct err on_ring_call(struct vhost *v, struct message *m)
{
    struct vhost_queue *q;

    TRY(message_queue(&q, v, m->body.number & 0xff));
    fd_close(&q->call);
    q->call = message_take(m);
    if (q->call >= 0)
        TRY(fd_set_nonblock(q->call));
    // What was given back while the monitor had another descriptor here must not be lost.
    vhost_request_signal(q->call);
    return OK;
}

static struct err on_ring_enable(struct vhost *v, struct message *m)
{
    struct vhost_queue *q;

    TRY(message_queue(&q, v, m->body.ring.index));
    q->enabled = m->body.ring.value == 1;
    if (vhost_queue(v, m->body.ring.index))
        v->device.kicked(v->device.context, m->body.ring.index);
    return OK;
}
