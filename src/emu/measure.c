// SPDX-License-Identifier: Apache-2.0
// The emulated hypervisor's measurements, by the same PCR rule as the product's own verifier
// (crypto/attest.h). It reads the file once and never executes it.
#include "emu/measure.h"

#include "base/fd.h"
#include "base/must.h"
#include "base/rd.h"
#include "crypto/attest.h"
#include "crypto/openssl/sha2.h"
#include "emu/imagesig.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#define EIF_HEAD_BYTES     548 // all integers are big-endian
#define SECTION_HEAD_BYTES 12
#define SECTIONS_MAX       32
#define READ_MS            10000

enum {
    SECTION_KERNEL = 1,
    SECTION_COMMAND_LINE,
    SECTION_RAMDISK,
    SECTION_SIGNATURE,
    SECTION_METADATA
};

static FALLIBLE hash_file(uint8_t out[static 48], const char *path)
{
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    uint8_t block[16384];
    struct sha2 sha;
    ssize_t got;

    ENSURE(fd >= 0, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "enclave file cannot be opened");
    sha2_384_start(&sha);
    while ((got = read(fd, block, sizeof(block))) > 0)
        sha2_384_add(&sha, bytes_of(block, (size_t)got));
    sha2_384_end(&sha, out);
    ENSURE(got == 0, ERR_IO, "enclave file cannot be read");
    return OK;
}

static void measure_parent(struct nsmdev_pcrs *out, const char *role, const char *instance_id)
{
    if (role)
        attest_pcr_extend(out->role, bytes_str(role));
    if (instance_id)
        attest_pcr_extend(out->instance, bytes_str(instance_id));
}

struct err measure_enclave(struct nsmdev_pcrs *out, const char *path, const char *role,
                           const char *instance_id)
{
    uint8_t digest[48];

    memset(out, 0, sizeof(*out));
    TRY(hash_file(digest, path));
    attest_pcr_extend(out->image, BYTES_OF(digest));
    attest_pcr_extend(out->boot, BYTES_OF(digest));
    sha2_384(digest, BYTES_NONE);
    attest_pcr_extend(out->application, BYTES_OF(digest));
    measure_parent(out, role, instance_id);
    return OK;
}

// -- enclave image files -------------------------------------------------------------------------

struct eif {
    struct sha2 image, boot, application;
    unsigned kernels, command_lines, ramdisks;
    uint8_t signature[IMAGESIG_MAX];
    size_t signature_n;
};

// One section's data, already read, into the measurements it belongs to. Metadata is not measured,
// a signature not as it lies there.
static void eif_add(struct eif *eif, unsigned type, struct bytes block)
{
    if (type == SECTION_SIGNATURE) {
        memcpy(eif->signature + eif->signature_n, block.p, block.n);
        eif->signature_n += block.n;
    }
    if (type > SECTION_RAMDISK)
        return;
    sha2_384_add(&eif->image, block);
    if (type == SECTION_RAMDISK && eif->ramdisks > 1)
        sha2_384_add(&eif->application, block);
    else
        sha2_384_add(&eif->boot, block);
}

static FALLIBLE eif_section(struct eif *eif, int fd)
{
    uint8_t head[SECTION_HEAD_BYTES], block[16384];
    struct rd rd = rd_of(BYTES_OF(head));
    unsigned type;
    uint64_t left;

    TRY(fd_read_all(fd, head, sizeof(head), deadline_in(READ_MS)));
    type = rd_u16(&rd);
    (void)rd_u16(&rd);
    left = rd_u64(&rd);
    ENSURE(type >= SECTION_KERNEL && type <= SECTION_METADATA, ERR_MALFORMED,
           "image: a section is of unknown type");
    ENSURE(type != SECTION_SIGNATURE || (eif->signature_n == 0 && left <= IMAGESIG_MAX),
           ERR_MALFORMED, "image: expected one signature section of at most 32 KiB");
    eif->kernels += type == SECTION_KERNEL;
    eif->command_lines += type == SECTION_COMMAND_LINE;
    eif->ramdisks += type == SECTION_RAMDISK;
    while (left > 0) {
        size_t n = left < sizeof(block) ? (size_t)left : sizeof(block);

        TRY(fd_read_all(fd, block, n, deadline_in(READ_MS)));
        eif_add(eif, type, bytes_of(block, n));
        left -= n;
    }
    return OK;
}

static FALLIBLE eif_read(struct eif *eif, int fd)
{
    uint8_t head[EIF_HEAD_BYTES];
    struct rd rd = rd_of(BYTES_OF(head));
    unsigned sections;

    TRY(fd_read_all(fd, head, sizeof(head), deadline_in(READ_MS)));
    ENSURE(bytes_equal(rd_bytes(&rd, 4), BYTES_LIT(".eif")) && rd_u16(&rd) == 4, ERR_MALFORMED,
           "image: expected an enclave image file (EIF) of version 4");
    (void)rd_bytes(&rd, 20);
    sections = rd_u16(&rd);
    ENSURE(sections <= SECTIONS_MAX, ERR_MALFORMED, "image: more than 32 sections");
    for (unsigned i = 0; i < sections; i++)
        TRY(eif_section(eif, fd));
    ENSURE(eif->kernels == 1 && eif->command_lines == 1 && eif->ramdisks > 0, ERR_MALFORMED,
           "image: expected one kernel, one command line and a ramdisk");
    return OK;
}

static FALLIBLE measure_file(struct eif *eif, const char *path)
{
    AUTO(fd_close) int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct err e;

    ENSURE(fd >= 0, errno == ENOENT ? ERR_NOT_FOUND : ERR_IO, "image cannot be opened");
    e = eif_read(eif, fd);
    ENSURE(e.code != ERR_CLOSED, ERR_MALFORMED, "image: the file ends too early");
    return e;
}

static void measure_end(uint8_t pcr[static NSMDEV_PCR_BYTES], struct sha2 *sha)
{
    uint8_t digest[NSMDEV_PCR_BYTES];

    sha2_384_end(sha, digest);
    attest_pcr_extend(pcr, BYTES_OF(digest));
}

struct err measure_eif(struct nsmdev_pcrs *out, const char *path, const char *role,
                       const char *instance_id)
{
    struct eif eif = { .kernels = 0 };
    struct err e;

    memset(out, 0, sizeof(*out));
    sha2_384_start(&eif.image);
    sha2_384_start(&eif.boot);
    sha2_384_start(&eif.application);
    e = measure_file(&eif, path);
    measure_end(out->image, &eif.image);
    measure_end(out->boot, &eif.boot);
    measure_end(out->application, &eif.application);
    TRY(e);
    measure_parent(out, role, instance_id);
    if (eif.signature_n > 0)
        return imagesig_measure(out->signer, bytes_of(eif.signature, eif.signature_n), out->image);
    return OK;
}
