// SPDX-License-Identifier: Apache-2.0
// One pass over the file from front to back. Nothing is looked up by an offset of the header: the
// offsets must be those at which the sections follow each other without gap and overlap, up to the
// end of the file, so that no byte of the file stays unread or is read as two things.
#include "cli/eif.h"

#include "base/must.h"
#include "base/rd.h"
#include "cli/crc32.h"
#include "crypto/attest.h"
#include "crypto/openssl/sha2.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC       0x2e656966U // ".eif"
#define FLAG_ARM    1U
#define CRC_AT      544
#define VERSION_MIN 2
#define VERSION_MAX 4
#define BLOCK       16384

// The offsets and sizes of the header, before the sections have confirmed them.
struct layout {
    uint64_t offset[EIF_SECTIONS_MAX], size[EIF_SECTIONS_MAX];
};

struct pass {
    const struct eif_source *source;
    uint32_t crc;
    struct sha2 pcr[3];
    unsigned seen[EIF_METADATA + 1]; // sections of each type so far
};

static struct err read_bytes(const struct eif_source *source, uint64_t at, uint8_t *out, size_t n)
{
    ENSURE(at <= source->all.n && n <= source->all.n - at, ERR_MALFORMED,
           "ends before its header says so");
    if (n)
        memcpy(out, source->all.p + at, n);
    return OK;
}

static struct err read_file(const struct eif_source *source, uint64_t at, uint8_t *out, size_t n)
{
    while (n > 0) {
        ssize_t got = pread(source->fd, out, n, (off_t)at);

        ENSURE(got >= 0, ERR_IO, "cannot be read");
        ENSURE(got > 0, ERR_MALFORMED, "ends before its header says so");
        out += got;
        at += (uint64_t)got;
        n -= (size_t)got;
    }
    return OK;
}

struct eif_source eif_of_bytes(struct bytes all)
{
    return (struct eif_source) { .read = read_bytes, .size = all.n, .all = all, .fd = -1 };
}

struct err eif_of_file(struct eif_source *out, int fd)
{
    struct stat st;

    ENSURE(fstat(fd, &st) == 0 && S_ISREG(st.st_mode), ERR_UNSUPPORTED, "expected a regular file");
    ENSURE((uint64_t)st.st_size <= EIF_BYTES_MAX, ERR_TOO_LARGE, "expected at most 512 MiB");
    *out = (struct eif_source) { .read = read_file, .size = (uint64_t)st.st_size, .fd = fd };
    return OK;
}

const char *eif_type_name(enum eif_type type)
{
    static const char *const names[] = { "unknown", "kernel",    "cmdline",
                                         "ramdisk", "signature", "metadata" };

    return (unsigned)type < ARRAY_LEN(names) ? names[type] : names[0];
}

static FALLIBLE read_head(struct eif *out, struct layout *layout, struct bytes head)
{
    struct rd rd = rd_of(head);
    uint32_t magic = rd_u32(&rd);
    uint16_t version = rd_u16(&rd), flags = rd_u16(&rd), reserved;
    uint16_t sections;

    ENSURE(magic == MAGIC, ERR_MALFORMED, "magic: expected \".eif\": not an enclave image");
    ENSURE(version >= VERSION_MIN && version <= VERSION_MAX, ERR_UNSUPPORTED,
           "version: expected 2 to 4");
    ENSURE(!(flags & ~FLAG_ARM), ERR_UNSUPPORTED, "flags: expected 0 (x86-64) or 1 (aarch64)");
    out->version = version;
    out->is_arm = flags & FLAG_ARM;
    out->memory_bytes = rd_u64(&rd);
    out->cpus = rd_u64(&rd);
    reserved = rd_u16(&rd);
    sections = rd_u16(&rd);
    ENSURE(reserved == 0, ERR_MALFORMED, "reserved bytes of the header: expected 0");
    ENSURE(sections > 0 && sections <= EIF_SECTIONS_MAX, ERR_MALFORMED,
           "number of sections: expected 1 to 32");
    out->sections = sections;
    for (size_t i = 0; i < EIF_SECTIONS_MAX; i++)
        layout->offset[i] = rd_u64(&rd);
    for (size_t i = 0; i < EIF_SECTIONS_MAX; i++)
        layout->size[i] = rd_u64(&rd);
    ENSURE(rd_u32(&rd) == 0, ERR_MALFORMED, "reserved bytes of the header: expected 0");
    out->crc = rd_u32(&rd);
    return rd_end(&rd);
}

