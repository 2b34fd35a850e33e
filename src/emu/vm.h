// SPDX-License-Identifier: Apache-2.0
// One run of an enclave: the emulated hypervisor's side. The enclave is a child process that
// inherits exactly these descriptors besides 0 (null), 1 and 2 (the log):
//   3  NSM: SOCK_STREAM; u32 big-endian length and a CBOR request; the answer in the same form
//   4  the listening socket of the control plane, DIR/link/5000 (vsock port 5000), non-blocking
//   5  dialling: SOCK_SEQPACKET; a request is a big-endian u32 port of the parent; the answer is
//      'K' with the connected, non-blocking socket (SCM_RIGHTS) or 'E'. Ports of the parent are
//      Unix sockets DIR/link/PORT
//   6  the listening socket of the data plane, DIR/link/9000, as 4
// Its environment is empty. It trusts the enclave with nothing but its own NSM.
#pragma once

#include "base/err.h"
#include "emu/nsmdev.h"

#include <sys/types.h>

struct vm;

struct vm_options {
    const char *dir;     // with DIR/link; the log is DIR/enclave.log
    const char *enclave; // program to start
};

// Starts the enclave on a module of its own, which belongs to the vm from here on (also on
// failure). Call from the thread that stays: the child is killed when that thread ends.
FALLIBLE vm_start(struct vm **out, const struct vm_options *options, struct nsmdev *nsm);
pid_t vm_pid(const struct vm *vm);
// True once the first process of the enclave has ended; *status is as from waitpid.
bool vm_has_ended(struct vm *vm, int *status);
// Asks the enclave to end, kills it (with all its processes) after `grace_ms`, and frees.
// Accepts NULL inside.
void vm_stop(struct vm **vm, int grace_ms);
