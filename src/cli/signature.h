// SPDX-License-Identifier: Apache-2.0
// An administrator's signature in a file of its own, so that administrators can sign apart from
// each other and from the service: JSON with the public key, what was signed (32 bytes), and the
// signature. Who may include it: cli.
#pragma once

#include "cli/cli.h"
#include "crypto/openssl/approve.h"
#include "proto/approval.h"

// Signs with the private key of --key and writes --output. Shows the key and the file.
FALLIBLE signature_make(struct cli *cli, const uint8_t message[static APPROVE_MESSAGE_BYTES]);
// Reads every --signature, which must be over `message`, verify, and be of different administrators
// of the trust file's configuration. The entries, in ascending order, go to buf.
FALLIBLE signature_collect(struct cli *cli, const uint8_t message[static APPROVE_MESSAGE_BYTES],
                           uint8_t buf[static CONFIG_ADMINS * APPROVAL_BYTES],
                           struct bytes *entries);
