// SPDX-License-Identifier: Apache-2.0
// cli/bootfile.h: kernels, programs and modules, each with one thing wrong.
#include "cli/bootfile.h"

#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"

#define KERNEL_BYTES 4096U
#define HEADERS_AT   64U
#define ELF_BYTES    (HEADERS_AT + 2 * 56U)

static uint8_t file[KERNEL_BYTES];

static void put(size_t at, uint64_t value, size_t n)
{
    for (size_t i = 0; i < n; i++)
        file[at + i] = (uint8_t)(value >> (8 * i));
}

// The boot header of a bzImage with four sectors of setup code.
static void make_kernel(void)
{
    memset(file, 0, sizeof(file));
    put(0x1f1, 3, 1);
    put(0x1fe, 0xaa55, 2);
    memcpy(file + 0x202, "HdrS", 4);
    put(0x206, 0x20f, 2);
    put(0x20e, 0x300, 2);
    put(0x211, 1, 1);
    put(0x236, 1, 2);
    memcpy(file + 0x500, "6.12.95-nitro (a@b) #1", 22);
}

// An ELF header and two program headers.
static void make_elf(unsigned type, unsigned first, unsigned second)
{
    memset(file, 0, sizeof(file));
    memcpy(file,
           "\x7f"
           "ELF\2\1\1",
           7);
    put(16, type, 2);
    put(18, 62, 2);
    put(32, HEADERS_AT, 8);
    put(54, 56, 2);
    put(56, 2, 2);
    put(HEADERS_AT, first, 4);
    put(HEADERS_AT + 56, second, 4);
}

struct change {
    const char *name;
    size_t at, size;
    uint64_t value;
    size_t bytes; // of the file; 0: all
    enum err_code code;
    const char *what;
};

static void kernels(void **state)
{
    static const struct change cases[] = {
        { "good", 0, 0, 0, 0, ERR_NONE, NULL },
        { "no sectors: four", 0x1f1, 1, 0, 0, ERR_NONE, NULL },
        { "old boot sector", 0x1fe, 2, 0x55aa, 0, ERR_MALFORMED, "bzImage" },
        { "no header", 0x202, 4, 0, 0, ERR_MALFORMED, "bzImage" },
        { "protocol 2.11", 0x206, 2, 0x20b, 0, ERR_UNSUPPORTED, "2.12" },
        { "zImage", 0x211, 1, 0, 0, ERR_UNSUPPORTED, "zImage" },
        { "32 bits", 0x236, 2, 0xfffe, 0, ERR_UNSUPPORTED, "64 bits" },
        { "cut in the setup code", 0, 0, 0, 2048, ERR_MALFORMED, "setup code" },
        { "large setup code", 0x1f1, 1, 0xff, 0, ERR_MALFORMED, "setup code" },
        { "cut before the flags", 0, 0, 0, 0x236, ERR_UNSUPPORTED, "64 bits" },
        { "cut before the header", 0, 0, 0, 0x200, ERR_MALFORMED, "bzImage" },
        { "empty", 0, 0, 0, SIZE_MAX, ERR_MALFORMED, "bzImage" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct change *c = &cases[i];
        size_t n = c->bytes == 0 ? sizeof(file) : (c->bytes == SIZE_MAX ? 0 : c->bytes);
        struct bytes release;

        make_kernel();
        put(c->at, c->value, c->size);
        expect_err(c->name, bootfile_kernel(&release, bytes_of(file, n)), c->code, c->what);
    }
}

static void releases(void **state)
{
    static const struct {
        size_t at;
        const char *release;
    } cases[] = {
        { 0x300, "6.12.95-nitro" },
        { 0x30e, "(a@b)" }, // wherever it points
        { 0, "" },
        { 0xfff0, "" }, // outside
        { 0x600, "" },  // zeros
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bytes release;

        make_kernel();
        put(0x20e, cases[i].at, 2);
        expect_ok(cases[i].release, bootfile_kernel(&release, bytes_of(file, sizeof(file))));
        assert_true(bytes_equal_str(release, cases[i].release));
    }
}

static void programs(void **state)
{
    static const struct change cases[] = {
        { "static-pie", 0, 0, 0, 0, ERR_NONE, NULL },
        { "static", 16, 2, 2, 0, ERR_NONE, NULL },
        { "no ELF", 0, 1, 0, 0, ERR_MALFORMED, "ELF file" },
        { "a script", 0, 2, 0x2123, 0, ERR_MALFORMED, "ELF file" },
        { "32 bits", 4, 1, 1, 0, ERR_UNSUPPORTED, "x86-64" },
        { "big-endian", 5, 1, 2, 0, ERR_UNSUPPORTED, "x86-64" },
        { "aarch64", 18, 2, 183, 0, ERR_UNSUPPORTED, "x86-64" },
        { "a module", 16, 2, 1, 0, ERR_MALFORMED, "ELF type" },
        { "a core dump", 16, 2, 4, 0, ERR_MALFORMED, "ELF type" },
        { "no program headers", 56, 2, 0, 0, ERR_MALFORMED, "program headers" },
        { "too many", 56, 2, 65, 0, ERR_MALFORMED, "program headers" },
        { "of another size", 54, 2, 55, 0, ERR_MALFORMED, "program headers" },
        { "outside", 32, 8, ELF_BYTES - 56, 0, ERR_MALFORMED, "before its headers" },
        { "far outside", 32, 8, UINT64_MAX - 8, 0, ERR_MALFORMED, "before its headers" },
        { "an interpreter", HEADERS_AT + 56, 4, 3, 0, ERR_UNSUPPORTED, "statically" },
        { "nothing to load", HEADERS_AT, 4, 6, 0, ERR_MALFORMED, "nothing of it" },
        { "cut", 0, 0, 0, ELF_BYTES - 1, ERR_MALFORMED, "before its headers" },
        { "cut in the header", 0, 0, 0, 63, ERR_MALFORMED, "ELF file" },
        { "empty", 0, 0, 0, SIZE_MAX, ERR_MALFORMED, "ELF file" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        const struct change *c = &cases[i];
        size_t n = c->bytes == 0 ? ELF_BYTES : (c->bytes == SIZE_MAX ? 0 : c->bytes);

        make_elf(3, 1, 6);
        put(c->at, c->value, c->size);
        expect_err(c->name, bootfile_init(bytes_of(file, n)), c->code, c->what);
    }
}

static void modules(void **state)
{
    (void)state;
    make_elf(1, 0, 0);
    expect_ok("module", bootfile_module(bytes_of(file, ELF_BYTES)));
    expect_err("cut", bootfile_module(bytes_of(file, 63)), ERR_MALFORMED, "ELF file");
    put(18, 3, 2);
    expect_err("i386", bootfile_module(bytes_of(file, ELF_BYTES)), ERR_UNSUPPORTED, "x86-64");
    make_elf(3, 1, 6);
    expect_err("program", bootfile_module(bytes_of(file, ELF_BYTES)), ERR_MALFORMED, "module");
    memcpy(file,
           "\xfd"
           "7zXZ",
           5);
    expect_err("compressed", bootfile_module(bytes_of(file, ELF_BYTES)), ERR_MALFORMED, "ELF");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kernels),
        cmocka_unit_test(releases),
        cmocka_unit_test(programs),
        cmocka_unit_test(modules),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
