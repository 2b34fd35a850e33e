// SPDX-License-Identifier: Apache-2.0
// Files of the emulator and of the development PKI: paths, directories and whole-file writes that
// a crash leaves either old or new. Trusts the directory it is given (the developer's own).
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define DISK_PATH_MAX 512

// "dir/name" as a C string of at most `cap` bytes. ERR_TOO_LARGE.
FALLIBLE disk_path(char *out, size_t cap, const char *dir, const char *name);
// Makes one directory with mode 0700; one that exists already is fine.
FALLIBLE disk_make_dir(const char *path);
// Replaces the file: written beside it, flushed, renamed, and the directory flushed. `mode` is
// 0600 for everything secret.
FALLIBLE disk_write(const char *path, struct bytes content, unsigned mode);
// True when something has this name.
bool disk_exists(const char *path);
// Waits for the lock on DIR/NAME (an empty file), which goes with *fd: it keeps out other processes
// and other threads that change the same files.
FALLIBLE disk_lock(int *fd, const char *dir, const char *name);
