// SPDX-License-Identifier: Apache-2.0
// emu/kms_policy.h: decisions of key policies as AWS makes them, and policies that are refused.
#include "emu/kms_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "emu/glob.h"
#include "expect.h"

#define ROLE    "arn:aws:iam::111122223333:role/app/signer"
#define KEY     "arn:aws:kms:eu-west-1:111122223333:key/12345678-1234-4321-8765-123456789abc"
#define FOREIGN "arn:aws:iam::444455556666:role/app/signer"
#define HEX_A0  "a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0"
#define PCR_A0  HEX_A0 HEX_A0
#define HEX_B0  "B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0"
#define PCR_B0  HEX_B0 HEX_B0
#define HEX_00  "000000000000000000000000000000000000000000000000"
#define PCR_00  HEX_00 HEX_00

#define POLICY(statements) "{\"Version\":\"2012-10-17\",\"Statement\":[" statements "]}"
#define ST(effect, who, act, cond)                                                                \
    "{\"Effect\":\"" effect "\",\"Principal\":" who ",\"Action\":" act ",\"Resource\":\"*\"" cond \
    "}"
#define ALLOW(cond) ST("Allow", "\"*\"", "\"kms:Decrypt\"", ",\"Condition\":{" cond "}")
#define DENY(cond)  ST("Deny", "\"*\"", "\"kms:*\"", ",\"Condition\":{" cond "}")
#define WHO(who)    POLICY(ST("Allow", who, "\"kms:Decrypt\"", ""))
#define ACT(act)    POLICY(ST("Allow", "\"*\"", act, ""))
#define PCR(n)      "\"kms:RecipientAttestation:PCR" n "\""
#define SESSION     "arn:aws:sts::111122223333:assumed-role/signer/i-0"
#define KEYS        "\"kms:EncryptionContextKeys\""
#define CTX(name)   "\"kms:EncryptionContext:" name "\""

static struct attest doc;
static struct json context_nodes[8];
static const struct json *context;

// PCR0 is a0.., PCR16 b0.., PCR3 zero; the context {"service":"cloister","Purpose":"datakey"}.
static int setup(void **state)
{
    static uint8_t text[] = "{\"service\":\"cloister\",\"Purpose\":\"datakey\"}";

    (void)state;
    doc.pcr_present = 0x1ffff;
    memset(doc.pcr[0], 0xa0, ATTEST_PCR_BYTES);
    memset(doc.pcr[16], 0xb0, ATTEST_PCR_BYTES);
    expect_ok("context", json_parse(&context, context_nodes, ARRAY_LEN(context_nodes), text,
                                    sizeof(text) - 1));
    return 0;
}

