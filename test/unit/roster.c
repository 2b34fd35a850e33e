// SPDX-License-Identifier: Apache-2.0
// cli/roster.h and cli/knownclients.h. Sections that are expected were written by hand from
// PROTOCOL.md section 9.
#include "cli/knownclients.h"

#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"

#define PRINT_A                                                                                    \
    "8E:E0:85:9F:FC:2E:2F:21:31:46:0B:82:4C:A6:88:AB:30:34:9A:C6:EA:4F:04:31:ED:0F:69:A7:B5:C2:2F" \
    ":A7"
#define DIGITS_A "8ee0859ffc2e2f2131460b824ca688ab30349ac6ea4f0431ed0f69a7b5c22fa7"
#define BYTES_A                                                                                    \
    "\x8e\xe0\x85\x9f\xfc\x2e\x2f\x21\x31\x46\x0b\x82\x4c\xa6\x88\xab\x30\x34\x9a\xc6\xea\x4f\x04" \
    "\x31\xed\x0f\x69\xa7\xb5\xc2\x2f\xa7"
#define DIGITS_B "0000000000000000000000000000000000000000000000000000000000000001"
#define BYTES_B                                                      \
    "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0" \
    "\x01"

static struct roster roster;
static uint8_t section_buf[CLIENTS_BYTES_MAX];
static struct knownclients_rights rights;

static int set_up(void **state)
{
    (void)state;
    roster_init(&roster);
    rights.operations = CLIENTS_SIGN_TX;
    roster_patterns_init(&rights.patterns);
    expect_ok("all keys", roster_patterns_add(&rights.patterns, BYTES_LIT("*")));
    return 0;
}

static struct bytes section(void)
{
    struct bytes out = BYTES_NONE;

    roster_section(&out, &roster, section_buf);
    expect_ok("section", clients_check(out));
    return out;
}

static void fingerprints(void **state)
{
    static const struct {
        const char *name, *text;
        bool is_good;
    } cases[] = {
        { "as certificate tools print it", PRINT_A, true },
        { "digits", DIGITS_A, true },
        { "nothing", "", false },
        { "0x", "0x" DIGITS_A, false },
        { "a digit less", "ee0859ffc2e2f2131460b824ca688ab30349ac6ea4f0431ed0f69a7b5c22fa7",
          false },
        { "a digit more", DIGITS_A "0", false },
        { "a pair less",
          "E0:85:9F:FC:2E:2F:21:31:46:0B:82:4C:A6:88:AB:30:34:9A:C6:EA:4F:04:31:ED:0F:69:A7:B5:C2:"
          "2F:A7",
          false },
        { "no hex", "8ge0859ffc2e2f2131460b824ca688ab30349ac6ea4f0431ed0f69a7b5c22fa7", false },
        { "SHA-1", "12:CA:86:0E:FE:BF:49:BD:AE:8C:C5:7F:2F:C3:48:3F:DA:EC:E2:9D", false },
        { "a colon in another place",
          "8:EE0:85:9F:FC:2E:2F:21:31:46:0B:82:4C:A6:88:AB:30:34:9A:C6:EA:4F:04:31:ED:0F:69:A7:B5:"
          "C2:2F:A7",
          false },
        { "other signs between",
          "8E-E0-85-9F-FC-2E-2F-21-31-46-0B-82-4C-A6-88-AB-30-34-9A-C6-EA-4F-04-31-ED-0F-69-A7-B5-"
          "C2-2F-A7",
          false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t out[32];
        struct err err = roster_fingerprint(out, bytes_str(cases[i].text));

        expect_err(cases[i].name, err, cases[i].is_good ? ERR_NONE : ERR_MALFORMED, NULL);
        if (cases[i].is_good)
            assert_memory_equal(out, BYTES_A, 32);
    }
}

static void known_clients(void **state)
{
    static const char file[] = "# clients of the signer\n"
                               "\n"
                               "web3signer " PRINT_A "\r\n"
                               "  \t curl\t " DIGITS_B " \n"
                               "   # indented";
    static const uint8_t expected[] = BYTES_B "\x01\0\x02\x04"
                                              "curl"
                                              "\x01\x01*\0\0" BYTES_A "\x01\0\x02\x0a"
                                              "web3signer"
                                              "\x01\x01*\0\0";
    unsigned line = 7;

    (void)state;
    expect_ok("file", knownclients_read(&roster, &line, bytes_str(file), &rights));
    assert_int_equal(line, 0);
    assert_true(bytes_equal(section(), bytes_of(expected, sizeof(expected) - 1)));
}

static void known_clients_of_nobody(void **state)
{
    static const char *const files[] = { "", "\n", "# only words", "\n\n  \n\t\r\n#\n" };
    unsigned line;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        expect_ok(files[i], knownclients_read(&roster, &line, bytes_str(files[i]), &rights));
        assert_int_equal(section().n, 0);
    }
}

