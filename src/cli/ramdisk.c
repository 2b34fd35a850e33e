// SPDX-License-Identifier: Apache-2.0
// Zeros between archives are skipped, as the kernel does; between entries there are none but the
// padding to four bytes. The trailer ends an archive, not the ramdisk.
#include "cli/ramdisk.h"

#include "base/hex.h"
#include "base/must.h"
#include "crypto/openssl/sha2.h"

#include <string.h>

#define HEAD_BYTES 110
#define MAGIC      "070701"
#define TRAILER    "TRAILER!!!"
#define ALIGN      4U
#define FIELDS     13
#define BLOCK      16384
#define TYPE_MASK  0170000U
#define FOLDER     0040000U

enum field { MODE = 1, LINKS = 4, SIZE = 6, NAME_SIZE = 11 };

struct ramdisk ramdisk_of(const struct eif_source *source, const struct eif_section *section)
{
    uint64_t start = section->at + EIF_SECTION_HEAD_BYTES;

    return (struct ramdisk) {
        .source = source, .start = start, .at = start, .end = start + section->n
    };
}

static FALLIBLE read_at(const struct ramdisk *disk, uint64_t at, void *out, size_t n)
{
    ENSURE(at <= disk->end && n <= disk->end - at, ERR_MALFORMED, "the archive is cut");
    return disk->source->read(disk->source, at, out, n);
}

static uint64_t aligned(const struct ramdisk *disk, uint64_t at)
{
    return at + (ALIGN - (at - disk->start) % ALIGN) % ALIGN;
}

// To the first byte that is not 0, or to the end.
static FALLIBLE skip_zeros(struct ramdisk *disk)
{
    uint8_t block[512];

    while (disk->at < disk->end) {
        uint64_t left = disk->end - disk->at;
        size_t n = left < sizeof(block) ? (size_t)left : sizeof(block);

        TRY(read_at(disk, disk->at, block, n));
        for (size_t i = 0; i < n; i++, disk->at++)
            if (block[i])
                return OK;
    }
    return OK;
}

static FALLIBLE read_fields(uint32_t field[static FIELDS], const uint8_t head[static HEAD_BYTES])
{
    ENSURE(bytes_equal_str(bytes_of(head, strlen(MAGIC)), MAGIC), ERR_UNSUPPORTED,
           "no cpio archive in \"newc\" form: compressed?");
    for (size_t i = 0; i < FIELDS; i++) {
        uint8_t b[4];

        ENSURE(!hex_decode(b, sizeof(b), bytes_of(head + 6 + 8 * i, 8)).code, ERR_MALFORMED,
               "cpio: expected hex digits in a header");
        field[i] = (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
    }
    ENSURE(field[NAME_SIZE] >= 2 && field[NAME_SIZE] <= RAMDISK_NAME_MAX, ERR_UNSUPPORTED,
           "cpio: expected a name of 1 to 255 bytes");
    // The kernel takes a link's content from another entry.
    ENSURE(field[LINKS] < 2 || (field[MODE] & TYPE_MASK) == FOLDER, ERR_UNSUPPORTED,
           "cpio: expected no hard links");
    return OK;
}

static FALLIBLE read_entry(struct ramdisk *disk)
{
    uint8_t head[HEAD_BYTES];
    uint32_t field[FIELDS];
    size_t name;

    ENSURE((disk->at - disk->start) % ALIGN == 0, ERR_UNSUPPORTED,
           "cpio: expected an archive at a multiple of 4 bytes");
    TRY(read_at(disk, disk->at, head, sizeof(head)));
    TRY(read_fields(field, head));
    name = field[NAME_SIZE];
    TRY(read_at(disk, disk->at + HEAD_BYTES, disk->name, name));
    ENSURE(memchr(disk->name, 0, name) == disk->name + name - 1, ERR_MALFORMED,
           "cpio: expected a name that ends with its first NUL");
    disk->mode = field[MODE];
    disk->n = field[SIZE];
    disk->data = aligned(disk, disk->at + HEAD_BYTES + name);
    ENSURE(disk->data <= disk->end && disk->n <= disk->end - disk->data, ERR_MALFORMED,
           "the archive is cut");
    disk->at = aligned(disk, disk->data + disk->n);
    ENSURE(disk->at <= disk->end, ERR_MALFORMED, "the archive is cut");
    return OK;
}

struct err ramdisk_next(struct ramdisk *disk, bool *is_entry)
{
    *is_entry = false;
    ENSURE((disk->end - disk->start) % ALIGN == 0, ERR_UNSUPPORTED,
           "expected a multiple of 4 bytes");
    for (;;) {
        if (!disk->in_archive)
            TRY(skip_zeros(disk));
        if (!disk->in_archive && disk->at == disk->end)
            return OK;
        TRY(read_entry(disk));
        disk->in_archive = strcmp(disk->name, TRAILER) != 0;
        if (disk->in_archive) {
            *is_entry = true;
            return OK;
        }
        ENSURE(disk->n == 0, ERR_MALFORMED, "cpio: expected no content of the trailer");
    }
}

struct err ramdisk_hash(const struct ramdisk *disk, uint8_t out[static EIF_PCR_BYTES])
{
    uint8_t block[BLOCK];
    struct sha2 sha;
    uint64_t done = 0;

    sha2_384_start(&sha);
    while (done < disk->n) {
        uint64_t left = disk->n - done;
        size_t n = left < sizeof(block) ? (size_t)left : sizeof(block);

        TRY(read_at(disk, disk->data + done, block, n));
        sha2_384_add(&sha, bytes_of(block, n));
        done += n;
    }
    sha2_384_end(&sha, out);
    return OK;
}
