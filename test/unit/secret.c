// SPDX-License-Identifier: Apache-2.0
// cli/secret.h and cli/files.h: how secrets come in, and which files hold none.
#include "cli/secret.h"

#include "base/must.h"
#include "cli/files.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "expect.h"

#define DIGITS "000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F"

static char dir[32];

static int set_up(void **state)
{
    (void)state;
    (void)snprintf(dir, sizeof(dir), "/tmp/cloister-secret-XXXXXX");
    return mkdtemp(dir) ? chdir(dir) : -1;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink("file");
    (void)unlink("link");
    (void)unlink("folder/file");
    (void)rmdir("folder");
    return chdir("/") || rmdir(dir);
}

static struct secret secret_of(const char *text, size_t n)
{
    struct secret secret = { .n = n };

    memcpy(secret.b, text, n);
    return secret;
}

static void keys(void **state)
{
    static const struct {
        const char *name, *text;
        size_t n;
    } taken[] = {
        { "digits", DIGITS, 64 },
        { "with 0x", "0x" DIGITS, 66 },
        { "with a line end", DIGITS "\n", 65 },
        { "with both", "0x" DIGITS "\n", 67 },
        { "bytes",
          "\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"
          "\x10\x11\x12\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f",
          32 },
    };
    static const struct {
        const char *name, *text;
    } refused[] = {
        { "nothing", "" },
        { "a digit too few", "00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" },
        { "a digit too many", DIGITS "0" },
        { "no digit g", "g"
                        "00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" },
        { "no digit /", "/"
                        "00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" },
        { "no digit :", ":"
                        "00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" },
        { "no digit @", "@"
                        "00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" },
        { "no digit `", "`"
                        "00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f" },
        { "0X", "0X" DIGITS },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(taken); i++) {
        struct secret secret = secret_of(taken[i].text, taken[i].n);
        struct seckey key = { 0 };

        expect_ok(taken[i].name, secret_to_key(&key, &secret));
        for (uint8_t b = 0; b < 32; b++)
            assert_int_equal(key.b[b], b);
    }
    for (size_t i = 0; i < ARRAY_LEN(refused); i++) {
        struct secret secret = secret_of(refused[i].text, strlen(refused[i].text));
        struct seckey key = { 0 };

        expect_err(refused[i].name, secret_to_key(&key, &secret), ERR_MALFORMED, "64 hex digits");
    }
}

static void descriptors(void **state)
{
    static const char *const refused[] = { "", "x", "-1", "1000", "4294967296", "0x3" };
    static const char much[SECRET_MAX + 1];
    struct secret secret = { 0 };
    char number[16];
    int ends[2];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(refused); i++)
        expect_err(refused[i], secret_read(&secret, refused[i]), ERR_MALFORMED, "descriptor");
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], "pass\n", 5), 5);
    (void)close(ends[1]);
    (void)snprintf(number, sizeof(number), "%d", ends[0]);
    expect_ok("read", secret_read(&secret, number));
    assert_int_equal(secret.n, 5);
    (void)close(ends[0]);
    secret_wipe(&secret);
    assert_int_equal(secret.n, 0);
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], much, sizeof(much)), sizeof(much));
    (void)close(ends[1]);
    expect_err("much", secret_read(&secret, number), ERR_TOO_LARGE, NULL);
    (void)close(ends[0]);
}

static void make(const char *path, mode_t mode)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    (void)fputs("secret", file);
    (void)fclose(file);
    assert_int_equal(chmod(path, mode), 0);
}

static void files(void **state)
{
    uint8_t buf[64];
    size_t n;

    (void)state;
    expect_err("none", files_read_secret("file", buf, 64, &n), ERR_NOT_FOUND, NULL);
    make("file", 0600);
    expect_ok("0600", files_read_secret("file", buf, 64, &n));
    assert_int_equal(n, 6);
    expect_err("too long", files_read_secret("file", buf, 6, &n), ERR_TOO_LARGE, NULL);
    make("file", 0400);
    expect_ok("0400", files_read_secret("file", buf, 64, &n));
    make("file", 0640);
    expect_err("group", files_read_secret("file", buf, 64, &n), ERR_DENIED, "0600");
    make("file", 0604);
    expect_err("others", files_read_secret("file", buf, 64, &n), ERR_DENIED, "0600");
    make("file", 0600);
    assert_int_equal(symlink("file", "link"), 0);
    expect_err("link", files_read_secret("link", buf, 64, &n), ERR_DENIED, "symbolic");
    assert_int_equal(mkdir("folder", 0700), 0);
    expect_err("folder", files_read_secret("folder", buf, 64, &n), ERR_DENIED, "regular");
    expect_err("device", files_read_secret("/dev/null", buf, 64, &n), ERR_DENIED, "regular");
}

static void saving(void **state)
{
    char long_path[2048];
    struct stat st;

    (void)state;
    expect_ok("new", files_save("file", BYTES_LIT("one")));
    expect_ok("again", files_save("file", BYTES_LIT("second")));
    assert_int_equal(stat("file", &st), 0);
    assert_int_equal(st.st_size, 6);
    assert_int_equal(symlink("file", "link"), 0);
    expect_err("link", files_save("link", BYTES_LIT("x")), ERR_EXISTS, "regular");
    expect_err("no folder", files_save("folder/file", BYTES_LIT("x")), ERR_IO, "--output");
    memset(long_path, 'a', sizeof(long_path) - 1);
    long_path[sizeof(long_path) - 1] = 0;
    expect_err("long", files_save(long_path, BYTES_LIT("x")), ERR_TOO_LARGE, "path");
}

int main(void)
{
#define SECRET_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        SECRET_TEST(keys),
        SECRET_TEST(descriptors),
        SECRET_TEST(files),
        SECRET_TEST(saving),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
