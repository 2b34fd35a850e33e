// SPDX-License-Identifier: Apache-2.0
// cli/ramdisk.h: archives written out by hand, whole, behind each other, and damaged.
#include "cli/ramdisk.h"

#include "base/hex.h"
#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"

#define ZEROS "00000000"
// An entry's header up to its name: mode, links, size, and the length of the name.
#define HEAD(mode, links, size, name) \
    "070701"                          \
    "00000001" mode ZEROS ZEROS links ZEROS size ZEROS ZEROS ZEROS ZEROS name ZEROS
#define FILE5(mode, links) HEAD(mode, links, "00000005", "00000005") "init\0\0hello\0\0\0"
#define REGULAR            "000081ed"
#define INIT               FILE5(REGULAR, "00000001")
#define DEV                HEAD("000041ed", "00000002", ZEROS, "00000004") "dev\0\0\0"
#define TRAILER            HEAD(ZEROS, "00000001", ZEROS, "0000000b") "TRAILER!!!\0\0\0\0"
#define TEXT(text)                                \
    {                                             \
        (const uint8_t *)(text), sizeof(text) - 1 \
    }

static uint8_t buf[4096];
static struct eif_source source;

// The bytes behind a section's head.
static struct ramdisk disk_of(struct bytes content)
{
    struct wr wr = WR_OF(buf);
    struct eif_section section = { .type = EIF_RAMDISK, .at = 8, .n = content.n };

    memset(buf, 0xee, sizeof(buf));
    (void)wr_room(&wr, 8 + EIF_SECTION_HEAD_BYTES);
    wr_bytes(&wr, content);
    must(!wr.bad);
    source = eif_of_bytes(bytes_of(buf, sizeof(buf)));
    return ramdisk_of(&source, &section);
}

static void one_entry(void **state)
{
    static const struct bytes archive = TEXT(INIT TRAILER);
    struct ramdisk disk = disk_of(archive);
    uint8_t digest[EIF_PCR_BYTES];
    char digits[2 * EIF_PCR_BYTES + 1];
    bool is_entry = false;

    (void)state;
    expect_ok("init", ramdisk_next(&disk, &is_entry));
    assert_true(is_entry);
    assert_string_equal(disk.name, "init");
    assert_int_equal(disk.mode, 0100755);
    assert_int_equal(disk.n, 5);
    expect_ok("hash", ramdisk_hash(&disk, digest));
    hex_encode(digits, BYTES_OF(digest));
    // sha384sum of "hello"
    assert_string_equal(digits, "59e1748777448c69de6b800d7a33bbfb9ff1b463e44354c3553bcdb9c666fa90"
                                "125a3c79f90397bdf5f6a13de828684f");
    expect_ok("end", ramdisk_next(&disk, &is_entry));
    assert_false(is_entry);
    expect_ok("end again", ramdisk_next(&disk, &is_entry));
    assert_false(is_entry);
}

