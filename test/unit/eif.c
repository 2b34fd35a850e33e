// SPDX-License-Identifier: Apache-2.0
// cli/eif.h, cli/eifmake.h, cli/crc32.h: the smallest image, whose checksum and registers are known
// from outside, and everything that is none. Images with whole headers but wrong contents are also
// test/system/image.py's, which writes them with other code.
#include "base/hex.h"
#include "base/must.h"
#include "cli/crc32.h"
#include "cli/eifmake.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "expect.h"

#define IMAGE_MAX 200000U
#define BYTES     681U // of the smallest image
#define CRC_AT    544U

static uint8_t buf[IMAGE_MAX];
static struct eif eif;

#define TEXT(text)                                \
    {                                             \
        (const uint8_t *)(text), sizeof(text) - 1 \
    }
#define KERNEL                           \
    {                                    \
        EIF_KERNEL, TEXT("KERNEL-BYTES") \
    }
#define CMDLINE                                     \
    {                                               \
        EIF_CMDLINE, TEXT("reboot=k console=ttyS0") \
    }
#define METADATA                                    \
    {                                               \
        EIF_METADATA, TEXT("{\"ImageName\":\"t\"}") \
    }
#define ONE                              \
    {                                    \
        EIF_RAMDISK, TEXT("RAMDISK-ONE") \
    }
#define TWO                              \
    {                                    \
        EIF_RAMDISK, TEXT("RAMDISK-TWO") \
    }
#define SIGNED                           \
    {                                    \
        EIF_SIGNATURE, TEXT("SIGNATURE") \
    }

struct part {
    enum eif_type type;
    struct bytes data;
};

static const struct part smallest[] = { KERNEL, CMDLINE, METADATA, ONE, TWO };

static struct bytes make(const struct part *part, size_t parts)
{
    struct eifmake make;
    struct bytes image = BYTES_NONE;

    eifmake_start(&make, buf, sizeof(buf));
    for (size_t i = 0; i < parts; i++) {
        eifmake_open(&make, part[i].type);
        wr_bytes(&make.wr, part[i].data);
        eifmake_close(&make);
    }
    expect_ok("make", eifmake_end(&make, &image));
    return image;
}

static struct err read_bytes(struct bytes image)
{
    struct eif_source source = eif_of_bytes(image);

    return eif_read(&eif, &source);
}

static void expect_hex(struct bytes got, const char *expected)
{
    char digits[2 * EIF_PCR_BYTES + 1];

    hex_encode(digits, got);
    assert_string_equal(digits, expected);
}

