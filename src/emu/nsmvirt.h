// SPDX-License-Identifier: Apache-2.0
// The emulated NSM as a virtio device (id 33, one queue) for a virtual machine: Linux's own driver,
// drivers/misc/nsm.c, talks to it. Each machine that is switched on finds a fresh module.
#pragma once

#include "emu/nsmdev.h"
#include "net/loop.h"

struct nsmvirt;

struct nsmvirt_options {
    const char *path; // of the vhost-user socket
    // Makes the module of a machine that is switched on.
    struct err (*module)(struct nsmdev **out, void *context);
    void *context;
};

FALLIBLE nsmvirt_new(struct nsmvirt **out, struct loop *loop,
                     const struct nsmvirt_options *options);
// Accepts NULL inside.
void nsmvirt_free(struct nsmvirt **nsm);
