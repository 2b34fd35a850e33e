// SPDX-License-Identifier: Apache-2.0
// The surroundings of an enclave in a real virtual machine: NSM and vsock as vhost-user devices for
// a machine monitor that somebody else starts (QEMU: test/boot/qemu). In DIR:
//   nsm.sock, vsock.sock   for the monitor
//   link/5000, link/9000   lead to the guest's ports of these numbers, control and data plane
//   link/PORT              sockets of the parent, to which the guest's connections to PORT go
// Connections of the guest to port 9000 get their byte echoed, as nitro-cli does it (heartbeat).
#pragma once

#include "base/err.h"
#include "emu/nsmdev.h"

struct machine;

struct machine_options {
    const char *dir; // with DIR/link
    uint32_t guest_cid;
    // Makes the module of a machine that is switched on; called in the devices' thread.
    struct err (*module)(struct nsmdev **out, void *context);
    void *context;
};

// Starts the thread that is both devices.
FALLIBLE machine_start(struct machine **out, const struct machine_options *options);
// Ends it; the monitor loses its devices. Accepts NULL inside.
void machine_stop(struct machine **machine);