// The sections fill the file from the header to its end, in order.
static FALLIBLE check_layout(struct eif *out, const struct layout *layout, uint64_t file_size)
{
    uint64_t at = EIF_HEAD_BYTES;

    for (size_t i = 0; i < out->sections; i++) {
        out->at = (int)i;
        ENSURE(layout->offset[i] <= file_size &&
                   file_size - layout->offset[i] >= EIF_SECTION_HEAD_BYTES,
               ERR_MALFORMED, "offset: lies outside the file");
        ENSURE(layout->offset[i] >= at, ERR_MALFORMED,
               "offset: overlaps what comes before the section");
        ENSURE(layout->offset[i] == at, ERR_MALFORMED,
               "offset: leaves a gap: expected the end of what comes before the section");
        at += EIF_SECTION_HEAD_BYTES;
        ENSURE(layout->size[i] <= file_size - at, ERR_MALFORMED, "size: reaches beyond the file");
        out->section[i].at = layout->offset[i];
        out->section[i].n = layout->size[i];
        at += layout->size[i];
    }
    out->at = -1;
    ENSURE(at == file_size, ERR_MALFORMED, "has bytes behind its last section");
    for (size_t i = out->sections; i < EIF_SECTIONS_MAX; i++)
        ENSURE(layout->offset[i] == 0 && layout->size[i] == 0, ERR_MALFORMED,
               "offsets and sizes of sections that do not exist: expected 0");
    return OK;
}

// What may come after what: the kernel first, its command line before the ramdisks, a signature
// last. Each but the ramdisk once.
static FALLIBLE check_order(const struct pass *pass, enum eif_type type)
{
    ENSURE(pass->seen[EIF_SIGNATURE] == 0, ERR_MALFORMED, "type: nothing may follow a signature");
    ENSURE(type == EIF_RAMDISK || pass->seen[type] == 0, ERR_MALFORMED,
           "type: a second section of this type");
    ENSURE(type == EIF_KERNEL || pass->seen[EIF_KERNEL] == 1, ERR_MALFORMED,
           "type: expected the kernel first");
    ENSURE(type != EIF_RAMDISK || pass->seen[EIF_CMDLINE] == 1, ERR_MALFORMED,
           "type: expected the command line before the ramdisks");
    ENSURE(type != EIF_CMDLINE || pass->seen[EIF_RAMDISK] == 0, ERR_MALFORMED,
           "type: expected the command line before the ramdisks");
    return OK;
}

static FALLIBLE read_section_head(struct pass *pass, struct eif_section *section)
{
    uint8_t head[EIF_SECTION_HEAD_BYTES];
    struct rd rd = rd_of(BYTES_OF(head));
    uint16_t type, flags;

    TRY(pass->source->read(pass->source, section->at, head, sizeof(head)));
    pass->crc = crc32_add(pass->crc, BYTES_OF(head));
    type = rd_u16(&rd);
    flags = rd_u16(&rd);
    ENSURE(type >= EIF_KERNEL && type <= EIF_METADATA, ERR_UNSUPPORTED,
           "type: expected 1 to 5 (kernel, command line, ramdisk, signature, metadata)");
    ENSURE(flags == 0, ERR_UNSUPPORTED, "flags: expected 0");
    ENSURE(rd_u64(&rd) == section->n, ERR_MALFORMED, "size: is another one than in the header");
    section->type = (enum eif_type)type;
    ENSURE(section->n > 0 || section->type == EIF_CMDLINE, ERR_MALFORMED,
           "size: expected at least one byte");
    return check_order(pass, section->type);
}

// Which PCRs measure a section, as bits (AWS: "Cryptographic attestation").
static unsigned measured_by(const struct pass *pass, enum eif_type type)
{
    if (type == EIF_METADATA || type == EIF_SIGNATURE)
        return 0;
    return type == EIF_RAMDISK && pass->seen[EIF_RAMDISK] > 0 ? 1U << 0 | 1U << 2
                                                              : 1U << 0 | 1U << 1;
}

