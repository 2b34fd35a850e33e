// SPDX-License-Identifier: Apache-2.0
// AWS's Enclave Image Format, versions 2 to 4 read, version 4 written (doc/image.md; source: the
// public repository aws-nitro-enclaves-image-format). Every integer is big-endian.
//
// An image that is read is hostile: every field of the header and of each section is checked, the
// checksum too, before anything of it is shown. What a checksum or a PCR says about who made the
// image is the caller's matter. Who may include it: cli.
#pragma once

#include "base/err.h"
#include "base/wr.h"

#define EIF_HEAD_BYTES         548
#define EIF_SECTION_HEAD_BYTES 12
#define EIF_SECTIONS_MAX       32
#define EIF_PCR_BYTES          48
#define EIF_VERSION            4    // that is written
#define EIF_CMDLINE_MAX        4096 // that is read; Linux on x86-64 takes 2047
#define EIF_METADATA_MAX       65536
#define EIF_SIGNATURE_MAX      32768 // the format's own limit
#define EIF_BYTES_MAX          (UINT64_C(512) << 20)

enum eif_type {
    EIF_KERNEL = 1,
    EIF_CMDLINE = 2,
    EIF_RAMDISK = 3,
    EIF_SIGNATURE = 4,
    EIF_METADATA = 5,
};

struct eif_section {
    enum eif_type type;
    uint64_t at; // of the section's head in the file
    uint64_t n;  // bytes behind the head
};

// Where an image is read from. `read` gives exactly the n bytes at `at`, or fails.
struct eif_source {
    struct err (*read)(const struct eif_source *source, uint64_t at, uint8_t *out, size_t n);
    uint64_t size;
    struct bytes all; // eif_of_bytes
    int fd;           // eif_of_file
};

struct eif {
    uint16_t version;
    bool is_arm;
    uint64_t memory_bytes, cpus; // hints for whoever starts it
    uint32_t crc;
    size_t sections;
    struct eif_section section[EIF_SECTIONS_MAX];
    int at; // the section that an error is about, or -1
    // PCR0 the whole, PCR1 kernel, command line and first ramdisk, PCR2 the other ramdisks.
    uint8_t pcr[3][EIF_PCR_BYTES];
    // Views into the arrays below; without pointer when the image has no such section.
    struct bytes cmdline, metadata, signature;
    uint8_t cmdline_buf[EIF_CMDLINE_MAX];
    uint8_t metadata_buf[EIF_METADATA_MAX];
    uint8_t signature_buf[EIF_SIGNATURE_MAX];
};

// Views: `all` and the descriptor stay the caller's. ERR_UNSUPPORTED when it is no regular file,
// ERR_TOO_LARGE beyond EIF_BYTES_MAX.
struct eif_source eif_of_bytes(struct bytes all);
FALLIBLE eif_of_file(struct eif_source *out, int fd);
// Reads and checks the whole image and measures it, in blocks: memory does not grow with its size.
// ERR_MALFORMED, ERR_UNSUPPORTED or ERR_TOO_LARGE name the field; ERR_CORRUPT: the checksum.
FALLIBLE eif_read(struct eif *out, const struct eif_source *source);
// "kernel", "ramdisk"..., or "unknown".
const char *eif_type_name(enum eif_type type);