static void checksums(void **state)
{
    // The check value of CRC-32/ISO-HDLC, and of RFC 3720-like simple inputs by zlib.
    static const struct {
        const char *text;
        uint32_t crc;
    } cases[] = {
        { "", 0 },
        { "a", 0xe8b7be43 },
        { "123456789", 0xcbf43926 },
        { "The quick brown fox jumps over the lazy dog", 0x414fa339 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bytes b = bytes_str(cases[i].text);
        uint32_t split = crc32_add(crc32_add(0, bytes_take(b, 4)), bytes_skip(b, 4));

        assert_int_equal(crc32_add(0, b), cases[i].crc);
        assert_int_equal(split, cases[i].crc);
    }
}

// Values of an image that other code wrote and QEMU's nitro-enclave machine measured.
static void known(void **state)
{
    struct bytes image = make(smallest, ARRAY_LEN(smallest));
    static const uint64_t offset[] = { 548, 572, 606, 635, 658 };

    (void)state;
    assert_int_equal(image.n, BYTES);
    expect_ok("smallest", read_bytes(image));
    assert_int_equal(eif.crc, 0xb45fe2fd);
    assert_int_equal(eif.version, 4);
    assert_int_equal(eif.sections, 5);
    assert_int_equal(eif.memory_bytes, 1 << 30);
    assert_int_equal(eif.cpus, 2);
    assert_false(eif.is_arm);
    for (size_t i = 0; i < eif.sections; i++) {
        assert_int_equal(eif.section[i].at, offset[i]);
        assert_int_equal(eif.section[i].type, smallest[i].type);
    }
    assert_true(bytes_equal_str(eif.cmdline, "reboot=k console=ttyS0"));
    assert_true(bytes_equal_str(eif.metadata, "{\"ImageName\":\"t\"}"));
    assert_null(eif.signature.p);
    expect_hex(BYTES_OF(eif.pcr[0]),
               "4277ec56b63df8c80f9a7ed677a628f0344b74423f154cc060733ce4918a70bc"
               "9b1f76ff2f8d35ab99ed77dd84c937dc");
    expect_hex(BYTES_OF(eif.pcr[1]),
               "ea207765c69325715064f6726eef14707096f81a799a776283a692049009514f"
               "fe182a710f1aceda48c52e5ba652cf93");
    expect_hex(BYTES_OF(eif.pcr[2]),
               "f33eabf2c1c9c8488352690b8d9f5dded507ecfe30ea2d738e6f60c53adad8f4"
               "99733128196224d78b0ae05b7be6544e");
}

static void one_ramdisk(void **state)
{
    static const struct part parts[] = { KERNEL, CMDLINE, METADATA, ONE, SIGNED };

    (void)state;
    expect_ok("one ramdisk", read_bytes(make(parts, ARRAY_LEN(parts))));
    assert_true(bytes_equal_str(eif.signature, "SIGNATURE"));
    assert_memory_equal(eif.pcr[0], eif.pcr[1], EIF_PCR_BYTES);
    // Of no bytes: PCR2 of every image that has one ramdisk.
    expect_hex(BYTES_OF(eif.pcr[2]),
               "21b9efbc184807662e966d34f390821309eeac6802309798826296bf3e8bec7c"
               "10edb30948c90ba67310f7b964fc500a");
}

// A file of the same bytes, longer than a block, reads the same.
static void from_a_file(void **state)
{
    static uint8_t big[40001];
    const struct part parts[] = { KERNEL, CMDLINE, METADATA, { EIF_RAMDISK, BYTES_OF(big) } };
    struct bytes image = make(parts, ARRAY_LEN(parts));
    struct eif_source source;
    uint8_t pcr0[EIF_PCR_BYTES];
    char path[] = "/tmp/cloister-eif-XXXXXX";
    int fd = mkstemp(path);

    (void)state;
    expect_ok("bytes", read_bytes(image));
    memcpy(pcr0, eif.pcr[0], sizeof(pcr0));
    assert_true(fd >= 0 && unlink(path) == 0);
    assert_int_equal(write(fd, image.p, image.n), image.n);
    expect_ok("file", eif_of_file(&source, fd));
    expect_ok("file", eif_read(&eif, &source));
    assert_memory_equal(pcr0, eif.pcr[0], sizeof(pcr0));
    assert_int_equal(ftruncate(fd, 1000), 0); // while it is read
    expect_err("cut", eif_read(&eif, &source), ERR_MALFORMED, "ends before");
    assert_int_equal(ftruncate(fd, (off_t)EIF_BYTES_MAX + 1), 0);
    expect_err("huge", eif_of_file(&source, fd), ERR_TOO_LARGE, "512 MiB");
    close(fd);
    fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
    expect_err("device", eif_of_file(&source, fd), ERR_UNSUPPORTED, "regular file");
    close(fd);
}

static void seal(uint8_t *image, size_t n)
{
    uint32_t crc = crc32_add(0, bytes_of(image, CRC_AT));
    struct wr wr = wr_of(image + CRC_AT, 4);

    wr_u32(&wr, crc32_add(crc, bytes_of(image + EIF_HEAD_BYTES, n - EIF_HEAD_BYTES)));
}

// One field of the smallest image is another, and the checksum is right.
static void fields(void **state)
{
    static const struct {
        const char *name;
        size_t at, size;
        uint64_t value;
        enum err_code code;
        const char *what;
        int section;
    } cases[] = {
        { "magic", 0, 4, 0x7f454c46, ERR_MALFORMED, "magic", -1 },
        { "version 1", 4, 2, 1, ERR_UNSUPPORTED, "version: expected 2 to 4", -1 },
        { "version 5", 4, 2, 5, ERR_UNSUPPORTED, "version: expected 2 to 4", -1 },
        { "flags", 6, 2, 2, ERR_UNSUPPORTED, "flags", -1 },
        { "reserved", 24, 2, 1, ERR_MALFORMED, "reserved", -1 },
        { "no sections", 26, 2, 0, ERR_MALFORMED, "number of sections", -1 },
        { "33 sections", 26, 2, 33, ERR_MALFORMED, "number of sections", -1 },
        { "4 sections", 26, 2, 4, ERR_MALFORMED, "behind its last section", -1 },
        { "6 sections", 26, 2, 6, ERR_MALFORMED, "offset: overlaps", 5 },
        { "offset overlaps", 28 + 8, 8, 571, ERR_MALFORMED, "offset: overlaps", 1 },
        { "offset leaves a gap", 28 + 8, 8, 573, ERR_MALFORMED, "offset: leaves a gap", 1 },
        { "offset outside", 28 + 8, 8, 681, ERR_MALFORMED, "offset: lies outside", 1 },
        { "offset far outside", 28, 8, UINT64_MAX, ERR_MALFORMED, "offset: lies outside", 0 },
        { "size too small", 284, 8, 11, ERR_MALFORMED, "offset: leaves a gap", 1 },
        { "size too large", 284, 8, 122, ERR_MALFORMED, "size: reaches beyond", 0 },
        { "size far too large", 284, 8, UINT64_MAX - 559, ERR_MALFORMED, "size: reaches", 0 },
        { "offset of no section", 28 + 8 * 31, 8, 1, ERR_MALFORMED, "do not exist", -1 },
        { "size of no section", 284 + 8 * 31, 8, 1, ERR_MALFORMED, "do not exist", -1 },
        { "reserved at the end", 540, 4, 1, ERR_MALFORMED, "reserved", -1 },
        { "type 0", 548, 2, 0, ERR_UNSUPPORTED, "type: expected 1 to 5", 0 },
        { "type 6", 658, 2, 6, ERR_UNSUPPORTED, "type: expected 1 to 5", 4 },
        { "type 65535", 635, 2, 65535, ERR_UNSUPPORTED, "type: expected 1 to 5", 3 },
        { "section flags", 550, 2, 1, ERR_UNSUPPORTED, "flags: expected 0", 0 },
        { "size in the section", 552, 8, 13, ERR_MALFORMED, "size: is another one", 0 },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct bytes image = make(smallest, ARRAY_LEN(smallest));
        struct wr wr = wr_of(buf + cases[i].at, cases[i].size);

        for (size_t k = cases[i].size; k-- > 0;)
            wr_u8(&wr, (uint8_t)(cases[i].value >> (8 * k)));
        seal(buf, image.n);
        expect_err(cases[i].name, read_bytes(image), cases[i].code, cases[i].what);
        assert_int_equal(eif.at, cases[i].section);
    }
}

static void orders(void **state)
{
    static uint8_t zeros[EIF_METADATA_MAX + 1];
    const struct {
        const char *name;
        struct part part[6];
        enum err_code code;
        const char *what;
    } cases[] = {
        { "metadata last", { KERNEL, CMDLINE, ONE, METADATA }, ERR_NONE, NULL },
        { "empty command line",
          { KERNEL, { EIF_CMDLINE, BYTES_NONE }, METADATA, ONE },
          ERR_NONE,
          NULL },
        { "no kernel", { CMDLINE, METADATA, ONE }, ERR_MALFORMED, "kernel first" },
        { "kernel second", { CMDLINE, KERNEL, METADATA, ONE }, ERR_MALFORMED, "kernel first" },
        { "two kernels", { KERNEL, KERNEL, CMDLINE, METADATA, ONE }, ERR_MALFORMED, "a second" },
        { "two command lines",
          { KERNEL, CMDLINE, CMDLINE, METADATA, ONE },
          ERR_MALFORMED,
          "a second" },
        { "two metadata", { KERNEL, CMDLINE, METADATA, METADATA, ONE }, ERR_MALFORMED, "a second" },
        { "ramdisk too early",
          { KERNEL, ONE, CMDLINE, METADATA },
          ERR_MALFORMED,
          "command line before" },
        { "signature in between",
          { KERNEL, CMDLINE, METADATA, ONE, SIGNED, TWO },
          ERR_MALFORMED,
          "nothing may follow" },
        { "two signatures",
          { KERNEL, CMDLINE, METADATA, ONE, SIGNED, SIGNED },
          ERR_MALFORMED,
          "nothing may follow" },
        { "no command line", { KERNEL, METADATA }, ERR_MALFORMED, "no command line" },
        { "no ramdisk", { KERNEL, CMDLINE, METADATA }, ERR_MALFORMED, "no ramdisk" },
        { "no metadata", { KERNEL, CMDLINE, ONE }, ERR_MALFORMED, "no metadata" },
        { "empty kernel",
          { { EIF_KERNEL, BYTES_NONE }, CMDLINE, METADATA, ONE },
          ERR_MALFORMED,
          "at least one byte" },
        { "empty ramdisk",
          { KERNEL, CMDLINE, METADATA, ONE, { EIF_RAMDISK, BYTES_NONE } },
          ERR_MALFORMED,
          "at least one byte" },
        { "long command line",
          { KERNEL, { EIF_CMDLINE, { zeros, EIF_CMDLINE_MAX + 1 } }, METADATA, ONE },
          ERR_TOO_LARGE,
          "size" },
        { "long metadata",
          { KERNEL, CMDLINE, { EIF_METADATA, { zeros, EIF_METADATA_MAX + 1 } }, ONE },
          ERR_TOO_LARGE,
          "size" },
        { "long signature",
          { KERNEL, CMDLINE, METADATA, ONE, { EIF_SIGNATURE, { zeros, EIF_SIGNATURE_MAX + 1 } } },
          ERR_TOO_LARGE,
          "size" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        size_t n = 0;

        while (n < ARRAY_LEN(cases[i].part) && cases[i].part[n].type)
            n++;
        expect_err(cases[i].name, read_bytes(make(cases[i].part, n)), cases[i].code, cases[i].what);
    }
}

static void cut_or_changed(void **state)
{
    struct bytes image = make(smallest, ARRAY_LEN(smallest));

    (void)state;
    for (size_t n = 0; n < image.n; n++)
        assert_true(read_bytes(bytes_take(image, n)).code != ERR_NONE);
    expect_err("longer", read_bytes(bytes_of(buf, image.n + 1)), ERR_MALFORMED, "behind");
    for (size_t at = 0; at < image.n; at++) {
        buf[at] ^= 1;
        assert_true(read_bytes(image).code != ERR_NONE);
        buf[at] ^= 1;
    }
    buf[image.n - 1] ^= 1;
    expect_err("last byte", read_bytes(image), ERR_CORRUPT, "crc32");
}

static void no_room(void **state)
{
    struct eifmake make;
    struct bytes image;

    (void)state;
    for (size_t cap = 0; cap < BYTES; cap += 40) {
        eifmake_start(&make, buf, cap);
        for (size_t i = 0; i < ARRAY_LEN(smallest); i++) {
            eifmake_open(&make, smallest[i].type);
            wr_bytes(&make.wr, smallest[i].data);
            eifmake_close(&make);
        }
        expect_err("no room", eifmake_end(&make, &image), ERR_TOO_LARGE, NULL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(checksums),      cmocka_unit_test(known),   cmocka_unit_test(one_ramdisk),
        cmocka_unit_test(from_a_file),    cmocka_unit_test(fields),  cmocka_unit_test(orders),
        cmocka_unit_test(cut_or_changed), cmocka_unit_test(no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