static void lists(void **state)
{
    static const struct {
        const char *name;
        struct bytes content;
        unsigned entries;
        enum err_code code;
        const char *what;
    } cases[] = {
        { "nothing", { NULL, 0 }, 0, ERR_NONE, NULL },
        { "zeros", TEXT("\0\0\0\0\0\0\0\0"), 0, ERR_NONE, NULL },
        { "an empty archive", TEXT(TRAILER), 0, ERR_NONE, NULL },
        { "two entries", TEXT(DEV INIT TRAILER), 2, ERR_NONE, NULL },
        { "two archives", TEXT(DEV TRAILER "\0\0\0\0" INIT TRAILER), 2, ERR_NONE, NULL },
        { "zeros before", TEXT("\0\0\0\0" DEV TRAILER), 1, ERR_NONE, NULL },
        { "gzip", TEXT("\x1f\x8b\x08\0"), 0, ERR_MALFORMED, "cut" },
        { "gzip, longer", TEXT("\x1f\x8b\x08\0" DEV), 0, ERR_UNSUPPORTED, "compressed" },
        { "something behind the trailer", TEXT(DEV TRAILER "\x1f\x8b\x08\0" INIT), 1,
          ERR_UNSUPPORTED, "compressed" },
        { "old binary form", TEXT("070707" DEV "\0\0"), 0, ERR_UNSUPPORTED, "newc" },
        { "form with checksums", TEXT("070702" DEV "\0\0"), 0, ERR_UNSUPPORTED, "newc" },
        { "no trailer", TEXT(DEV), 1, ERR_MALFORMED, "cut" },
        { "zeros between entries", TEXT(DEV "\0\0\0\0" INIT TRAILER), 1, ERR_UNSUPPORTED, "newc" },
        { "not aligned", TEXT("\0\0" DEV TRAILER "\0\0"), 0, ERR_UNSUPPORTED, "multiple of 4" },
        { "odd length", TEXT(DEV TRAILER "\0"), 0, ERR_UNSUPPORTED, "multiple of 4" },
        { "no hex", TEXT(HEAD("0000xxxx", "00000001", ZEROS, "00000004") "dev\0\0\0" TRAILER), 0,
          ERR_MALFORMED, "hex" },
        { "a blank for a digit",
          TEXT(HEAD("    81ed", "00000001", ZEROS, "00000004") "dev\0\0\0" TRAILER), 0,
          ERR_MALFORMED, "hex" },
        { "hard link", TEXT(FILE5(REGULAR, "00000002") TRAILER), 0, ERR_UNSUPPORTED, "hard links" },
        { "no name", TEXT(HEAD(REGULAR, "00000001", ZEROS, ZEROS) "\0\0" TRAILER), 0,
          ERR_UNSUPPORTED, "name" },
        { "empty name", TEXT(HEAD(REGULAR, "00000001", ZEROS, "00000001") "\0\0" TRAILER), 0,
          ERR_UNSUPPORTED, "name" },
        { "long name", TEXT(HEAD(REGULAR, "00000001", ZEROS, "00000101") "a\0" TRAILER), 0,
          ERR_UNSUPPORTED, "name" },
        { "name without end", TEXT(HEAD(REGULAR, "00000001", ZEROS, "00000004") "devi\0\0" TRAILER),
          0, ERR_MALFORMED, "first NUL" },
        { "name with two ends",
          TEXT(HEAD(REGULAR, "00000001", ZEROS, "00000004") "d\0v\0\0\0" TRAILER), 0, ERR_MALFORMED,
          "first NUL" },
        { "content outside", TEXT(HEAD(REGULAR, "00000001", "ffffffff", "00000004") "dev\0\0\0"), 0,
          ERR_MALFORMED, "cut" },
        { "trailer with content",
          TEXT(HEAD(ZEROS, "00000001", "00000004", "0000000b") "TRAILER!!!\0\0\0\0abcd"), 0,
          ERR_MALFORMED, "trailer" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct ramdisk disk = disk_of(cases[i].content);
        bool is_entry = true;
        unsigned entries = 0;
        struct err err;

        do {
            err = ramdisk_next(&disk, &is_entry);
            entries += is_entry;
        } while (!err.code && is_entry);
        expect_err(cases[i].name, err, cases[i].code, cases[i].what);
        if (entries != cases[i].entries)
            fail_msg("%s: %u entries, expected %u", cases[i].name, entries, cases[i].entries);
    }
}

static void cut(void **state)
{
    static const struct bytes archive = TEXT(DEV INIT TRAILER);

    (void)state;
    for (size_t n = 4; n < archive.n; n += 4) {
        struct ramdisk disk = disk_of(bytes_take(archive, n));
        bool is_entry = true;
        struct err err;

        do
            err = ramdisk_next(&disk, &is_entry);
        while (!err.code && is_entry);
        expect_err("cut", err, ERR_MALFORMED, "cut");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_entry),
        cmocka_unit_test(lists),
        cmocka_unit_test(cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
