// SPDX-License-Identifier: Apache-2.0
// cli/eif.h and what else `cloister image` reads: an enclave image ('e'; its checksum is made right
// first, or nothing behind it would be reached; 'E' as it is), a signature section ('s'), a kernel
// ('k'), a program ('i'), a module ('m'), a ramdisk ('r'). An image that is read fills its file, in
// an order that the format knows, and its contents made into an image again measure the same.
#include "fuzz.h"

#include "cli/bootfile.h"
#include "cli/crc32.h"
#include "cli/eifmake.h"
#include "cli/eifsig.h"
#include "cli/ramdisk.h"
#include "crypto/openssl/libcrypto.h"
#include "emu/imagesig.h"

#include <stdlib.h>

#define CRC_AT 544

static struct eif eif, again;

static void write_again(struct bytes image)
{
    uint8_t *room = malloc(image.n);
    struct bytes written;
    struct eif_source source;
    struct eifmake make;

    must(room != NULL);
    eifmake_start(&make, room, image.n);
    for (size_t i = 0; i < eif.sections; i++) {
        const struct eif_section *section = &eif.section[i];

        eifmake_open(&make, section->type);
        wr_bytes(&make.wr,
                 bytes_take(bytes_skip(image, section->at + EIF_SECTION_HEAD_BYTES), section->n));
        eifmake_close(&make);
    }
    fuzz_ok(eifmake_end(&make, &written));
    must(written.n == image.n);
    source = eif_of_bytes(written);
    // Only a newer version may ask for more: metadata.
    if (!eif_read(&again, &source).code)
        must(memcmp(eif.pcr, again.pcr, sizeof(eif.pcr)) == 0 && again.sections == eif.sections);
    else
        must(eif.version < EIF_VERSION && !eif.metadata.p);
    free(room);
}

static void fuzz_image(struct bytes in, bool seal)
{
    uint8_t *copy = malloc(in.n + 1);
    struct bytes image = bytes_of(copy, in.n);
    struct eif_source source = eif_of_bytes(image);
    struct wr wr = { 0 };
    struct err err;

    must(copy != NULL);
    if (in.n)
        memcpy(copy, in.p, in.n);
    if (seal && in.n >= EIF_HEAD_BYTES) {
        wr = wr_of(copy + CRC_AT, 4);
        wr_u32(&wr, crc32_add(crc32_add(0, bytes_take(image, CRC_AT)),
                              bytes_skip(image, EIF_HEAD_BYTES)));
    }
    err = eif_read(&eif, &source);
    must(err.code != ERR_INTERNAL && eif.at >= -1 && eif.at < EIF_SECTIONS_MAX);
    if (!err.code) {
        must(eif.at == -1 && eif.cmdline.p && eif.section[0].type == EIF_KERNEL);
        write_again(image);
    }
    free(copy);
}

// The emulator has a reader of its own: what is signed for this one is for that one, too.
static void fuzz_signature(struct bytes in)
{
    static const uint8_t pcr0[EIF_PCR_BYTES] = { 1 };
    static struct eifsig sig;
    uint8_t pcr8[EIF_PCR_BYTES];
    struct err err;

    must(imagesig_measure(pcr8, in, pcr0).code); // nobody signed this one
    if (eifsig_read(&sig, in).code)
        return;
    err = imagesig_measure(pcr8, in, sig.pcr0);
    if (!eifsig_verify(&sig, sig.pcr0).code)
        must(err.code == ERR_EXPIRED || (!err.code && !memcmp(pcr8, sig.pcr8, sizeof(pcr8))));
    else
        must(err.code);
    must(sig.cert.n > 0 && sig.cert.n <= CODESIGN_CERT_MAX);
    must(memchr(sig.cert.subject, 0, sizeof(sig.cert.subject)) != NULL);
    must(eifsig_verify(&sig, pcr0).code);
}

// Entries follow each other, each inside.
static void fuzz_ramdisk(struct bytes in)
{
    struct eif_source source = eif_of_bytes(in);
    struct eif_section section = { .n = in.n - EIF_SECTION_HEAD_BYTES };
    struct ramdisk disk = ramdisk_of(&source, &section);
    uint8_t digest[EIF_PCR_BYTES];
    bool is_entry = true;
    uint64_t before = 0;

    while (!ramdisk_next(&disk, &is_entry).code && is_entry) {
        must(disk.at > before && disk.at <= in.n && disk.data + disk.n <= disk.at);
        must(memchr(disk.name, 0, sizeof(disk.name)) != NULL);
        fuzz_ok(ramdisk_hash(&disk, digest));
        before = disk.at;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static bool is_started;
    struct bytes in = bytes_skip(bytes_of(data, n), 1);
    struct bytes release = BYTES_NONE;

    if (!is_started)
        fuzz_ok(libcrypto_init());
    is_started = true;
    if (n > 0 && (data[0] == 'e' || data[0] == 'E'))
        fuzz_image(in, data[0] == 'e');
    else if (n > 0 && data[0] == 's')
        fuzz_signature(in);
    else if (n > 0 && data[0] == 'k' && !bootfile_kernel(&release, in).code)
        must(release.n <= in.n);
    else if (n > 0 && data[0] == 'i')
        (void)bootfile_init(in).code;
    else if (n > 0 && data[0] == 'm')
        (void)bootfile_module(in).code;
    else if (n > 0 && data[0] == 'r' && in.n >= EIF_SECTION_HEAD_BYTES)
        fuzz_ramdisk(in);
    return 0;
}
