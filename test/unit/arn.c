// SPDX-License-Identifier: Apache-2.0
// proto/arn.h: which key ARNs and which hosts are taken.
#include "proto/arn.h"

#include "base/must.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "expect.h"

#define KEY "1234abcd-12ab-34cd-56ef-1234567890ab"
#define MRK "mrk-1234abcd12ab34cd56ef1234567890ab"

static void taken(void **state)
{
    static const struct {
        const char *text, *host;
    } cases[] = {
        { "arn:aws:kms:eu-west-1:111122223333:key/" KEY, "kms.eu-west-1.amazonaws.com" },
        { "arn:aws:kms:ap-southeast-2:111122223333:key/" MRK, "kms.ap-southeast-2.amazonaws.com" },
        { "arn:aws-us-gov:kms:us-gov-west-1:111122223333:key/" KEY,
          "kms.us-gov-west-1.amazonaws.com" },
        { "arn:aws-cn:kms:cn-north-1:111122223333:key/" KEY, "kms.cn-north-1.amazonaws.com.cn" },
    };
    uint8_t host[128];
    struct arn arn;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        struct wr wr = WR_OF(host);

        expect_ok(cases[i].text, arn_parse(&arn, bytes_str(cases[i].text)));
        arn_write_host(&wr, &arn);
        assert_true(bytes_equal_str(wr_done(&wr), cases[i].host));
        assert_true(arn_host_allowed(bytes_str(cases[i].host)));
    }
    assert_true(bytes_equal_str(arn.partition, "aws-cn"));
    assert_true(bytes_equal_str(arn.region, "cn-north-1"));
    assert_true(bytes_equal_str(arn.account, "111122223333"));
    assert_true(bytes_equal_str(arn.key, KEY));
}

static void refused(void **state)
{
    static const struct {
        const char *name, *text, *what;
    } cases[] = {
        { "empty", "", "arn:" },
        { "bare id", KEY, "arn:" },
        { "alias", "arn:aws:kms:eu-west-1:111122223333:alias/main", "alias" },
        { "other service", "arn:aws:s3:eu-west-1:111122223333:key/" KEY, "service" },
        { "other partition", "arn:evil:kms:eu-west-1:111122223333:key/" KEY, "partition" },
        { "partition of another region", "arn:aws:kms:cn-north-1:111122223333:key/" KEY,
          "partition" },
        { "empty region", "arn:aws:kms::111122223333:key/" KEY, "region" },
        { "region with a dot", "arn:aws:kms:a.b-west-1:111122223333:key/" KEY, "region" },
        { "region with a slash", "arn:aws:kms:eu/west-1:111122223333:key/" KEY, "region" },
        { "region in upper case", "arn:aws:kms:EU-west-1:111122223333:key/" KEY, "region" },
        { "region without number", "arn:aws:kms:eu-west:111122223333:key/" KEY, "region" },
        { "region with a hyphen at the end", "arn:aws:kms:eu-west-1-:111122223333:key/" KEY,
          "region" },
        { "region of one word", "arn:aws:kms:eu-1:111122223333:key/" KEY, "region" },
        { "region of number zero", "arn:aws:kms:eu-west-0:111122223333:key/" KEY, "region" },
        { "region with a long number", "arn:aws:kms:eu-west-111:111122223333:key/" KEY, "region" },
        { "short account", "arn:aws:kms:eu-west-1:11112222333:key/" KEY, "account" },
        { "account of letters", "arn:aws:kms:eu-west-1:11112222333a:key/" KEY, "account" },
        { "key in upper case",
          "arn:aws:kms:eu-west-1:111122223333:key/1234ABCD-12ab-34cd-56ef-1234567890ab", "UUID" },
        { "short key", "arn:aws:kms:eu-west-1:111122223333:key/1234abcd", "UUID" },
        { "long key", "arn:aws:kms:eu-west-1:111122223333:key/" KEY "0", "UUID" },
        { "long mrk", "arn:aws:kms:eu-west-1:111122223333:key/" MRK "0", "UUID" },
        { "hyphen of a key elsewhere",
          "arn:aws:kms:eu-west-1:111122223333:key/1234abcd1-2ab-34cd-56ef-1234567890ab", "UUID" },
        { "something after the key", "arn:aws:kms:eu-west-1:111122223333:key/" KEY ":x", "UUID" },
    };
    struct arn arn;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++)
        expect_err(cases[i].name, arn_parse(&arn, bytes_str(cases[i].text)), ERR_MALFORMED,
                   cases[i].what);
}

static void too_long(void **state)
{
    uint8_t text[257] = { 'a', 'r', 'n', ':' };
    struct arn arn;

    (void)state;
    expect_err("257 bytes", arn_parse(&arn, BYTES_OF(text)), ERR_TOO_LARGE, "256");
}

static void hosts(void **state)
{
    static const char *const refused_hosts[] = {
        "",
        "kms.",
        "kms..amazonaws.com",
        "amazonaws.com",
        "kms.amazonaws.com",
        "kms.eu-west-1.amazonaws.com.",
        "kms.eu-west-1.amazonaws.com.evil.com",
        "kms.eu-west-1.amazonaws.com.cn",
        "kms.cn-north-1.amazonaws.com",
        "kms.eu-west-1.evil.com",
        "kms.evil.com",
        "xkms.eu-west-1.amazonaws.com",
        "s3.eu-west-1.amazonaws.com",
        "KMS.eu-west-1.amazonaws.com",
        "kms.eu-west-1:443.amazonaws.com",
    };

    (void)state;
    assert_true(arn_host_allowed(bytes_str("dynamodb.us-east-1.amazonaws.com")));
    for (size_t i = 0; i < ARRAY_LEN(refused_hosts); i++)
        if (arn_host_allowed(bytes_str(refused_hosts[i])))
            fail_msg("allowed: %s", refused_hosts[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(taken),
        cmocka_unit_test(refused),
        cmocka_unit_test(too_long),
        cmocka_unit_test(hosts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
