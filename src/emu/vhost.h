// SPDX-License-Identifier: Apache-2.0
// The back end of the vhost-user protocol (QEMU, docs/interop/vhost-user.rst): a virtio device in
// this process for a machine monitor that connects to a Unix socket and shares the guest's memory.
// One monitor at a time; every connection is a machine that has just been switched on. The monitor
// is trusted as far as its descriptors go; what it passes on from the guest is not.
#pragma once

#include "emu/vring.h"
#include "net/loop.h"

#define VHOST_QUEUES_MAX 4
#define VHOST_PATH_MAX   108

struct vhost;

struct vhost_device {
    const char *name; // for the log
    unsigned queues;  // that the monitor hands over, at most VHOST_QUEUES_MAX
    const void *config;
    size_t config_n; // the device's configuration space, at most 64 bytes
    // The machine was switched on (false: it cannot be, the monitor is turned away) and off.
    bool (*on)(void *context);
    void (*off)(void *context);
    // The guest has handed over buffers in this queue, or may have.
    void (*kicked)(void *context, unsigned queue);
    void *context;
};

// Listens at `path` in the loop, whose thread makes all calls. `device` is copied.
FALLIBLE vhost_new(struct vhost **out, struct loop *loop, const char *path,
                   const struct vhost_device *device);
// In the loop's thread, or when it does not run. Accepts NULL inside.
void vhost_free(struct vhost **vhost);
// The queue while the guest lets the device use it; NULL otherwise.
struct vring *vhost_queue(struct vhost *vhost, unsigned queue);
// Has `kicked` called again soon: the queue was left before it was empty.
void vhost_again(struct vhost *vhost, unsigned queue);
// Tells the guest that chains were given back.
void vhost_notify(struct vhost *vhost, unsigned queue);
