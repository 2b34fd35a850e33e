// SPDX-License-Identifier: Apache-2.0
// net/sigv4.h: dates, a KMS request signed as botocore signs it, and the POST cases of aws-c-auth.
#include "net/sigv4.h"

#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"
#include "vectors.h"

#define SECRET "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"

static void dates(void **state)
{
    static const struct {
        const char *text;
        uint64_t at;
    } cases[] = {
        { "19700101T000000Z", 0 },
        { "20260101T000000Z", 1767225600 },
        { "20240229T235959Z", 1709251199 },
        { "20000101T000001Z", 946684801 },
        { "99991231T235959Z", 253402300799 },
    };
    char text[SIGV4_DATE];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        sigv4_date(text, cases[i].at);
        assert_string_equal(text, cases[i].text);
    }
    sigv4_date(text, UINT64_MAX);
    assert_string_equal(text, "99991231T235959Z");
}

static struct sigv4_request kms_request(void)
{
    return (struct sigv4_request) {
        .host = BYTES_LIT("kms.us-east-1.amazonaws.com"),
        .region = BYTES_LIT("us-east-1"),
        .service = BYTES_LIT("kms"),
        .target = BYTES_LIT("TrentService.GenerateRandom"),
        .body = BYTES_LIT("{\"NumberOfBytes\":32}"),
        .now_s = 1767225600,
    };
}

// The signature that botocore 1.34 makes for the same request.
static void authorization(void **state)
{
    struct sigv4_credentials credentials = { BYTES_LIT("AKIDEXAMPLE"), BYTES_LIT(SECRET),
                                             BYTES_LIT("SESSIONTOKENEXAMPLE") };
    struct sigv4_request request = kms_request();
    uint8_t out[512];
    struct wr wr = WR_OF(out);

    (void)state;
    sigv4_authorization(&wr, &credentials, &request);
    assert_true(bytes_equal_str(
        wr_done(&wr),
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20260101/us-east-1/kms/aws4_request, "
        "SignedHeaders=content-type;host;x-amz-date;x-amz-security-token;x-amz-target, "
        "Signature=e7b41e002d46db5bb9f27f2cfed9f8169cb8c4598c99bebe9fcc8b5636b67d36"));

    credentials.token = BYTES_NONE;
    wr = WR_OF(out);
    sigv4_authorization(&wr, &credentials, &request);
    assert_non_null(
        memmem(out, wr.len, "SignedHeaders=content-type;host;x-amz-date;x-amz-target,", 56));
}

static void authorization_refused(void **state)
{
    struct sigv4_credentials credentials = { BYTES_LIT("AKIDEXAMPLE"), BYTES_LIT(SECRET),
                                             BYTES_NONE };
    static uint8_t long_token[20000];
    uint8_t out[512];
    struct wr wr;

    (void)state;
    memset(long_token, 'a', sizeof(long_token));
    for (int i = 0; i < 5; i++) {
        struct sigv4_request request = kms_request();

        credentials.token = i == 0 ? BYTES_LIT("a b") : BYTES_NONE;
        if (i == 1)
            credentials.token = BYTES_OF(long_token);
        if (i == 2)
            request.host = BYTES_LIT("host\nx:y");
        if (i == 3)
            request.target = BYTES_LIT("Trent Service");
        wr = wr_of(out, i == 4 ? 40 : sizeof(out));
        sigv4_authorization(&wr, &credentials, &request);
        expect_err("authorization", wr_end(&wr), ERR_TOO_LARGE, NULL);
    }
}

// The next line, without its LF.
static struct bytes line(struct bytes *rest)
{
    const uint8_t *lf = rest->n ? memchr(rest->p, '\n', rest->n) : NULL;
    struct bytes taken = bytes_take(*rest, lf ? (size_t)(lf - rest->p) : rest->n);

    *rest = bytes_skip(*rest, taken.n + 1);
    return taken;
}

// Signs what a canonical request of the suite holds, with the body of the plain request.
static void check_suite_case(const char *name, const char *body)
{
    char path[256], signature[65];
    struct sigv4_scope scope = { .date = BYTES_LIT("20150830T123600Z"),
                                 .region = BYTES_LIT("us-east-1"),
                                 .service = BYTES_LIT("service"),
                                 .body = bytes_str(body) };
    struct bytes rest, expected;

    (void)snprintf(path, sizeof(path), "sigv4/aws-c-auth/v4/%s/header-canonical-request.txt", name);
    rest = vectors_read(path);
    (void)snprintf(path, sizeof(path), "sigv4/aws-c-auth/v4/%s/header-signature.txt", name);
    expected = vectors_read(path);
    assert_true(bytes_equal_str(line(&rest), "POST"));
    assert_true(bytes_equal_str(line(&rest), "/"));
    assert_true(bytes_equal_str(line(&rest), ""));
    scope.canonical_headers.p = rest.p;
    for (struct bytes one = line(&rest); one.n > 0; one = line(&rest))
        scope.canonical_headers.n += one.n + 1;
    scope.signed_headers = line(&rest);
    sigv4_signature(signature, BYTES_LIT(SECRET), &scope);
    if (!bytes_equal_str(bytes_take(expected, 64), signature))
        fail_msg("%s: got %s", name, signature);
}

static void suite(void **state)
{
    (void)state;
    check_suite_case("post-vanilla", "");
    check_suite_case("post-header-key-case", "");
    check_suite_case("post-header-key-sort", "");
    check_suite_case("post-header-value-case", "");
    check_suite_case("post-sts-header-before", "");
    check_suite_case("post-x-www-form-urlencoded", "Param1=value1");
}

// Every part counts, also of secrets longer than HMAC's block and of parts that are cut.
static void every_part_counts(void **state)
{
    static const uint8_t long_secret[100] = { 'k' };
    struct sigv4_scope scope = { .date = BYTES_LIT("20150830T123600Z"),
                                 .region = BYTES_LIT("us-east-1"),
                                 .service = BYTES_LIT("service"),
                                 .canonical_headers = BYTES_LIT("host:a\n"),
                                 .signed_headers = BYTES_LIT("host"),
                                 .body = BYTES_LIT("{}") };
    static char seen[10][65];
    size_t n = 0;

    (void)state;
    sigv4_signature(seen[n++], BYTES_LIT(SECRET), &scope);
    sigv4_signature(seen[n++], BYTES_NONE, &scope);
    sigv4_signature(seen[n++], BYTES_OF(long_secret), &scope);
    sigv4_signature(seen[n++], bytes_of(long_secret, 99), &scope);
    for (size_t i = 0; i < 6; i++) {
        struct sigv4_scope other = scope;
        struct bytes *const part[] = { &other.date,           &other.region,
                                       &other.service,        &other.canonical_headers,
                                       &other.signed_headers, &other.body };

        *part[i] = BYTES_OF(long_secret);
        sigv4_signature(seen[n++], BYTES_LIT(SECRET), &other);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(seen[i], seen[k]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(dates),
        cmocka_unit_test(authorization),
        cmocka_unit_test(authorization_refused),
        cmocka_unit_test(suite),
        cmocka_unit_test(every_part_counts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
