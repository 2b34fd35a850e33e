// SPDX-License-Identifier: Apache-2.0
// The bearer token of the REST interface. Who may include it: parent.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define TOKEN_MAX 256

struct token { // a secret: wiped with token_wipe, compared in constant time, never shown
    uint8_t b[TOKEN_MAX];
    size_t n;
};

// Reads the token of the file, which must be the user's own and closed to everybody else (mode
// 0600). When there is no file, makes one with 32 random bytes in hex. ERR_MALFORMED for a token
// that is shorter than 32 or longer than 256 characters.
FALLIBLE token_load(struct token *out, const char *path);
void token_wipe(struct token *token);
