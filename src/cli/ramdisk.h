// SPDX-License-Identifier: Apache-2.0
// What the kernel will unpack from a ramdisk of an enclave image: the files of its cpio archives
// ("newc", one behind the other, not compressed), read where they lie. Stricter than the kernel:
// what it might take in another way than this reader is refused, so that a list is complete or
// there is none. Who may include it: cli.
#pragma once

#include "cli/eif.h"

#define RAMDISK_NAME_MAX 256 // with its closing NUL

struct ramdisk {
    const struct eif_source *source;
    uint64_t start, at, end; // offsets in the image
    bool in_archive;
    // The entry:
    char name[RAMDISK_NAME_MAX];
    uint32_t mode;    // type and permissions, as in stat(2)
    uint64_t data, n; // where its content lies
};

// The section stays the caller's, as does the source.
struct ramdisk ramdisk_of(const struct eif_source *source, const struct eif_section *section);
// Moves to the next entry; *is_entry says whether there is one. ERR_UNSUPPORTED when there is
// something else than such an archive, ERR_MALFORMED when one is damaged.
FALLIBLE ramdisk_next(struct ramdisk *disk, bool *is_entry);
// SHA-384 of the entry's content.
FALLIBLE ramdisk_hash(const struct ramdisk *disk, uint8_t out[static EIF_PCR_BYTES]);
