// SPDX-License-Identifier: Apache-2.0
// proto/clients.h: the sections of a manifest that say who may use the data plane. Bytes of entries
// are made here by hand, from PROTOCOL.md; the authority's identity was computed with Python's
// hashlib.
#include "proto/clients.h"

#include "base/hex.h"
#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"

// Identity 32, kind 1, operations 2, label 1 + 2, patterns 1, pattern 1 + 4, certificate 2.
#define ENTRY_BYTES    46U
#define AT_KIND        32
#define AT_OPERATIONS  34
#define AT_LABEL       35
#define AT_PATTERNS    38
#define AT_PATTERN     39
#define AT_CERTIFICATE 44

static uint8_t space[CLIENTS_BYTES_MAX + 4096];

static struct wr entry_write(uint8_t first, uint8_t kind)
{
    struct wr wr = WR_OF(space);

    wr_u8(&wr, first);
    for (size_t i = 1; i < 32; i++)
        wr_u8(&wr, 0);
    wr_u8(&wr, kind);
    wr_bytes(&wr, BYTES_LIT("\x00\x02\x02"
                            "ab\x01\x04"
                            "0x*f\x00\x00"));
    return wr;
}

static void one_of_each_kind(void **state)
{
    struct clients_entry entries[] = {
        { .kind = CLIENTS_ANYONE, .operations = CLIENTS_METRICS, .label = BYTES_LIT("all") },
        { .identity = { 1 },
          .kind = CLIENTS_CERTIFICATE,
          .operations = CLIENTS_METRICS | CLIENTS_SIGN_TX,
          .label = BYTES_LIT("signer.example"),
          .patterns = 2,
          .pattern_list = BYTES_LIT("\x01*\x05"
                                    "0xa*0") },
        { .identity = { 2 },
          .kind = CLIENTS_TOKEN,
          .operations = CLIENTS_SIGN_TX,
          .label = BYTES_LIT("A token ~"),
          .patterns = 1,
          .pattern_list = BYTES_LIT("\x02-_") },
        { .kind = CLIENTS_AUTHORITY,
          .operations = CLIENTS_METRICS,
          .label = BYTES_LIT("CA"),
          .certificate = BYTES_LIT("certificate") },
    };
    struct clients_entry out;
    struct wr wr = WR_OF(space);
    struct bytes rest;

    (void)state;
    expect_ok("identity", hex_decode(entries[3].identity, 32,
                                     BYTES_LIT("03d66dd08835c1ca3f128cceacd1f31a"
                                               "c94163096b20f445ae84285bc0832d72")));
    for (size_t i = 0; i < ARRAY_LEN(entries); i++)
        clients_write(&wr, &entries[i]);
    rest = wr_done(&wr);
    expect_ok("section", clients_check(rest));
    assert_true(clients_has_anyone(rest));
    for (size_t i = 0; i < ARRAY_LEN(entries); i++) {
        assert_true(clients_next(&rest, &out));
        assert_memory_equal(out.identity, entries[i].identity, 32);
        assert_int_equal(out.kind, entries[i].kind);
        assert_int_equal(out.operations, entries[i].operations);
        assert_true(bytes_equal(out.label, entries[i].label));
        assert_int_equal(out.patterns, entries[i].patterns);
        assert_true(bytes_equal(out.pattern_list, entries[i].pattern_list));
        assert_true(bytes_equal(out.certificate, entries[i].certificate));
    }
    assert_false(clients_next(&rest, &out));
    expect_ok("none", clients_check(BYTES_NONE));
    assert_false(clients_has_anyone(BYTES_NONE));
}

static void form(void **state)
{
    struct wr wr = entry_write(7, CLIENTS_TOKEN);
    struct bytes rest = wr_done(&wr);
    struct clients_entry entry;

    (void)state;
    assert_int_equal(rest.n, ENTRY_BYTES);
    expect_ok("as it is", clients_check(rest));
    assert_false(clients_has_anyone(rest));
    for (size_t n = 1; n < ENTRY_BYTES; n++)
        expect_err("cut", clients_check(bytes_take(rest, n)), ERR_MALFORMED, NULL);
    expect_err("a byte more", clients_check(bytes_of(space, ENTRY_BYTES + 1)), ERR_MALFORMED,
               "cut");
    assert_true(clients_next(&rest, &entry));
    assert_int_equal(entry.operations, CLIENTS_SIGN_TX);
    assert_true(bytes_equal_str(entry.label, "ab"));
    assert_true(clients_matches(&entry, BYTES_LIT("0x01f")));
    wr = WR_OF(space);
    clients_write(&wr, &entry);
    assert_true(bytes_equal(wr_done(&wr), bytes_of(space, ENTRY_BYTES)));
}

