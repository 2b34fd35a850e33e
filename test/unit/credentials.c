// SPDX-License-Identifier: Apache-2.0
// front/credentials.h: what is taken, and when it ends.
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_set_use_expire, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_refused_ones_keep_the_old, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
