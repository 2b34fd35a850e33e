// SPDX-License-Identifier: Apache-2.0
// emu/kms_policy.h: decisions of key policies as AWS makes them, and policies that are refused.
#include "emu/kms_policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/must.h"
#include "expect.h"

#define ROLE   "arn:aws:iam::111122223333:role/app/signer"
#define KEY    "arn:aws:kms:eu-west-1:111122223333:key/12345678-1234-4321-8765-123456789abc"
#define HEX_A0 "a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0"
#define PCR_A0 HEX_A0 HEX_A0
#define HEX_B0 "B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0B0"
#define PCR_B0 HEX_B0 HEX_B0
#define HEX_00 "000000000000000000000000000000000000000000000000"
#define PCR_00 HEX_00 HEX_00

#define POLICY(statements) "{\"Version\":\"2012-10-17\",\"Statement\":[" statements "]}"
#define ST(effect, who, act, cond)                                                                \
    "{\"Effect\":\"" effect "\",\"Principal\":" who ",\"Action\":" act ",\"Resource\":\"*\"" cond \
    "}"
#define ALLOW(cond) ST("Allow", "\"*\"", "\"kms:Decrypt\"", ",\"Condition\":{" cond "}")
#define DENY(cond)  ST("Deny", "\"*\"", "\"kms:*\"", ",\"Condition\":{" cond "}")
#define WHO(who)    POLICY(ST("Allow", who, "\"kms:Decrypt\"", ""))
#define ACT(act)    POLICY(ST("Allow", "\"*\"", act, ""))
#define PCR(n)      "\"kms:RecipientAttestation:PCR" n "\""
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
    { "unknown operator", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED,
      POLICY(ALLOW("\"StringLike\":{" PCR("0") ":\"*\"}")) },
    { "no JSON", KMS_POLICY_NOT_ALLOWED, KMS_POLICY_NOT_ALLOWED, "{" },
};

static void check_verdict(const struct verdict_case *c, const struct attest *attest,
                          enum kms_policy_verdict expected)
{
    struct kms_policy_request request = { .action = BYTES_LIT("kms:Decrypt"),
                                          .role = BYTES_LIT(ROLE),
                                          .resource = BYTES_LIT(KEY),
                                          .attest = attest,
                                          .context = context };
    enum kms_policy_verdict got = kms_policy_decide(bytes_str(c->policy), &request);

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
        { "duplicate", ERR_MALFORMED, NULL, "{\"Statement\":[],\"Statement\":[]}" },
    };

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        expect_err(bad[i].name, kms_policy_check(bytes_str(bad[i].policy)), bad[i].code,
                   bad[i].what);
    for (size_t i = 1; i + 2 < ARRAY_LEN(cases); i++)
        expect_ok(cases[i].name, kms_policy_check(bytes_str(cases[i].policy)));
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
        cmocka_unit_test(refuses),
        cmocka_unit_test(decides),
        cmocka_unit_test(explains),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
