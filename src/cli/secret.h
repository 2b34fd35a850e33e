// SPDX-License-Identifier: Apache-2.0
// Passwords and private keys on their way into the program: from a terminal without echo, or from a
// descriptor; never from an argument or the environment. Who may include it: cli.
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "base/seckey.h"

#define SECRET_MAX 1024

// `AUTO(secret_wipe) struct secret secret = { 0 };`
struct secret {
    uint8_t b[SECRET_MAX];
    size_t n;
};

void secret_wipe(struct secret *secret);
// Keeps this process's memory from core dumps and other processes of the user.
void secret_protect_process(void);
// One line from the user's terminal, without the line's end. ERR_UNSUPPORTED without a terminal.
FALLIBLE secret_ask(struct secret *out, const char *prompt);
// Everything up to the end of the descriptor that `number` names, without one line end at the end.
FALLIBLE secret_read(struct secret *out, const char *number);
// A private key: 32 bytes, or 64 hex digits with 0x or without. ERR_MALFORMED.
FALLIBLE secret_to_key(struct seckey *out, const struct secret *secret);
