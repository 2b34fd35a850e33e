// SPDX-License-Identifier: Apache-2.0
// net/proxy2.h: headers that tunnels send, and every way in which one is none.
#include "net/proxy2.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "expect.h"

#define MAGIC  "\r\n\r\n\0\r\nQUIT\n"
#define PROXY  MAGIC "\x21"
#define LOCAL  MAGIC "\x20"
#define IPV4   "\xc0\x00\x02\x01\x0a\x00\x00\x02\xc3\x50\x01\xbb"
#define FROM_6 "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x01"
#define TO_6   "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x02"
#define IPV6   FROM_6 TO_6 "\xff\xff\x00\x50"
#define FIELD  "\x04\x00\x03\x01\x02\x03" // PP2_TYPE_NOOP
#define ZERO_54                                                                                    \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" \
    "\0\0\0\0\0\0\0\0"

static void test_taken(void **state)
{
    const struct {
        const char *name;
        struct bytes header;
        const char *source;
    } cases[] = {
        { "IPv4", BYTES_LIT(PROXY "\x11\x00\x0c" IPV4), "192.0.2.1:50000" },
        { "IPv6", BYTES_LIT(PROXY "\x21\x00\x24" IPV6), "[2001:db8::1]:65535" },
        { "with a field", BYTES_LIT(PROXY "\x11\x00\x12" IPV4 FIELD), "192.0.2.1:50000" },
        { "with two", BYTES_LIT(PROXY "\x11\x00\x18" IPV4 FIELD FIELD), "192.0.2.1:50000" },
        { "with an empty one", BYTES_LIT(PROXY "\x11\x00\x0f" IPV4 "\x04\x00\x00"),
          "192.0.2.1:50000" },
        { "nobody", BYTES_LIT(PROXY "\x00\x00\x00"), "" },
        { "nobody, a field", BYTES_LIT(PROXY "\x00\x00\x06" FIELD), "" },
        { "the tunnel itself", BYTES_LIT(LOCAL "\x00\x00\x00"), "" },
        { "the tunnel's address", BYTES_LIT(LOCAL "\x11\x00\x0c" IPV4), "" },
        { "a Unix socket", BYTES_LIT(PROXY "\x31\x00\xd8" ZERO_54 ZERO_54 ZERO_54 ZERO_54), "" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char source[PROXY2_TEXT_MAX];
        size_t n;

        expect_ok(cases[i].name, proxy2_length(&n, bytes_take(cases[i].header, PROXY2_HEAD_BYTES)));
        assert_int_equal(n, cases[i].header.n);
        expect_ok(cases[i].name, proxy2_read(source, cases[i].header));
        if (strcmp(source, cases[i].source) != 0)
            fail_msg("%s: %s", cases[i].name, source);
    }
}

static void test_heads_refused(void **state)
{
    const struct {
        const char *name;
        struct bytes head;
        enum err_code code;
    } cases[] = {
        { "version 1", BYTES_LIT("PROXY TCP4 1.2.3"), ERR_MALFORMED },
        { "another signature", BYTES_LIT("\r\n\r\n\0\r\nQUIT\r\x21\x11\x00\x0c"), ERR_MALFORMED },
        { "version 3", BYTES_LIT(MAGIC "\x31\x11\x00\x0c"), ERR_UNSUPPORTED },
        { "another command", BYTES_LIT(MAGIC "\x22\x11\x00\x0c"), ERR_UNSUPPORTED },
        { "datagrams", BYTES_LIT(PROXY "\x12\x00\x0c"), ERR_MALFORMED },
        { "another family", BYTES_LIT(PROXY "\x41\x00\x0c"), ERR_MALFORMED },
        { "a stream of nobody", BYTES_LIT(PROXY "\x01\x00\x0c"), ERR_MALFORMED },
        { "no room for IPv4", BYTES_LIT(PROXY "\x11\x00\x0b"), ERR_MALFORMED },
        { "no room for IPv6", BYTES_LIT(PROXY "\x21\x00\x0c"), ERR_MALFORMED },
        { "no room for paths", BYTES_LIT(PROXY "\x31\x00\xd7"), ERR_MALFORMED },
        { "too long", BYTES_LIT(PROXY "\x11\x01\xf1"), ERR_TOO_LARGE },
        { "much too long", BYTES_LIT(PROXY "\x11\xff\xff"), ERR_TOO_LARGE },
        { "short", BYTES_LIT(PROXY "\x11\x00"), ERR_MALFORMED },
        { "empty", BYTES_NONE, ERR_MALFORMED },
    };
    size_t n;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_err(cases[i].name, proxy2_length(&n, cases[i].head), cases[i].code, "");
    expect_ok("longest", proxy2_length(&n, BYTES_LIT(PROXY "\x11\x01\xf0")));
    assert_int_equal(n, PROXY2_BYTES_MAX);
}

static void test_headers_refused(void **state)
{
    const struct {
        const char *name;
        struct bytes header;
    } cases[] = {
        { "cut", BYTES_LIT(PROXY "\x11\x00\x0c\xc0\x00\x02\x01\x0a\x00\x00\x02\xc3\x50\x01") },
        { "longer than it says", BYTES_LIT(PROXY "\x11\x00\x0c" IPV4 "\x16") },
        { "half a field's head", BYTES_LIT(PROXY "\x11\x00\x0e" IPV4 "\x04\x00") },
        { "half a field", BYTES_LIT(PROXY "\x11\x00\x11" IPV4 "\x04\x00\x03\x01\x02") },
        { "bytes of nobody", BYTES_LIT(PROXY "\x00\x00\x01\x04") },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char source[PROXY2_TEXT_MAX] = "x";

        expect_err(cases[i].name, proxy2_read(source, cases[i].header), ERR_MALFORMED, "PROXY");
        assert_int_equal(source[0], 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_taken),
                                        cmocka_unit_test(test_heads_refused),
                                        cmocka_unit_test(test_headers_refused) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
