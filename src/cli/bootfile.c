// SPDX-License-Identifier: Apache-2.0
// Fields of the two headers at their offsets; what lies behind the end of the file reads as 0,
// which no check accepts. Everything is little-endian.
#include "cli/bootfile.h"

#include <string.h>

// struct setup_header of the boot protocol.
#define SETUP_SECTORS 0x1f1
#define SETUP_BOOT    0x1fe // 0xaa55
#define SETUP_MAGIC   0x202 // "HdrS"
#define SETUP_VERSION 0x206
#define SETUP_RELEASE 0x20e // offset of a text, less 0x200
#define SETUP_LOAD    0x211
#define SETUP_XLOAD   0x236
#define LOADED_HIGH   1U
#define XLOAD_64      1U
#define PROTOCOL_MIN  0x020c // the first with xloadflags
#define RELEASE_MAX   64U
#define SECTOR        512U

// Elf64_Ehdr and Elf64_Phdr (System V ABI).
#define ELF_CLASS   4
#define ELF_TYPE    16
#define ELF_MACHINE 18
#define ELF_PHOFF   32
#define ELF_PHSIZE  54
#define ELF_PHNUM   56
#define ELF_BYTES   64U
#define PH_BYTES    56U
#define PH_MAX      64U
#define CLASS_64    2U
#define DATA_LITTLE 1U
#define TYPE_REL    1U
#define TYPE_EXEC   2U
#define TYPE_DYN    3U
#define X86_64      62U
#define PT_LOAD     1U
#define PT_INTERP   3U

static uint64_t le(struct bytes file, uint64_t at, unsigned n)
{
    uint64_t value = 0;

    if (at > file.n || n > file.n - at)
        return 0;
    for (unsigned i = n; i-- > 0;)
        value = value << 8 | file.p[at + i];
    return value;
}

static bool has(struct bytes file, size_t at, struct bytes what)
{
    return bytes_equal(bytes_take(bytes_skip(file, at), what.n), what);
}

struct err bootfile_kernel(struct bytes *release, struct bytes file)
{
    uint64_t sectors = le(file, SETUP_SECTORS, 1);
    uint64_t setup = ((sectors ? sectors : 4) + 1) * SECTOR; // 0 means 4, for the oldest loaders
    uint64_t text = le(file, SETUP_RELEASE, 2);

    ENSURE(le(file, SETUP_BOOT, 2) == 0xaa55 && has(file, SETUP_MAGIC, BYTES_LIT("HdrS")),
           ERR_MALFORMED, "expected a Linux kernel as bzImage (0xaa55 and \"HdrS\" at 0x1fe)");
    ENSURE(le(file, SETUP_VERSION, 2) >= PROTOCOL_MIN, ERR_UNSUPPORTED,
           "boot protocol: expected 2.12 or newer");
    ENSURE(le(file, SETUP_LOAD, 1) & LOADED_HIGH, ERR_UNSUPPORTED,
           "expected a bzImage, not a zImage (loadflags)");
    ENSURE(le(file, SETUP_XLOAD, 2) & XLOAD_64, ERR_UNSUPPORTED,
           "expected a kernel of 64 bits (xloadflags)");
    ENSURE(file.n > setup, ERR_MALFORMED, "the bzImage ends in its setup code");
    *release = text ? bytes_take(bytes_skip(file, text + 0x200), RELEASE_MAX) : BYTES_NONE;
    for (size_t i = 0; i < release->n; i++)
        if (release->p[i] <= ' ' || release->p[i] > '~')
            release->n = i;
    return OK;
}

static FALLIBLE check_elf(struct bytes file)
{
    ENSURE(file.n >= ELF_BYTES && has(file, 0,
                                      BYTES_LIT("\x7f"
                                                "ELF")),
           ERR_MALFORMED, "expected an ELF file");
    ENSURE(le(file, ELF_CLASS, 1) == CLASS_64 && le(file, ELF_CLASS + 1, 1) == DATA_LITTLE &&
               le(file, ELF_MACHINE, 2) == X86_64,
           ERR_UNSUPPORTED, "expected an ELF file for x86-64");
    return OK;
}

struct err bootfile_init(struct bytes file)
{
    uint64_t at = le(file, ELF_PHOFF, 8);
    uint64_t headers, type;
    uint64_t loads = 0;

    TRY(check_elf(file));
    type = le(file, ELF_TYPE, 2);
    headers = le(file, ELF_PHNUM, 2);
    ENSURE(type == TYPE_EXEC || type == TYPE_DYN, ERR_MALFORMED, "expected a program (ELF type)");
    ENSURE(headers > 0 && headers <= PH_MAX && le(file, ELF_PHSIZE, 2) == PH_BYTES, ERR_MALFORMED,
           "expected a program (ELF program headers)");
    ENSURE(at <= file.n && headers * PH_BYTES <= file.n - at, ERR_MALFORMED,
           "the program ends before its headers");
    for (uint64_t i = 0; i < headers; i++) {
        uint64_t kind = le(file, at + i * PH_BYTES, 4);

        ENSURE(kind != PT_INTERP, ERR_UNSUPPORTED,
               "expected a program that is linked statically: the image holds no library");
        loads += kind == PT_LOAD;
    }
    ENSURE(loads > 0, ERR_MALFORMED, "expected a program (nothing of it is loaded)");
    return OK;
}

struct err bootfile_module(struct bytes file)
{
    TRY(check_elf(file));
    ENSURE(le(file, ELF_TYPE, 2) == TYPE_REL, ERR_MALFORMED,
           "expected a kernel module (an ELF file of type REL)");
    return OK;
}
