// SPDX-License-Identifier: Apache-2.0
// cli/cpio.h: an archive byte for byte after the kernel's description of the format.
#include "cli/cpio.h"
#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"

#define ZEROS "00000000"

// magic, inode, mode, uid, gid, links, time, size, four device numbers, name's length, checksum
static const char dev[] = "070701"
                          "00000001"
                          "000041ed" ZEROS ZEROS "00000002" ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS
                          "00000004" ZEROS "dev\0\0\0"; // 110 + 4, filled up to 116
static const char init[] = "070701"
                           "00000002"
                           "000081ed" ZEROS ZEROS "00000001" ZEROS
                           "00000005" ZEROS ZEROS ZEROS ZEROS "00000005" ZEROS "init\0\0"
                           "hello\0\0"; // and the literal's own NUL
static const char trailer[] =
    "070701" ZEROS ZEROS ZEROS ZEROS "00000001" ZEROS ZEROS ZEROS ZEROS ZEROS ZEROS "0000000b" ZEROS
    "TRAILER!!!\0\0\0"; // 110 + 11, filled up to 124

static void write_archive(struct wr *wr)
{
    struct cpio cpio = cpio_of(wr);
    uint8_t *room;

    (void)cpio_add(&cpio, "dev", CPIO_DIR | 0755, 0);
    room = cpio_add(&cpio, "init", CPIO_FILE | 0755, 5);
    if (room)
        memcpy(room, "hello", 5);
    cpio_end(&cpio);
}

static void archive(void **state)
{
    uint8_t buf[1024];
    struct wr wr = WR_OF(buf);
    const uint8_t *at = buf + 3;

    (void)state;
    wr_bytes(&wr, BYTES_LIT("xyz")); // padding counts from the archive's start
    write_archive(&wr);
    expect_ok("archive", wr_end(&wr));
    assert_int_equal(wr.len, 3 + 512);
    assert_memory_equal(at, dev, 116);
    assert_memory_equal(at + 116, init, 124);
    assert_memory_equal(at + 240, trailer, 124);
    for (size_t i = 364; i < 512; i++)
        assert_int_equal(at[i], 0);
}

static void empty(void **state)
{
    uint8_t buf[512];
    struct wr wr = WR_OF(buf);
    struct cpio cpio = cpio_of(&wr);

    (void)state;
    cpio_end(&cpio);
    expect_ok("empty", wr_end(&wr));
    assert_int_equal(wr.len, 512);
    assert_memory_equal(buf, trailer, 124);
}

static void no_room(void **state)
{
    uint8_t buf[512];

    (void)state;
    for (size_t cap = 0; cap < sizeof(buf); cap++) {
        struct wr wr = wr_of(buf, cap);

        write_archive(&wr);
        expect_err("no room", wr_end(&wr), ERR_TOO_LARGE, NULL);
    }
}

static void too_large(void **state)
{
    uint8_t buf[512];
    struct wr wr = WR_OF(buf);
    struct cpio cpio = cpio_of(&wr);

    (void)state;
    assert_null(cpio_add(&cpio, "init", CPIO_FILE | 0755, (size_t)UINT32_MAX + 1));
    expect_err("too large", wr_end(&wr), ERR_TOO_LARGE, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(archive),
        cmocka_unit_test(empty),
        cmocka_unit_test(no_room),
        cmocka_unit_test(too_large),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
