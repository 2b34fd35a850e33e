// SPDX-License-Identifier: Apache-2.0
// cli/trust.h: every line of a trust file is understood, or refused with its number.
#include "cli/trust.h"

#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "expect.h"

#define PCR0                                           \
    "a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0" \
    "a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0"

static struct trust trust;

static void taken(void **state)
{
    static const char text[] = "# where\n"
                               "url = unix:///run/cloister/rest.sock\n"
                               "\n"
                               "  token_file=token\r\n"
                               "pcr0 = " PCR0 "\n"
                               "pcr0\t=\t" PCR0 "\n"
                               "keyset = 0123456789abcdef0123456789abcdef\n"
                               "configuration = /etc/cloister/C.bin";
    unsigned line = 99;

    (void)state;
    expect_ok("file", trust_parse(&trust, bytes_str(text), "/home/u/.config/", &line));
    assert_int_equal(line, 0);
    assert_string_equal(trust.url, "unix:///run/cloister/rest.sock");
    assert_string_equal(trust.token_file, "/home/u/.config/token");
    assert_string_equal(trust.configuration, "/etc/cloister/C.bin");
    assert_int_equal(trust.pcr0_len, 2);
    assert_int_equal(trust.pcr0[1][47], 0xa0);
    assert_int_equal(trust.keyset_len, 1);
    assert_int_equal(trust.keyset[0].b[15], 0xef);
    assert_false(trust.has_config);
    expect_ok("empty", trust_parse(&trust, BYTES_NONE, "", &line));
    assert_int_equal(trust.pcr0_len, 0);
    assert_int_equal(trust.keyset_len, 0);
}

static void refused(void **state)
{
    static const struct {
        const char *name, *text;
        unsigned line;
        const char *what;
    } cases[] = {
        { "no equals sign", "url", 1, "key = value" },
        { "no value", "url =", 1, "value" },
        { "blank value", "url =  \t", 1, "value" },
        { "no key", "\n= x", 2, "unknown key" },
        { "unknown key", "# c\n\npcr = 1", 3, "unknown key" },
        { "upper case", "URL = http://127.0.0.1:1", 1, "unknown key" },
        { "url twice", "url = http://127.0.0.1:1\nurl = http://127.0.0.1:1", 2, "twice" },
        { "configuration twice", "configuration = a\nconfiguration = b\n", 2, "twice" },
        { "https", "url = https://example.com", 1, "url" },
        { "relative socket", "url = unix://sock", 1, "url" },
        { "short pcr0", "pcr0 = a0a0", 1, "96" },
        { "pcr0 with prefix", "pcr0 = 0x" PCR0, 1, "96" },
        { "pcr0 of no digits", "url = http://127.0.0.1:1\npcr0 = z" PCR0, 2, "96" },
        { "short keyset", "keyset = 0123", 1, "32" },
        { "keyset in upper case", "keyset = 0123456789ABCDEF0123456789ABCDEF", 1, "lower" },
        { "two pcr0 on a line", "pcr0 = " PCR0 " " PCR0, 1, "96" },
    };
    unsigned line;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        expect_err(cases[i].name, trust_parse(&trust, bytes_str(cases[i].text), "", &line),
                   ERR_MALFORMED, cases[i].what);
        if (line != cases[i].line)
            fail_msg("%s: line %u", cases[i].name, line);
    }
}

static void limits(void **state)
{
    static char text[TRUST_PCR0_MAX * 120 + 120 + 2000];
    unsigned line;
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i <= TRUST_PCR0_MAX; i++) {
        memcpy(text + n, "pcr0 = " PCR0 "\n", sizeof("pcr0 = " PCR0));
        n += sizeof("pcr0 = " PCR0);
    }
    expect_err("17 values", trust_parse(&trust, bytes_of(text, n), "", &line), ERR_TOO_LARGE,
               "pcr0");
    assert_int_equal(line, TRUST_PCR0_MAX + 1);
    memset(text, 'x', sizeof(text));
    memcpy(text, "token_file = ", 13);
    expect_err("long path", trust_parse(&trust, bytes_of(text, sizeof(text)), "", &line),
               ERR_TOO_LARGE, "path");
}

// What people give by mistake in place of the canonical form.
static struct err load_json_form(void)
{
    static const char json[] = "{ \"version\": 1 }\n";
    char path[] = "/tmp/cloister-trust-XXXXXX";
    struct err err;
    int fd = mkstemp(path);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, json, sizeof(json) - 1), sizeof(json) - 1);
    close(fd);
    err = trust_load_config(&trust, path);
    unlink(path);
    return err;
}

static void files(void **state)
{
    char path[TRUST_PATH_MAX];
    unsigned line = 9;

    (void)state;
    expect_err("no file", trust_load(&trust, "/nonexistent/trust", &line), ERR_NOT_FOUND, NULL);
    assert_int_equal(line, 0);
    expect_err("no configuration", trust_load_config(&trust, "/nonexistent/C.bin"), ERR_NOT_FOUND,
               NULL);
    expect_err("the JSON form", load_json_form(), ERR_MALFORMED, "cloister config build");
    assert_false(trust.has_config);
    expect_ok("default", trust_default_path(path));
    assert_non_null(strstr(path, "/.config/cloister/trust"));
}

static void receipts_need_pins(void **state)
{
    struct proof_trust pins;

    (void)state;
    trust.pcr0_len = 0;
    trust.has_config = true;
    expect_err("no PCR0", trust_receipts(&pins, &trust), ERR_UNTRUSTED, "pcr0");
    trust.pcr0_len = 1;
    trust.has_config = false;
    expect_err("no configuration", trust_receipts(&pins, &trust), ERR_UNTRUSTED, "configuration");
    trust.has_config = true;
    expect_ok("both", trust_receipts(&pins, &trust));
    assert_false(pins.allow_debug);
    assert_ptr_equal(pins.pcr16, trust.pcr16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taken),
        cmocka_unit_test(refused),
        cmocka_unit_test(limits),
        cmocka_unit_test(files),
        cmocka_unit_test(receipts_need_pins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