static const struct verdict_case {
    const char *name;
    enum kms_policy_verdict with, without; // with and without a Recipient
    const char *policy;
} cases[] = {
    { "no policy", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED, "" },
    { "no statement", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED, POLICY("") },
    { "everybody", KMS_POLICY_ALLOW, KMS_POLICY_ALLOW, WHO("\"*\"") },
    { "everybody, AWS", KMS_POLICY_ALLOW, KMS_POLICY_ALLOW, WHO("{\"AWS\":\"*\"}") },
    { "the role", KMS_POLICY_ALLOW, KMS_POLICY_ALLOW, WHO("{\"AWS\":\"" ROLE "\"}") },
    { "one of two", KMS_POLICY_ALLOW, KMS_POLICY_ALLOW,
      WHO("{\"AWS\":[\"arn:aws:iam::111122223333:role/x\",\"" ROLE "\"]}") },
    { "the account", KMS_POLICY_ALLOW, KMS_POLICY_ALLOW, WHO("{\"AWS\":\"111122223333\"}") },
    { "the account's root", KMS_POLICY_ALLOW, KMS_POLICY_ALLOW,
      WHO("{\"AWS\":\"arn:aws:iam::111122223333:root\"}") },
    { "another role", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED,
      WHO("{\"AWS\":\"arn:aws:iam::111122223333:role/signer\"}") },
    { "another account", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED,
      WHO("{\"AWS\":\"arn:aws:iam::111122223334:root\"}") },
    { "nobody", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED, WHO("{\"AWS\":[]}") },
    { "action in another case", KMS_POLICY_ALLOW, KMS_POLICY_ALLOW, ACT("\"KMS:decrypt\"") },
    { "all actions", KMS_POLICY_ALLOW, KMS_POLICY_ALLOW, ACT("\"*\"") },
    { "actions that start so", KMS_POLICY_ALLOW, KMS_POLICY_ALLOW,
      ACT("[\"kms:Encrypt\",\"kms:Dec*\"]") },
    { "another action", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED,
      ACT("[\"kms:GenerateDataKey*\",\"kms:Decrypt2\",\"kms:D\"]") },
    { "image", KMS_POLICY_ALLOW, KMS_POLICY_NOT_ALLOWED,
      POLICY(ALLOW("\"StringEquals\":{\"kms:RecipientAttestation:ImageSha384\":\"" PCR_A0 "\"}")) },
    { "PCR0, one of two", KMS_POLICY_ALLOW, KMS_POLICY_NOT_ALLOWED,
      POLICY(ALLOW("\"StringEquals\":{" PCR("0") ":[\"" PCR_B0 "\",\"" PCR_A0 "\"]}")) },
    { "other PCR0", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED,
      POLICY(ALLOW("\"StringEquals\":{" PCR("0") ":\"" PCR_B0 "\"}")) },
    { "PCR16 in upper case", KMS_POLICY_ALLOW, KMS_POLICY_NOT_ALLOWED,
      POLICY(ALLOW("\"StringEqualsIgnoreCase\":{" PCR("16") ":\"" PCR_B0 "\"}")) },
    { "PCR16 in upper case, exactly", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED,
      POLICY(ALLOW("\"StringEquals\":{" PCR("16") ":\"" PCR_B0 "\"}")) },
    { "PCR3 of no role", KMS_POLICY_ALLOW, KMS_POLICY_NOT_ALLOWED,
      POLICY(ALLOW("\"StringEquals\":{" PCR("3") ":\"" PCR_00 "\"}")) },
    { "PCR17 is not in the document", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED,
      POLICY(ALLOW("\"StringEquals\":{" PCR("17") ":\"" PCR_00 "\"}")) },
    { "both must hold", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED,
      POLICY(ALLOW("\"StringEquals\":{" PCR("0") ":\"" PCR_A0 "\"," PCR("3") ":\"" PCR_A0 "\"}")) },
    { "both operators must hold", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED,
      POLICY(ALLOW("\"StringEquals\":{" PCR("0") ":\"" PCR_A0
                                                 "\"},\"Null\":{" PCR("0") ":\"true\"}")) },
    { "either statement", KMS_POLICY_ALLOW, KMS_POLICY_NOT_ALLOWED,
      POLICY(ALLOW("\"StringEquals\":{" PCR("0") ":\"" PCR_B0 "\"}") "," ALLOW(
          "\"StringEquals\":{" PCR("0") ":\"" PCR_A0 "\"}")) },
    { "not equal", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_ALLOW,
      POLICY(ALLOW("\"StringNotEquals\":{" PCR("0") ":\"" PCR_A0 "\"}")) },
    { "must be there", KMS_POLICY_ALLOW, KMS_POLICY_NOT_ALLOWED,
      POLICY(ALLOW("\"Null\":{" PCR("0") ":\"false\"}")) },
    { "must not be there", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_ALLOW,
      POLICY(ALLOW("\"Null\":{" PCR("0") ":\"true\"}")) },
    { "context", KMS_POLICY_ALLOW, KMS_POLICY_ALLOW,
      POLICY(ALLOW(
          "\"StringEquals\":{" CTX("service") ":\"cloister\"," CTX("Purpose") ":\"datakey\"}")) },
    { "other context", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED,
      POLICY(ALLOW("\"StringEquals\":{" CTX("service") ":\"Cloister\"}")) },
    { "context with another name", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED,
      POLICY(ALLOW("\"StringEquals\":{" CTX("keyset") ":\"cloister\"}")) },
    { "deny wins", KMS_POLICY_DENIED, KMS_POLICY_DENIED,
      POLICY(ST("Allow", "\"*\"", "\"*\"", "") "," ST("Deny", "\"*\"", "\"*\"", "")) },
    { "deny other images", KMS_POLICY_ALLOW, KMS_POLICY_DENIED,
      POLICY(DENY("\"Null\":{" PCR("0") ":\"true\"}") "," ST("Allow", "\"*\"", "\"*\"", "")) },
    { "deny of another action", KMS_POLICY_ALLOW, KMS_POLICY_ALLOW,
      POLICY(
          ST("Deny", "\"*\"", "\"kms:PutKeyPolicy\"", "") "," ST("Allow", "\"*\"", "\"*\"", "")) },
    { "a single statement", KMS_POLICY_ALLOW, KMS_POLICY_ALLOW,
      "{\"Statement\":" ST("Allow", "\"*\"", "\"*\"", "") ",\"Version\":\"2012-10-17\"}" },
    { "the session", KMS_POLICY_ALLOW, KMS_POLICY_ALLOW, WHO("{\"AWS\":\"" SESSION "\"}") },
    { "another session", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED,
      WHO("{\"AWS\":\"arn:aws:sts::111122223333:assumed-role/signer/i-1\"}") },
    { "a user", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED,
      WHO("{\"AWS\":\"arn:aws:iam::111122223333:user/signer\"}") },
    { "star in the middle", KMS_POLICY_ALLOW, KMS_POLICY_ALLOW, ACT("\"kms:*crypt\"") },
    { "question mark", KMS_POLICY_ALLOW, KMS_POLICY_ALLOW, ACT("\"kms:De?rypt\"") },
    { "question mark for nothing", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED,
      ACT("\"kms:Decrypt?\"") },
    { "not equal in any case", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_ALLOW,
      POLICY(ALLOW("\"StringNotEqualsIgnoreCase\":{" PCR("16") ":\"" PCR_B0 "\"}")) },
    { "not equal to one of two", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED,
      POLICY(ALLOW("\"StringNotEquals\":{" CTX("service") ":[\"x\",\"cloister\"]}")) },
    { "like", KMS_POLICY_ALLOW, KMS_POLICY_ALLOW,
      POLICY(ALLOW("\"StringLike\":{" CTX("service") ":\"clo*e?\"}")) },
    { "like, other case", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED,
      POLICY(ALLOW("\"StringLike\":{" CTX("service") ":\"CLO*\"}")) },
    { "not like", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED,
      POLICY(ALLOW("\"StringNotLike\":{" CTX("service") ":\"clo*\"}")) },
    { "name of a key in another case", KMS_POLICY_ALLOW, KMS_POLICY_NOT_ALLOWED,
      POLICY(ALLOW("\"StringEquals\":{\"KMS:recipientattestation:imagesha384\":\"" PCR_A0
                   "\",\"kms:EncryptionContext:PURPOSE\":\"datakey\"}")) },
    { "names of the context, all", KMS_POLICY_ALLOW, KMS_POLICY_ALLOW,
      POLICY(ALLOW("\"ForAllValues:StringEquals\":{" KEYS ":[\"Purpose\",\"service\",\"x\"]}")) },
    { "names of the context, one more", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED,
      POLICY(ALLOW("\"ForAllValues:StringEquals\":{" KEYS ":\"service\"}")) },
    { "names of the context, any", KMS_POLICY_ALLOW, KMS_POLICY_ALLOW,
      POLICY(ALLOW("\"ForAnyValue:StringEquals\":{" KEYS ":\"service\"}")) },
    { "names of the context, none", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED,
      POLICY(ALLOW("\"ForAnyValue:StringEquals\":{" KEYS ":\"Service\"}")) },
    { "all of nothing", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_ALLOW,
      POLICY(ALLOW("\"ForAllValues:StringEquals\":{" PCR("0") ":\"x\"}")) },
    { "any of nothing", KMS_POLICY_ALLOW, KMS_POLICY_NOT_ALLOWED,
      POLICY(ALLOW("\"ForAnyValue:StringNotEquals\":{" PCR("0") ":\"x\"}")) },
    { "caller's account", KMS_POLICY_ALLOW, KMS_POLICY_ALLOW,
      POLICY(ALLOW("\"StringEquals\":{\"kms:CallerAccount\":\"111122223333\"}")) },
    { "caller's other account", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED,
      POLICY(ALLOW("\"StringEquals\":{\"aws:PrincipalAccount\":\"111122223334\"}")) },
    { "caller's role", KMS_POLICY_ALLOW, KMS_POLICY_ALLOW,
      POLICY(ALLOW("\"StringLike\":{\"aws:PrincipalArn\":\"arn:aws:iam::*:role/app/*\"}")) },
    { "over TLS", KMS_POLICY_ALLOW, KMS_POLICY_ALLOW,
      POLICY(ALLOW("\"Bool\":{\"aws:SecureTransport\":\"True\"}")) },
    { "no lockout check to bypass", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED,
      POLICY(ALLOW("\"Bool\":{\"kms:BypassPolicyLockoutSafetyCheck\":\"false\"}")) },
    { "unknown operator", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED,
      POLICY(ALLOW("\"StringLikeIfExists\":{" PCR("0") ":\"*\"}")) },
    { "no JSON", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED, "{" },
};

