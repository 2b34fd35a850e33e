// SPDX-License-Identifier: Apache-2.0
// A device's connection to its monitor: one at a time, and nothing of it is left when it ends.
#include "emu/vhost.h"

#include "base/fd.h"
#include "base/must.h"
#include "emu/journal.h"
#include "emu/vhost_request.h"
#include "net/addr.h"

#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static void vhost_accept(void *context, uint32_t events);
static void vhost_hang_up(struct vhost *v);

static FALLIBLE vhost_listen(struct vhost *v, const char *path)
{
    struct addr addr = { .kind = ADDR_UNIX }, bound;

    ENSURE(bytes_to_str(bytes_str(path), addr.host, VHOST_PATH_MAX), ERR_TOO_LARGE,
           "directory: its path is too long for Unix sockets");
    TRY(addr_listen(&v->listen_fd, &addr, &bound));
    return loop_watch(v->loop, &v->listen_watch, v->listen_fd, EPOLLIN, vhost_accept, v);
}

struct err vhost_new(struct vhost **out, struct loop *loop, const char *path,
                     const struct vhost_device *device)
{
    struct vhost *v = *out = calloc(1, sizeof(*v));
    struct err e;

    must(device->queues <= VHOST_QUEUES_MAX && device->config_n <= VHOST_CONFIG_MAX);
    ENSURE(v, ERR_FULL, "no memory");
    v->device = *device;
    v->loop = loop;
    v->listen_fd = v->fd = -1;
    if (device->config_n > 0)
        memcpy(v->config, device->config, device->config_n);
    for (unsigned i = 0; i < VHOST_QUEUES_MAX; i++)
        v->queue[i] = (struct vhost_queue) { .kick = -1, .call = -1, .vhost = v };
    e = vhost_listen(v, path);
    if (e.code)
        vhost_free(out);
    return e;
}

void vhost_free(struct vhost **out)
{
    struct vhost *v = *out;

    if (!v)
        return;
    vhost_hang_up(v);
    loop_unwatch(&v->listen_watch);
    fd_close(&v->listen_fd);
    free(v);
    *out = NULL;
}

struct vring *vhost_queue(struct vhost *v, unsigned queue)
{
    struct vhost_queue *q = &v->queue[queue];

    return q->enabled && q->kick >= 0 && q->ring.entries > 0 ? &q->ring : NULL;
}

void vhost_again(struct vhost *v, unsigned queue)
{
    vhost_request_signal(v->queue[queue].kick);
}

void vhost_notify(struct vhost *v, unsigned queue)
{
    struct vhost_queue *q = &v->queue[queue];

    if (q->ring.broken)
        journal("%s: queue %u breaks the rules of virtio; it is not used any more", v->device.name,
                queue);
    else if (vring_wants_notice(&q->ring))
        vhost_request_signal(q->call);
}

// -- the connection ------------------------------------------------------------------------------

static void vhost_hang_up(struct vhost *v)
{
    if (v->is_on) {
        v->is_on = false;
        v->device.off(v->device.context);
        journal("%s: the machine was switched off", v->device.name);
    }
    for (unsigned i = 0; i < VHOST_QUEUES_MAX; i++) {
        vhost_request_stop_queue(&v->queue[i]);
        fd_close(&v->queue[i].call);
        v->queue[i].ring = (struct vring) { .memory = &v->memory };
    }
    vhost_request_unmap(v);
    loop_unwatch(&v->watch);
    fd_close(&v->fd);
    if (v->listen_watch)
        loop_rewatch(v->listen_watch, EPOLLIN);
}

static void vhost_readable(void *context, uint32_t events)
{
    struct vhost *v = context;

    (void)events;
    if (vhost_request(v).code)
        vhost_hang_up(v);
}

static void vhost_accept(void *context, uint32_t events)
{
    struct vhost *v = context;

    (void)events;
    v->fd = accept4(v->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (v->fd < 0)
        return;
    loop_rewatch(v->listen_watch, 0); // others wait until this machine is switched off
    v->is_on = v->device.on(v->device.context);
    if (!v->is_on || loop_watch(v->loop, &v->watch, v->fd, EPOLLIN, vhost_readable, v).code)
        vhost_hang_up(v);
    else
        journal("%s: a machine was switched on", v->device.name);
}