static void refusals(void **state)
{
    static const struct {
        const char *name;
        size_t at;
        uint8_t value;
        enum err_code code;
        const char *what;
    } cases[] = {
        { "nobody's identity", 0, 0, ERR_MALFORMED, "identity" },
        { "kind 0", AT_KIND, 0, ERR_UNSUPPORTED, "kind" },
        { "kind 5", AT_KIND, 5, ERR_UNSUPPORTED, "kind" },
        { "anyone with an identity", AT_KIND, CLIENTS_ANYONE, ERR_MALFORMED, "identity" },
        { "authority without certificate", AT_KIND, CLIENTS_AUTHORITY, ERR_MALFORMED,
          "certificate" },
        { "no operation", AT_OPERATIONS, 0, ERR_UNSUPPORTED, "operations" },
        { "another operation", AT_OPERATIONS, 6, ERR_UNSUPPORTED, "operations" },
        { "an operation of the high byte", AT_OPERATIONS - 1, 1, ERR_UNSUPPORTED, "operations" },
        { "patterns without keys", AT_OPERATIONS, CLIENTS_METRICS, ERR_MALFORMED, "patterns" },
        { "control character in the label", AT_LABEL + 1, 0x1f, ERR_MALFORMED, "label" },
        { "DEL in the label", AT_LABEL + 2, 0x7f, ERR_MALFORMED, "label" },
        { "label beyond ASCII", AT_LABEL + 1, 0x80, ERR_MALFORMED, "label" },
        { "label longer", AT_LABEL, 65, ERR_MALFORMED, NULL },
        { "pattern in upper case", AT_PATTERN + 2, 'X', ERR_MALFORMED, "pattern" },
        { "pattern with ?", AT_PATTERN + 2, '?', ERR_MALFORMED, "pattern" },
        { "pattern with .", AT_PATTERN + 2, '.', ERR_MALFORMED, "pattern" },
        { "pattern with NUL", AT_PATTERN + 2, 0, ERR_MALFORMED, "pattern" },
        { "pattern longer", AT_PATTERN, 97, ERR_MALFORMED, NULL },
        { "more patterns", AT_PATTERNS, 65, ERR_MALFORMED, NULL },
        { "certificate of a token", AT_CERTIFICATE + 1, 1, ERR_MALFORMED, "certificate" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct wr wr = entry_write(7, CLIENTS_TOKEN);

        wr_u8(&wr, 0); // for the certificate of one byte
        space[cases[i].at] = cases[i].value;
        expect_err(cases[i].name,
                   clients_check(bytes_of(space, ENTRY_BYTES + (cases[i].at > AT_CERTIFICATE))),
                   cases[i].code, cases[i].what);
    }
}

// What has the form of bytes, and lengths that one changed byte does not reach.
static void refused_entries(void **state)
{
    static uint8_t long_list[65 * 2];
    const struct {
        const char *name;
        struct clients_entry entry;
        const char *what;
    } cases[] = {
        { "no label",
          { .identity = { 1 }, .kind = CLIENTS_TOKEN, .operations = CLIENTS_METRICS },
          "label" },
        { "keys without patterns",
          { .identity = { 1 },
            .kind = CLIENTS_TOKEN,
            .operations = CLIENTS_SIGN_TX,
            .label = BYTES_LIT("a") },
          "patterns" },
        { "an empty pattern",
          { .identity = { 1 },
            .kind = CLIENTS_TOKEN,
            .operations = CLIENTS_SIGN_TX,
            .label = BYTES_LIT("a"),
            .patterns = 1,
            .pattern_list = BYTES_LIT("\0") },
          "pattern" },
        { "65 patterns",
          { .identity = { 1 },
            .kind = CLIENTS_TOKEN,
            .operations = CLIENTS_SIGN_TX,
            .label = BYTES_LIT("a"),
            .patterns = 65,
            .pattern_list = BYTES_OF(long_list) },
          "64 patterns" },
        { "another certificate's identity",
          { .identity = { 1 },
            .kind = CLIENTS_AUTHORITY,
            .operations = CLIENTS_METRICS,
            .label = BYTES_LIT("a"),
            .certificate = BYTES_LIT("certificate") },
          "SHA-256" },
        { "an authority with the identity of nobody",
          { .kind = CLIENTS_AUTHORITY,
            .operations = CLIENTS_METRICS,
            .label = BYTES_LIT("a"),
            .certificate = BYTES_LIT("certificate") },
          "identity" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(long_list); i++)
        long_list[i] = i % 2 ? '*' : 1;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct wr wr = WR_OF(space);

        clients_write(&wr, &cases[i].entry);
        expect_err(cases[i].name, clients_check(wr_done(&wr)), ERR_MALFORMED, cases[i].what);
    }
}

static void order(void **state)
{
    static const struct {
        const char *name;
        uint8_t first, second;
        enum err_code code;
    } cases[] = {
        { "ascending", 1, 2, ERR_NONE },
        { "twice", 2, 2, ERR_MALFORMED },
        { "descending", 3, 2, ERR_MALFORMED },
    };
    struct clients_entry entry = { .kind = CLIENTS_TOKEN,
                                   .operations = CLIENTS_METRICS,
                                   .label = BYTES_LIT("a") };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct wr wr = WR_OF(space);

        entry.identity[0] = 9;
        entry.identity[31] = cases[i].first;
        clients_write(&wr, &entry);
        entry.identity[31] = cases[i].second;
        clients_write(&wr, &entry);
        expect_err(cases[i].name, clients_check(wr_done(&wr)), cases[i].code,
                   cases[i].code ? "ascend" : NULL);
    }
}