static void check_verdict(const struct verdict_case *c, const struct attest *attest,
                          enum kms_policy_verdict expected)
{
    struct kms_policy_request request = { .action = BYTES_LIT("kms:Decrypt"),
                                          .role = BYTES_LIT(ROLE),
                                          .session = BYTES_LIT(SESSION),
                                          .resource = BYTES_LIT(KEY),
                                          .attest = attest,
                                          .context = context };
    enum kms_policy_verdict got = kms_policy_decide(bytes_str(c->policy), &request, NULL);

    if (got != expected)
        fail_msg("%s, %s Recipient: %d, expected %d", c->name, attest ? "with" : "without",
                 (int)got, (int)expected);
}

static void decides(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        check_verdict(&cases[i], &doc, cases[i].with);
        check_verdict(&cases[i], NULL, cases[i].without);
    }
}

static void refuses(void **state)
{
    static const struct {
        const char *name;
        enum err_code code;
        const char *what, *policy;
    } bad[] = {
        { "nothing", ERR_MALFORMED, NULL, "" },
        { "no object", ERR_MALFORMED, "object", "[]" },
        { "unknown member", ERR_MALFORMED, "Version, Id and Statement",
          "{\"Statement\":[],\"X\":1}" },
        { "no Statement", ERR_MALFORMED, "Statement", "{\"Version\":\"2012-10-17\"}" },
        { "Statement is text", ERR_MALFORMED, "Statement", "{\"Statement\":\"x\"}" },
        { "NotAction", ERR_UNSUPPORTED, "Sid, Effect",
          POLICY("{\"Effect\":\"Allow\",\"Principal\":\"*\",\"NotAction\":\"*\",\"Resource\":\"*"
                 "\"}") },
        { "Effect", ERR_MALFORMED, "Effect", POLICY(ST("Permit", "\"*\"", "\"*\"", "")) },
        { "no Principal", ERR_MALFORMED, "Principal",
          POLICY("{\"Effect\":\"Allow\",\"Action\":\"*\",\"Resource\":\"*\"}") },
        { "Principal Service", ERR_UNSUPPORTED, "Principal",
          WHO("{\"Service\":\"ec2.amazonaws.com\"}") },
        { "Principal text", ERR_MALFORMED, "Principal", WHO("\"" ROLE "\"") },
        { "Action number", ERR_MALFORMED, "string", ACT("7") },
        { "Action list of numbers", ERR_MALFORMED, "string", ACT("[7]") },
        { "no Resource", ERR_MALFORMED, "string",
          POLICY("{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\"}") },
        { "operator", ERR_UNSUPPORTED, "StringEquals",
          POLICY(ALLOW("\"StringEqualsIfExists\":{" PCR("0") ":\"x\"}")) },
        { "condition key", ERR_UNSUPPORTED, "Condition",
          POLICY(ALLOW("\"StringEquals\":{\"aws:SourceIp\":\"x\"}")) },
        { "PCR32", ERR_MALFORMED, "PCR31",
          POLICY(ALLOW("\"StringEquals\":{" PCR("32") ":\"x\"}")) },
        { "PCR00", ERR_MALFORMED, "PCR31",
          POLICY(ALLOW("\"StringEquals\":{" PCR("00") ":\"x\"}")) },
        { "Null value", ERR_MALFORMED, "Null", POLICY(ALLOW("\"Null\":{" PCR("0") ":\"no\"}")) },
        { "value", ERR_MALFORMED, "string", POLICY(ALLOW("\"StringEquals\":{" PCR("0") ":0}")) },
        { "Bool value", ERR_MALFORMED, "Bool",
          POLICY(ALLOW("\"Bool\":{\"aws:SecureTransport\":\"1\"}")) },
        { "Bool of text", ERR_UNSUPPORTED, "Bool",
          POLICY(ALLOW("\"Bool\":{" PCR("0") ":\"true\"}")) },
        { "text of Bool", ERR_UNSUPPORTED, "Bool",
          POLICY(ALLOW("\"StringEquals\":{\"aws:SecureTransport\":\"true\"}")) },
        { "set operator of Null", ERR_UNSUPPORTED, "StringEquals",
          POLICY(ALLOW("\"ForAllValues:Null\":{" PCR("0") ":\"true\"}")) },
        { "names without a set operator", ERR_UNSUPPORTED, "ForAnyValue",
          POLICY(ALLOW("\"StringEquals\":{" KEYS ":\"service\"}")) },
        { "operator in another case", ERR_UNSUPPORTED, "StringEquals",
          POLICY(ALLOW("\"stringequals\":{" PCR("0") ":\"x\"}")) },
        { "context without a name", ERR_UNSUPPORTED, "Condition",
          POLICY(ALLOW("\"StringEquals\":{" CTX("") ":\"x\"}")) },
        { "variable", ERR_UNSUPPORTED, "variables",
          POLICY(ALLOW("\"StringEquals\":{" PCR("0") ":\"${aws:username}\"}")) },
        { "Principal with a wildcard", ERR_MALFORMED, "Principal",
          WHO("{\"AWS\":\"arn:aws:iam::111122223333:role/*\"}") },
        { "Principal of 11 digits", ERR_MALFORMED, "Principal", WHO("{\"AWS\":\"11112222333\"}") },
        { "Principal is a group", ERR_MALFORMED, "Principal",
          WHO("{\"AWS\":\"arn:aws:iam::111122223333:group/x\"}") },
        { "Version", ERR_MALFORMED, "Version", "{\"Version\":\"2020-01-01\",\"Statement\":[]}" },
        { "Sid", ERR_MALFORMED, "Sid",
          POLICY("{\"Sid\":1,\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\","
                 "\"Resource\":\"*\"}") },
        { "duplicate", ERR_MALFORMED, NULL, "{\"Statement\":[],\"Statement\":[]}" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        expect_err(bad[i].name, kms_policy_check(bytes_str(bad[i].policy)), bad[i].code,
                   bad[i].what);
    for (size_t i = 1; i + 2 < ARRAY_LEN(cases); i++)
        expect_ok(cases[i].name, kms_policy_check(bytes_str(cases[i].policy)));
}

// Another account's caller needs a statement that names it; a Deny meets it by any name.
static void across_accounts(void **state)
{
    static const struct {
        const char *name;
        enum kms_policy_verdict expected;
        unsigned statement;
        const char *policy;
    } across[] = {
        { "everybody", KMS_POLICY_NOT_ALLOWED, 0, WHO("\"*\"") },
        { "its root", KMS_POLICY_NOT_ALLOWED, 0,
          WHO("{\"AWS\":\"arn:aws:iam::444455556666:root\"}") },
        { "its digits", KMS_POLICY_NOT_ALLOWED, 0, WHO("{\"AWS\":\"444455556666\"}") },
        { "the role of the same name", KMS_POLICY_NOT_ALLOWED, 0, WHO("{\"AWS\":\"" ROLE "\"}") },
        { "the role", KMS_POLICY_ALLOW, 1, WHO("{\"AWS\":\"" FOREIGN "\"}") },
        { "the role, second", KMS_POLICY_ALLOW, 2,
          POLICY(ST("Allow", "\"*\"", "\"*\"", "") "," ST("Allow", "{\"AWS\":\"" FOREIGN "\"}",
                                                          "\"*\"", "")) },
        { "the role, and everybody denied", KMS_POLICY_DENIED, 2,
          POLICY(ST("Allow", "{\"AWS\":\"" FOREIGN "\"}", "\"*\"", "") "," ST("Deny", "\"*\"",
                                                                              "\"*\"", "")) },
        { "the role, and its account denied", KMS_POLICY_DENIED, 1,
          POLICY(ST("Deny", "{\"AWS\":\"444455556666\"}", "\"*\"",
                    "") "," ST("Allow", "{\"AWS\":\"" FOREIGN "\"}", "\"*\"", "")) },
    };
    struct kms_policy_request request = { .action = BYTES_LIT("kms:Decrypt"),
                                          .role = BYTES_LIT(FOREIGN),
                                          .resource = BYTES_LIT(KEY) };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(across); i++) {
        unsigned statement = 99;
        enum kms_policy_verdict got =
            kms_policy_decide(bytes_str(across[i].policy), &request, &statement);

        if (got != across[i].expected || statement != across[i].statement)
            fail_msg("%s: %d by %u", across[i].name, (int)got, statement);
    }
}

static void accounts(void **state)
{
    (void)state;
    assert_true(bytes_equal_str(kms_policy_account(BYTES_LIT(ROLE)), "111122223333"));
    assert_true(bytes_equal_str(kms_policy_account(BYTES_LIT(KEY)), "111122223333"));
    assert_int_equal(kms_policy_account(BYTES_LIT("arn:aws:iam::11112222333:role/x")).n, 0);
    assert_int_equal(kms_policy_account(BYTES_LIT("arn:xyz:iam::111122223333:role/x")).n, 0);
    assert_int_equal(kms_policy_account(BYTES_LIT("111122223333")).n, 0);
    assert_int_equal(kms_policy_account(BYTES_NONE).n, 0);
}

static void wildcards(void **state)
{
    static const struct {
        const char *pattern, *text;
        bool matches;
    } globs[] = {
        { "", "", true },           { "*", "", true },
        { "?", "", false },         { "a*b*c", "axxbyyc", true },
        { "a*b*c", "axxb", false }, { "*aab", "aaaab", true },
        { "a?c", "abc", true },     { "a?c", "ac", false },
        { "abc", "ABC", true },     { "**", "x", true },
        { "a*", "ba", false },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(globs); i++) {
        if (glob_match(bytes_str(globs[i].pattern), bytes_str(globs[i].text), true) !=
            globs[i].matches)
            fail_msg("%s %s", globs[i].pattern, globs[i].text);
    }
    assert_false(glob_match(BYTES_LIT("abc"), BYTES_LIT("ABC"), false));
}

static void explains(void **state)
{
    static const struct {
        const char *name, *policy, *expected;
    } explained[] = {
        { "no policy", "", "the key has no policy" },
        { "bad policy", "{}", "the policy cannot be read" },
        { "no statement", POLICY(""), "the policy has no statement" },
        { "role and action",
          POLICY(ST("Allow", "{\"AWS\":\"111122223334\"}", "\"*\"", "") "," ST("Allow", "\"*\"",
                                                                               "\"kms:Sign\"", "")),
          "statement 1: Principal; statement 2: Action" },
        { "condition", POLICY(ALLOW("\"StringEquals\":{" PCR("0") ":\"" PCR_B0 "\"}")),
          "statement 1: kms:RecipientAttestation:PCR0" },
        { "deny", POLICY(ST("Deny", "\"*\"", "\"*\"", "")), "statement 1: Effect: Deny" },
    };
    struct kms_policy_request request = { .action = BYTES_LIT("kms:Decrypt"),
                                          .role = BYTES_LIT(ROLE),
                                          .resource = BYTES_LIT(KEY),
                                          .attest = &doc,
                                          .context = context };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(explained); i++) {
        uint8_t text[256];
        struct wr wr = WR_OF(text);

        kms_policy_explain(&wr, bytes_str(explained[i].policy), &request);
        if (!bytes_equal_str(wr_done(&wr), explained[i].expected))
            fail_msg("%s: %.*s", explained[i].name, (int)wr.len, (const char *)text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses),  cmocka_unit_test(decides),   cmocka_unit_test(across_accounts),
        cmocka_unit_test(accounts), cmocka_unit_test(wildcards), cmocka_unit_test(explains),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