static FALLIBLE keep_in(uint8_t *buf, size_t cap, struct bytes *view, uint64_t n)
{
    ENSURE(n <= cap, ERR_TOO_LARGE, "size: larger than a section of this type may be");
    *view = bytes_of(buf, (size_t)n);
    return OK;
}

// The small sections are kept.
static FALLIBLE keep(struct eif *out, const struct eif_section *section, uint8_t **to)
{
    *to = NULL;
    if (section->type == EIF_CMDLINE) {
        *to = out->cmdline_buf;
        return keep_in(*to, sizeof(out->cmdline_buf), &out->cmdline, section->n);
    }
    if (section->type == EIF_METADATA) {
        *to = out->metadata_buf;
        return keep_in(*to, sizeof(out->metadata_buf), &out->metadata, section->n);
    }
    if (section->type == EIF_SIGNATURE) {
        *to = out->signature_buf;
        return keep_in(*to, sizeof(out->signature_buf), &out->signature, section->n);
    }
    return OK;
}

static FALLIBLE read_data(struct pass *pass, const struct eif_section *section, uint8_t *to)
{
    unsigned pcrs = measured_by(pass, section->type);
    uint64_t at = section->at + EIF_SECTION_HEAD_BYTES;
    uint64_t left = section->n;
    uint8_t block[BLOCK];

    while (left > 0) {
        size_t n = left < sizeof(block) ? (size_t)left : sizeof(block);

        TRY(pass->source->read(pass->source, at, block, n));
        pass->crc = crc32_add(pass->crc, bytes_of(block, n));
        for (unsigned i = 0; i < ARRAY_LEN(pass->pcr); i++)
            if (pcrs & 1U << i)
                sha2_384_add(&pass->pcr[i], bytes_of(block, n));
        if (to) {
            memcpy(to, block, n);
            to += n;
        }
        at += n;
        left -= n;
    }
    return OK;
}

static FALLIBLE read_sections(struct eif *out, struct pass *pass)
{
    for (size_t i = 0; i < out->sections; i++) {
        struct eif_section *section = &out->section[i];
        uint8_t *to;

        out->at = (int)i;
        TRY(read_section_head(pass, section));
        TRY(keep(out, section, &to));
        TRY(read_data(pass, section, to));
        pass->seen[section->type]++;
    }
    out->at = -1;
    ENSURE(pass->seen[EIF_CMDLINE] == 1, ERR_MALFORMED, "has no command line section");
    ENSURE(pass->seen[EIF_RAMDISK] > 0, ERR_MALFORMED, "has no ramdisk section");
    ENSURE(pass->seen[EIF_METADATA] == 1 || out->version < EIF_VERSION, ERR_MALFORMED,
           "has no metadata section, which version 4 demands");
    ENSURE(pass->crc == out->crc, ERR_CORRUPT,
           "crc32: is not that of the file: it was damaged or changed");
    return OK;
}

struct err eif_read(struct eif *out, const struct eif_source *source)
{
    struct pass pass = { .source = source };
    struct layout layout;
    uint8_t head[EIF_HEAD_BYTES];

    *out = (struct eif) { .at = -1 };
    ENSURE(source->size >= sizeof(head), ERR_MALFORMED,
           "magic: the file is shorter than the header of an enclave image");
    ENSURE(source->size <= EIF_BYTES_MAX, ERR_TOO_LARGE, "expected at most 512 MiB");
    TRY(source->read(source, 0, head, sizeof(head)));
    TRY(read_head(out, &layout, BYTES_OF(head)));
    TRY(check_layout(out, &layout, source->size));
    pass.crc = crc32_add(0, bytes_of(head, CRC_AT));
    for (size_t i = 0; i < ARRAY_LEN(pass.pcr); i++)
        sha2_384_start(&pass.pcr[i]);
    TRY(read_sections(out, &pass));
    for (size_t i = 0; i < ARRAY_LEN(pass.pcr); i++) {
        uint8_t digest[EIF_PCR_BYTES];

        sha2_384_end(&pass.pcr[i], digest);
        attest_pcr_extend(out->pcr[i], BYTES_OF(digest));
    }
    return OK;
}
