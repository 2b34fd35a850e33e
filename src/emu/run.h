// SPDX-License-Identifier: Apache-2.0
// `cloister-emu run`: one process that is, for one enclave, the hypervisor with its security
// module, AWS KMS over HTTPS, and the instance metadata service; all on loopback and Unix sockets.
#pragma once

// Serves until SIGTERM or SIGINT. Writes DIR/{kms.addr,imds.addr,emu.pid,enclave.pid,ready},
// DIR/emu.log and DIR/enclave.log. Returns the exit status, as emu/cmd.h.
int run_command(char **argv);
