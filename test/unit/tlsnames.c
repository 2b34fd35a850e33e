// SPDX-License-Identifier: Apache-2.0
// front/tlsnames.h: names of a certificate as JSON.
#include "front/tlsnames.h"

#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "expect.h"

static struct err names(struct msg_tls_certify *out, const char *json)
{
    static struct json nodes[64];
    static char text[8192];
    const struct json *root;
    size_t n = strlen(json);

    must(n < sizeof(text));
    memcpy(text, json, n);
    expect_ok(json, json_parse(&root, nodes, ARRAY_LEN(nodes), (uint8_t *)text, n));
    *out = (struct msg_tls_certify) { .names = 0 };
    return tlsnames_read(out, root);
}

static void test_read(void **state)
{
    const struct {
        const char *text;
        uint8_t type;
        struct bytes name;
    } cases[] = {
        { "signer.example", MSG_TLS_DNS, BYTES_LIT("signer.example") },
        { "Signer.EXAMPLE", MSG_TLS_DNS, BYTES_LIT("signer.example") },
        { "*.example", MSG_TLS_DNS, BYTES_LIT("*.example") },
        { "localhost", MSG_TLS_DNS, BYTES_LIT("localhost") },
        { "xn--bcher-kva.example", MSG_TLS_DNS, BYTES_LIT("xn--bcher-kva.example") },
        { "1.2.3.example", MSG_TLS_DNS, BYTES_LIT("1.2.3.example") },
        { "10.0.0.1", MSG_TLS_IP, BYTES_LIT("\x0a\x00\x00\x01") },
        { "255.255.255.255", MSG_TLS_IP, BYTES_LIT("\xff\xff\xff\xff") },
        { "::1", MSG_TLS_IP,
          BYTES_LIT("\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01") },
        { "2001:DB8::a", MSG_TLS_IP,
          BYTES_LIT("\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x0a") },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct msg_tls_certify got;
        char json[300];

        (void)snprintf(json, sizeof(json), "[\"%s\"]", cases[i].text);
        expect_ok(cases[i].text, names(&got, json));
        assert_int_equal(got.names, 1);
        assert_int_equal(got.name[0].type, cases[i].type);
        assert_true(bytes_equal(got.name[0].name, cases[i].name));
    }
}

static void test_sixteen(void **state)
{
    struct msg_tls_certify got;
    char json[1024] = "[\"a.example\"";

    (void)state;
    for (int i = 1; i < 16; i++)
        (void)snprintf(json + strlen(json), sizeof(json) - strlen(json), ",\"10.0.0.%d\"", i);
    (void)strncat(json, "]", 2);
    expect_ok("16 names", names(&got, json));
    assert_int_equal(got.names, 16);
    assert_true(bytes_equal_str(got.name[0].name, "a.example"));
    assert_true(bytes_equal(got.name[15].name, BYTES_LIT("\x0a\x00\x00\x0f")));
    json[strlen(json) - 1] = 0;
    (void)strncat(json, ",\"b\"]", 6);
    expect_err("17 names", names(&got, json), ERR_MALFORMED, "1 to 16");
}

static void test_refused(void **state)
{
    static const char *const cases[] = {
        "[]",
        "\"signer.example\"",
        "{}",
        "null",
        "[1]",
        "[null]",
        "[[]]",
        "[\"\"]",
        "[\"a\",\"\"]",
        "[\".\"]",
        "[\"a..b\"]",
        "[\"a.\"]",
        "[\"-a\"]",
        "[\"a-\"]",
        "[\"a_b\"]",
        "[\"a b\"]",
        "[\"a/b\"]",
        "[\"a:443\"]",
        "[\"https://a\"]",
        "[\"*\"]",
        "[\"a.*\"]",
        "[\"*a.example\"]",
        "[\"b\\u00fccher.example\"]",
        "[\"10.0.0.256\"]",
        "[\"10.0.0\"]",
        "[\"010.0.0.1\"]",
        "[\"10.0.0.1 \"]",
        "[\"10.0.0.1/8\"]",
        "[\"1\"]",
        "[\"[::1]\"]",
        "[\"::1%eth0\"]",
        "[\":::\"]",
    };
    struct msg_tls_certify got;
    char json[400];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_err(cases[i], names(&got, cases[i]), ERR_MALFORMED, "names: expected");
    expect_err("absent", tlsnames_read(&got, NULL), ERR_MALFORMED, "names: expected");
    memset(json, 'a', sizeof(json));
    memcpy(json, "[\"", 2);
    memcpy(json + 66, "\"]", 3);
    expect_err("a label of 64", names(&got, json), ERR_MALFORMED, "names: expected");
    memset(json, '.', sizeof(json));
    for (size_t i = 2; i < sizeof(json); i += 2)
        json[i] = 'a';
    memcpy(json, "[\"", 2);
    memcpy(json + 2 + 253, "\"]", 3);
    expect_ok("253 characters", names(&got, json));
    memcpy(json + 2 + 253, "aa\"]", 5);
    expect_err("255 characters", names(&got, json), ERR_MALFORMED, "253");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_read),
        cmocka_unit_test(test_sixteen),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