static void largest_section(void **state)
{
    struct clients_entry entry = { .kind = CLIENTS_TOKEN,
                                   .operations = CLIENTS_METRICS,
                                   .label = BYTES_LIT("12345678901") };
    struct wr wr = WR_OF(space);

    (void)state;
    for (uint16_t i = 1; i <= 983; i++) { // 50 bytes each, and one of 2 more
        entry.identity[0] = (uint8_t)(i >> 8);
        entry.identity[1] = (uint8_t)i;
        entry.label = i == 983 ? BYTES_LIT("1234567890123") : entry.label;
        clients_write(&wr, &entry);
    }
    assert_int_equal(wr.len, CLIENTS_BYTES_MAX);
    expect_ok("48 KiB", clients_check(wr_done(&wr)));
    expect_err("and a byte", clients_check(bytes_of(space, wr.len + 1)), ERR_TOO_LARGE, NULL);
}

static void patterns(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {
        { "*", "", true },
        { "*", "anything", true },
        { "**", "", true },
        { "a", "a", true },
        { "a", "", false },
        { "a", "aa", false },
        { "a", "b", false },
        { "a*", "a", true },
        { "a*", "abc", true },
        { "a*", "ba", false },
        { "*a", "ba", true },
        { "*a", "ab", false },
        { "*a", "aa", true },
        { "*ab", "aab", true },
        { "a*b*c", "aXbYc", true },
        { "a*b*c", "abc", true },
        { "a*b*c", "acb", false },
        { "a*b*c", "abcb", false },
        { "a*b*c", "abcbc", true },
        { "*aab*", "aaab", true },
        { "0x52908400098527886e0f7030069857d2e4169ee7",
          "0x52908400098527886e0f7030069857d2e4169ee7", true },
        { "0x52908400098527886e0f7030069857d2e4169ee7",
          "0x52908400098527886e0f7030069857d2e4169ee8", false },
        { "0x5290*", "0x52908400098527886e0f7030069857d2e4169ee7", true },
        { "*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b",
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t list[97 + 2];
        struct wr wr = WR_OF(list);
        struct clients_entry entry = { .patterns = 2 };

        wr_var8(&wr, BYTES_LIT("-"));
        wr_var8(&wr, bytes_str(cases[i].pattern));
        entry.pattern_list = wr_done(&wr);
        if (clients_matches(&entry, bytes_str(cases[i].text)) != cases[i].matches)
            fail_msg("%s, %s", cases[i].pattern, cases[i].text);
        entry.patterns = 0;
        assert_false(clients_matches(&entry, bytes_str(cases[i].text)));
    }
}

static void web(void **state)
{
    static const struct {
        const char *name;
        uint8_t kind;
        const char *text;
        enum err_code code;
    } cases[] = {
        { "host", CLIENTS_HOST, "signer.example", ERR_NONE },
        { "IPv4", CLIENTS_HOST, "10.0.0.1", ERR_NONE },
        { "IPv6", CLIENTS_HOST, "[2001:db8::1]", ERR_NONE },
        { "any host", CLIENTS_HOST, "*", ERR_NONE },
        { "origin", CLIENTS_ORIGIN, "https://app.example", ERR_NONE },
        { "origin with a port", CLIENTS_ORIGIN, "http://localhost:3000", ERR_NONE },
        { "an extension's origin", CLIENTS_ORIGIN, "chrome-extension://abcdef", ERR_NONE },
        { "any origin", CLIENTS_ORIGIN, "*", ERR_NONE },
        { "kind 0", 0, "signer.example", ERR_UNSUPPORTED },
        { "kind 3", 3, "signer.example", ERR_UNSUPPORTED },
        { "empty host", CLIENTS_HOST, "", ERR_MALFORMED },
        { "host in upper case", CLIENTS_HOST, "Signer.example", ERR_MALFORMED },
        { "host with a wildcard", CLIENTS_HOST, "*.example", ERR_MALFORMED },
        { "host with a path", CLIENTS_HOST, "signer.example/", ERR_MALFORMED },
        { "host with a blank", CLIENTS_HOST, "a b", ERR_MALFORMED },
        { "empty origin", CLIENTS_ORIGIN, "", ERR_MALFORMED },
        { "null", CLIENTS_ORIGIN, "null", ERR_MALFORMED },
        { "no scheme", CLIENTS_ORIGIN, "://app.example", ERR_MALFORMED },
        { "no host", CLIENTS_ORIGIN, "https://", ERR_MALFORMED },
        { "one slash", CLIENTS_ORIGIN, "https:/app.example", ERR_MALFORMED },
        { "origin with a path", CLIENTS_ORIGIN, "https://app.example/", ERR_MALFORMED },
        { "origin with a wildcard", CLIENTS_ORIGIN, "https://*.example", ERR_MALFORMED },
        { "origin in upper case", CLIENTS_ORIGIN, "HTTPS://app.example", ERR_MALFORMED },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct clients_web entry = { cases[i].kind, bytes_str(cases[i].text) }, out;
        struct wr wr = WR_OF(space);
        struct bytes rest;

        clients_write_web(&wr, &entry);
        rest = wr_done(&wr);
        expect_err(cases[i].name, clients_check_web(rest), cases[i].code, NULL);
        assert_true(clients_next_web(&rest, &out));
        assert_int_equal(out.kind, cases[i].kind);
        assert_true(bytes_equal_str(out.text, cases[i].text));
        assert_false(clients_next_web(&rest, &out));
    }
}

static void web_sections(void **state)
{
    const struct {
        const char *name;
        struct bytes section;
        enum err_code code;
    } cases[] = {
        { "none", BYTES_NONE, ERR_NONE },
        { "ascending", BYTES_LIT("\1\1a\1\1b\1\2aa\2\1*"), ERR_NONE },
        { "twice", BYTES_LIT("\1\1a\1\1a"), ERR_MALFORMED },
        { "descending", BYTES_LIT("\1\1b\1\1a"), ERR_MALFORMED },
        { "kinds descend", BYTES_LIT("\2\1*\1\1a"), ERR_MALFORMED },
        { "lengths descend", BYTES_LIT("\1\2aa\1\1b"), ERR_MALFORMED },
        { "cut", BYTES_LIT("\1\1a\1\2a"), ERR_MALFORMED },
        { "a byte more", BYTES_LIT("\1\1a\1"), ERR_MALFORMED },
    };
    struct wr wr = WR_OF(space);

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_err(cases[i].name, clients_check_web(cases[i].section), cases[i].code, NULL);
    (void)wr_room(&wr, WEB_BYTES_MAX + 1);
    expect_err("8 KiB and a byte", clients_check_web(wr_done(&wr)), ERR_TOO_LARGE, NULL);
}

#define LABEL_63 "123456789-123456789-123456789-123456789-123456789-123456789-abc"

static void dns_names(void **state)
{
    static const struct {
        const char *name;
        bool ok;
    } cases[] = {
        { "a", true },
        { "localhost", true },
        { "signer.example", true },
        { "*.example", true },
        { "*.signer.example", true },
        { "1-2.x--y", true },
        { LABEL_63 ".a", true },
        { LABEL_63 "." LABEL_63 "." LABEL_63 "." LABEL_63, false }, // 255
        { LABEL_63 "." LABEL_63 "." LABEL_63 ".123456789-123456789-123456789-123456789-1234567890"
                   "-123456789z",
          true }, // 253
        { LABEL_63 "." LABEL_63 "." LABEL_63 ".123456789-123456789-123456789-123456789-1234567890"
                   "-123456789yz",
          false },
        { LABEL_63 "d.a", false },
        { "", false },
        { ".", false },
        { "*", false },
        { "*.", false },
        { "a.", false },
        { ".a", false },
        { "a..b", false },
        { "-a", false },
        { "a-", false },
        { "a.-b", false },
        { "A", false },
        { "a_b", false },
        { "a b", false },
        { "a*.example", false },
        { "*a.example", false },
        { "a.*.example", false },
        { "*.*.example", false },
        { "a\xc3\xa4", false },
        { "a,DNS:b", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        if (clients_is_dns_name(bytes_str(cases[i].name)) != cases[i].ok)
            fail_msg("%s", cases[i].name);
    assert_false(clients_is_dns_name(BYTES_LIT("a\0b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_of_each_kind),
        cmocka_unit_test(form),
        cmocka_unit_test(refusals),
        cmocka_unit_test(refused_entries),
        cmocka_unit_test(order),
        cmocka_unit_test(largest_section),
        cmocka_unit_test(patterns),
        cmocka_unit_test(web),
        cmocka_unit_test(web_sections),
        cmocka_unit_test(dns_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
