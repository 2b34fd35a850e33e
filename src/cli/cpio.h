// SPDX-License-Identifier: Apache-2.0
// Writes archives in cpio's "newc" form, the one that the Linux kernel unpacks into its first root
// (Documentation/driver-api/early-userspace/buffer-format.rst). The same entries give the same
// bytes: owner root, time 0, inodes counted from 1, names in order. Who may include it: cli.
#pragma once

#include "base/wr.h"

#define CPIO_FILE 0100000U // S_IFREG
#define CPIO_DIR  0040000U // S_IFDIR

struct cpio {
    struct wr *wr;
    size_t start;     // of the archive in wr
    uint32_t inode;   // the next one
    const char *last; // the name before this one
};

// The archive begins where `wr` stands.
struct cpio cpio_of(struct wr *wr);
// An entry: `name` without a leading slash, after all names before it; `mode` with its type.
// Returns the room for its n bytes, which the caller fills; NULL when there is none.
uint8_t *cpio_add(struct cpio *cpio, const char *name, uint32_t mode, size_t n);
// Closes the archive and fills it up to a multiple of 512 bytes.
void cpio_end(struct cpio *cpio);
