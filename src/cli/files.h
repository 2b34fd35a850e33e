// SPDX-License-Identifier: Apache-2.0
// Files that the program writes, and private keys that it reads. Who may include it: cli.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

// Writes a new file beside the old one and puts it in its place: nobody sees half a file, and
// nothing but a regular file is ever replaced. Errors speak of --output.
FALLIBLE files_save(const char *path, struct bytes bytes);
// Writes a secret and a line end into a new file of mode 0600. Nothing that is there is replaced:
// ERR_EXISTS.
FALLIBLE files_save_secret(const char *path, struct bytes secret);
// The whole of a file with a secret in it: not a symbolic link, a regular file, the user's own (or
// root's), and closed to everybody else. ERR_DENIED says what is wrong. The caller wipes `out`.
FALLIBLE files_read_secret(const char *path, uint8_t *out, size_t cap, size_t *n);