static void known_clients_refused(void **state)
{
    static const struct {
        const char *name, *text;
        unsigned line;
        enum err_code code;
        const char *what;
    } cases[] = {
        { "no fingerprint", "web3signer\n", 1, ERR_MALFORMED, "common name and a fingerprint" },
        { "no name", "\n" PRINT_A, 2, ERR_MALFORMED, "common name and a fingerprint" },
        { "three words", "#\na " DIGITS_A " b", 2, ERR_MALFORMED, "common name and a fingerprint" },
        { "words after a comment sign", "a " DIGITS_A " # b", 1, ERR_MALFORMED, "common name" },
        { "a name with a blank", "a b " DIGITS_A, 1, ERR_MALFORMED, "common name" },
        { "the other way round", DIGITS_A " a", 1, ERR_MALFORMED, "SHA-256" },
        { "a short fingerprint", "a 8E:E0", 1, ERR_MALFORMED, "SHA-256" },
        { "the same client twice", "a " PRINT_A "\n\nb " DIGITS_A "\n", 3, ERR_EXISTS, "already" },
        { "a fingerprint of zeros",
          "a 0000000000000000000000000000000000000000000000000000000000000000", 1, ERR_MALFORMED,
          "identity" },
        { "a long name",
          "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa " DIGITS_A, 1,
          ERR_MALFORMED, "label" },
        { "a name with a control character", "a\x1b[2J " DIGITS_A, 1, ERR_MALFORMED, "label" },
        { "a name that is not ASCII", "\xc3\xa4 " DIGITS_A, 1, ERR_MALFORMED, "label" },
        { "JSON", "[\n{}]", 1, ERR_MALFORMED, "common name" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        unsigned line = 0;

        roster_init(&roster);
        expect_err(cases[i].name,
                   knownclients_read(&roster, &line, bytes_str(cases[i].text), &rights),
                   cases[i].code, cases[i].what);
        assert_int_equal(line, cases[i].line);
    }
}

// What a manifest has no room for is refused, and not cut.
static void too_many(void **state)
{
    struct clients_entry entry = { .kind = CLIENTS_TOKEN,
                                   .operations = CLIENTS_METRICS,
                                   .label = BYTES_LIT("many") };
    struct err err = OK;
    size_t n = 0;

    (void)state;
    while (!err.code && n < 65536) {
        n++;
        entry.identity[0] = (uint8_t)(n >> 8);
        entry.identity[31] = (uint8_t)n;
        err = roster_add(&roster, &entry);
    }
    expect_err("too many", err, ERR_TOO_LARGE, "room");
    assert_true(n > 1000);
}

static void patterns(void **state)
{
    static const struct {
        const char *name, *text;
        enum err_code code;
    } cases[] = {
        { "all", "*", ERR_NONE },
        { "an address with its checksum", "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf", ERR_NONE },
        { "nothing", "", ERR_MALFORMED },
        { "long",
          "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000"
          "000000000",
          ERR_MALFORMED },
    };
    struct roster_patterns all;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct clients_entry entry = { .operations = CLIENTS_SIGN_TX };

        roster_patterns_init(&all);
        expect_err(cases[i].name, roster_patterns_add(&all, bytes_str(cases[i].text)),
                   cases[i].code, NULL);
        roster_patterns_set(&entry, &all);
        if (!cases[i].code)
            assert_true(
                clients_matches(&entry, BYTES_LIT("0x7e5f4552091a69125d5dfcb7b8c2659029395bdf")));
    }
    roster_patterns_init(&all);
    for (size_t i = 0; i < CLIENTS_PATTERNS; i++)
        expect_ok("64 of them", roster_patterns_add(&all, BYTES_LIT("a*")));
    expect_err("one more", roster_patterns_add(&all, BYTES_LIT("a*")), ERR_TOO_LARGE, "64");
}

