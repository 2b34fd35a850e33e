// SPDX-License-Identifier: Apache-2.0
// The seam between the enclave and its surroundings, filled in once by each program's env object:
// env_hardware.c (AF_VSOCK, /dev/nsm) or emu/env_emulated.c (the emulator's sockets). Everything
// else in the enclave is the same code. PID 1 calls `open` functions before it starts the others;
// the vault gets the NSM descriptor only, the front the link descriptors only.
#pragma once

#include "base/bytes.h"
#include "base/deadline.h"
#include "base/err.h"

// The sockets of the front. The listening ones are non-blocking.
struct env_link {
    int control, data; // vsock ports 5000 and 9000
    int dial;          // what `dial` needs; -1: nothing (hardware)
};

struct env {
    const char *name; // "hardware" or "emulated"
    // PID 1: descriptors that the children inherit. They are open for the whole run. open_nsm also
    // sees to it that the kernel's random numbers rest on the module's.
    struct err (*open_nsm)(int *nsm_fd);
    struct err (*open_link)(struct env_link *link);
    // Vault: one NSM request (CBOR) and its answer into answer[cap], of at least 12 KiB. May take
    // 120 s; the vault waits in a thread of its own.
    struct err (*nsm_call)(int nsm_fd, struct bytes request, uint8_t *answer, size_t cap,
                           size_t *n);
    // Front: a connected, non-blocking socket to the parent's port.
    struct err (*dial)(int dial_fd, uint32_t port, int *fd, struct deadline until);
    // PID 1: mounts, heartbeat and what else an init does there; nothing when emulated.
    struct err (*boot)(void);
    // PID 1, when all is over: ends the machine; returns where there is none.
    void (*end)(void);
};

// The object that is linked in decides; there is no other way to choose.
extern const struct env env_this;

#define ENV_CONTROL_PORT 5000U
#define ENV_DATA_PORT    9000U
#define ENV_EGRESS_PORT  8000U // + index of the host in the configuration
#define ENV_CID_PARENT   3U
