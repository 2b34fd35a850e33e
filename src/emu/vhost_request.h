// SPDX-License-Identifier: Apache-2.0
// The requests of the vhost-user protocol, one handler each, and the state that they work on. Who
// may include it: vhost.c.
#pragma once

#include "emu/vhost.h"

#define VHOST_CONFIG_MAX 64

struct vhost_queue {
    struct vring ring;
    int kick, call;
    struct loop_watch *watch;
    bool enabled;
    struct vhost *vhost;
};

struct vhost_mapping {
    void *at;
    size_t n;
};

struct vhost {
    struct vhost_device device;
    struct loop *loop;
    uint8_t config[VHOST_CONFIG_MAX];
    int listen_fd, fd;
    struct loop_watch *listen_watch, *watch;
    struct vring_memory memory;
    struct vhost_mapping mapping[VRING_REGIONS_MAX];
    struct vhost_queue queue[VHOST_QUEUES_MAX];
    bool is_on;
};

// Takes one message of the monitor and answers it. ERR_CLOSED at the end of the connection; after
// any error it is of no use any more.
FALLIBLE vhost_request(struct vhost *vhost);
void vhost_request_stop_queue(struct vhost_queue *queue);
void vhost_request_unmap(struct vhost *vhost);
// Adds one to an eventfd; -1 is nobody.
void vhost_request_signal(int fd);
