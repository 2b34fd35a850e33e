// SPDX-License-Identifier: Apache-2.0
// front/credentials.h: what is taken, when it ends, and RFC 3339 times.
#include "front/credentials.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

static struct credentials *credentials;

static int set_up(void **state)
{
    (void)state;
    return credentials_new(&credentials).code ? -1 : 0;
}

static int tear_down(void **state)
{
    (void)state;
    credentials_free(&credentials);
    return 0;
}

static struct sigv4_credentials good(void)
{
    return (struct sigv4_credentials) { BYTES_LIT("AKIDEXAMPLE"), BYTES_LIT("SECRET"),
                                        BYTES_LIT("TOKEN") };
}

static struct err sign(uint64_t now_s, struct bytes *token)
{
    static uint8_t authorization[1024], token_space[64];
    struct wr auth_wr = WR_OF(authorization), token_wr = WR_OF(token_space);
    struct sigv4_request request = { .host = BYTES_LIT("h"), .region = BYTES_LIT("r") };
    struct err err;

    request.service = BYTES_LIT("kms");
    request.target = BYTES_LIT("T");
    request.now_s = now_s;
    err = credentials_sign(credentials, &auth_wr, &token_wr, &request);
    *token = wr_done(&token_wr);
    return err;
}

static void test_set_use_expire(void **state)
{
    struct sigv4_credentials given = good();
    struct bytes token;

    (void)state;
    assert_int_equal(credentials_check(credentials, 100).code, ERR_EXPIRED);
    assert_int_equal(sign(100, &token).code, ERR_EXPIRED);
    assert_int_equal(credentials_set(credentials, &given, 200, 100).code, 0);
    assert_int_equal(credentials_expires(credentials, 199), 200);
    assert_int_equal(sign(199, &token).code, 0);
    assert_true(bytes_equal_str(token, "TOKEN"));
    assert_int_equal(credentials_expires(credentials, 200), 0);
    assert_int_equal(sign(150, &token).code, ERR_EXPIRED); // wiped, not hidden
    assert_int_equal(token.n, 0);
}

static void test_refused_ones_keep_the_old(void **state)
{
    static uint8_t long_token[8193];
    struct sigv4_credentials given = good();
    struct sigv4_credentials bad[5] = { given, given, given, given, given };

    (void)state;
    memset(long_token, 'a', sizeof(long_token));
    bad[0].access_key = BYTES_NONE;
    bad[1].secret_key = BYTES_LIT("a b");
    bad[2].token = BYTES_LIT("a\r\nHost: x");
    bad[3].token = BYTES_OF(long_token);
    bad[4].access_key = bytes_of(long_token, 129);
    assert_int_equal(credentials_set(credentials, &given, 200, 100).code, 0);
    for (int i = 0; i < 5; i++)
        assert_int_equal(credentials_set(credentials, &bad[i], 300, 100).code, ERR_MALFORMED);
    assert_int_equal(credentials_set(credentials, &given, 100, 100).code, ERR_EXPIRED);
    assert_int_equal(credentials_expires(credentials, 100), 200);
}

static void test_times(void **state)
{
    static const struct {
        const char *text;
        uint64_t seconds; // 0: refused
    } cases[] = {
        { "2026-01-01T00:00:00Z", 1767225600 },
        { "2024-02-29T23:59:59Z", 1709251199 },
        { "2100-03-01T00:00:00Z", 4107542400 },
        { "2026-01-01T00:00:00.123456789Z", 1767225600 },
        { "2026-01-01T01:00:00+01:00", 1767225600 },
        { "2025-12-31T19:30:00-04:30", 1767225600 },
        { "2026-02-29T00:00:00Z", 0 },
        { "2100-02-29T00:00:00Z", 0 },
        { "2026-13-01T00:00:00Z", 0 },
        { "2026-00-01T00:00:00Z", 0 },
        { "2026-01-00T00:00:00Z", 0 },
        { "2026-04-31T00:00:00Z", 0 },
        { "2026-01-01T24:00:00Z", 0 },
        { "2026-01-01T00:60:00Z", 0 },
        { "2026-01-01T00:00:00", 0 },
        { "2026-01-01T00:00:00.Z", 0 },
        { "2026-01-01T00:00:00+1:00", 0 },
        { "2026-01-01 00:00:00Z", 0 },
        { "2026-01-01T00:00:00Zx", 0 },
        { "1970-01-01T00:00:00Z", 0 },
        { "", 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t seconds = 0;
        struct err err = credentials_parse_time(&seconds, bytes_str(cases[i].text));

        if ((err.code != 0) != (cases[i].seconds == 0) || seconds != cases[i].seconds)
            fail_msg("%s: %llu", cases[i].text, (unsigned long long)seconds);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_set_use_expire, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused_ones_keep_the_old, set_up, tear_down),
        cmocka_unit_test(test_times),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
