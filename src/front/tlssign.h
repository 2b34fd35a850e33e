// SPDX-License-Identifier: Apache-2.0
// Signatures of the vault for TLS handshakes: all of a loop turn in one write, and few at once, so
// that a crowd of handshakes waits here and not in front of clients' requests. Who may include it:
// front.
#pragma once

#include "front/core.h"
#include "net/tls_key.h"

struct tlssign;

FALLIBLE tlssign_new(struct tlssign **out, struct core *core);
// After link_free, which ends every job.
void tlssign_free(struct tlssign **sign);
// Asks the vault for the signature of a job, which is ended with tls_key_done. ERR_BUSY when too
// many wait, ERR_FULL, ERR_TOO_LARGE; then the job stays the caller's.
FALLIBLE tlssign_ask(struct tlssign *sign, struct tls_key_job *job, const struct msg_tls_sign *m);