static void web(void **state)
{
    static const struct {
        uint8_t kind;
        const char *text;
        enum err_code code;
    } cases[] = {
        { CLIENTS_ORIGIN, "https://a.example", ERR_NONE },
        { CLIENTS_HOST, "signer.example", ERR_NONE },
        { CLIENTS_HOST, "a", ERR_NONE },
        { CLIENTS_HOST, "signer.example", ERR_NONE }, // passed over
        { CLIENTS_ORIGIN, "*", ERR_NONE },
        { CLIENTS_HOST, "", ERR_MALFORMED },
        { CLIENTS_HOST, "Signer.example", ERR_MALFORMED },
        { CLIENTS_HOST, "a/b", ERR_MALFORMED },
        { CLIENTS_ORIGIN, "a.example", ERR_MALFORMED },
        { CLIENTS_ORIGIN, "https://a.example/", ERR_MALFORMED },
        { 3, "a", ERR_UNSUPPORTED },
    };
    static const char expected[] = "\x01\x01"
                                   "a"
                                   "\x01\x0e"
                                   "signer.example"
                                   "\x02\x01*"
                                   "\x02\x11"
                                   "https://a.example";
    struct bytes out = BYTES_NONE;
    size_t good = 0;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct clients_web one = { cases[i].kind, bytes_str(cases[i].text) };

        if (cases[i].code && !good) { // the good ones come first; then each on its own
            good = i;
            roster_section(&out, &roster, section_buf);
            assert_true(bytes_equal_str(out, expected));
        }
        expect_err(cases[i].text, roster_add_web(&roster, &one), cases[i].code, NULL);
    }
}

static void operations(void **state)
{
    uint16_t found = 0;
    uint8_t text[64];
    struct wr wr = WR_OF(text);

    (void)state;
    expect_ok("metrics", roster_operation(&found, BYTES_LIT("metrics")));
    assert_int_equal(found, CLIENTS_METRICS);
    expect_ok("signing", roster_operation(&found, BYTES_LIT("sign_transaction")));
    assert_int_equal(found, CLIENTS_SIGN_TX);
    expect_err("nothing", roster_operation(&found, BYTES_LIT("")), ERR_MALFORMED,
               "sign_transaction");
    expect_err("another", roster_operation(&found, BYTES_LIT("sign")), ERR_MALFORMED, NULL);
    expect_err("case", roster_operation(&found, BYTES_LIT("Metrics")), ERR_MALFORMED, NULL);
    roster_write_operations(&wr, CLIENTS_METRICS | CLIENTS_SIGN_TX);
    assert_true(bytes_equal_str(wr_done(&wr), "metrics sign_transaction"));
    assert_null(roster_operation_name(2));
    assert_string_equal(roster_kind_name(CLIENTS_ANYONE), "anyone");
    assert_string_equal(roster_kind_name(9), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(fingerprints, set_up),
        cmocka_unit_test_setup(known_clients, set_up),
        cmocka_unit_test_setup(known_clients_of_nobody, set_up),
        cmocka_unit_test_setup(known_clients_refused, set_up),
        cmocka_unit_test_setup(too_many, set_up),
        cmocka_unit_test_setup(patterns, set_up),
        cmocka_unit_test_setup(web, set_up),
        cmocka_unit_test_setup(operations, set_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
