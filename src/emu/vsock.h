// SPDX-License-Identifier: Apache-2.0
// The parent's end of a virtual machine's vsock, as a vhost-user device: streams between the
// guest's ports and Unix sockets of this machine. The guest knows its parent as CID 3, as in a
// Nitro enclave, and as CID 2. What the guest sends is bounded by credit, what waits for it stays
// in the sockets; connections are limited. Nothing here ever touches AF_VSOCK.
#pragma once

#include "emu/fault.h"
#include "net/loop.h"

#define VSOCK_CID_PARENT 3U
#define VSOCK_CID_HOST   2U

struct vsock;

// A Unix socket that leads to a port of the guest.
struct vsock_listener {
    const char *path;
    uint32_t port;
};

struct vsock_options {
    const char *path; // of the vhost-user socket
    uint32_t guest_cid;
    const struct vsock_listener *listener; // ended by path NULL
    // The guest connects to a port of its parent: a non-blocking stream socket, or an error.
    struct err (*dial)(int *fd, uint32_t port, void *context);
    // What a new connection meets (`egress`: made by the guest).
    void (*fault)(struct fault_link *out, bool egress, void *context);
    void *context;
};

// Strings are not copied.
FALLIBLE vsock_new(struct vsock **out, struct loop *loop, const struct vsock_options *options);
// Accepts NULL inside.
void vsock_free(struct vsock **vsock);
