// SPDX-License-Identifier: Apache-2.0
// emu/kms_op.h: every operation of the emulated KMS, keys of two accounts, key states, and what
// each refuses.
#include "emu/kms_op.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "emu_request.h"

#define STRANGER "arn:aws:iam::444455556666:role/stranger"
#define CTX      "\"EncryptionContext\":{\"service\":\"cloister\"}"
#define OPEN_STATEMENT \
    "{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\",\"Resource\":\"*\"}"

static char other_arn[CMK_ARN_MAX];

static void put_open(const char *more)
{
    char policy[2048];
    int n = snprintf(policy, sizeof(policy), "{\"Statement\":[" OPEN_STATEMENT "%s]}", more);

    expect_ok("policy", cmk_set_policy(scene_dir, &cmk, bytes_of(policy, (size_t)n)));
    expect_ok("policy", cmk_set_policy(scene_dir, &other, bytes_of(policy, (size_t)n)));
}

static int open_setup(void **state)
{
    if (setup(state))
        return -1;
    put_open("");
    memcpy(other_arn, other.arn, sizeof(other_arn));
    return 0;
}

static const struct json *ask(const char *operation, const char *body)
{
    struct scene_case c = { .name = operation, .operation = operation, .body = body };
    unsigned status;
    const struct json *root = call(&c, &status);
    struct bytes type = json_string(json_get(root, "__type"));

    if (status != 200)
        fail_msg("%s: %u %.*s", operation, status, (int)type.n, (const char *)type.p);
    return root;
}

static void expect_text(const struct json *root, const char *name, const char *expected)
{
    struct bytes got = json_string(json_get(root, name));

    if (!bytes_equal_str(got, expected))
        fail_msg("%s: %.*s, expected %s", name, (int)got.n, (const char *)got.p, expected);
}

// The base64 text of a member, as a C string.
static void keep(char *out, size_t cap, const struct json *root, const char *name)
{
    assert_true(bytes_to_str(json_string(json_get(root, name)), out, cap));
}

static void encrypts_and_re_encrypts(void **state)
{
    char blob[1024], body[4096];
    const struct json *root;

    (void)state;
    root = ask("Encrypt", "{\"KeyId\":\"@\",\"Plaintext\":\"aGVsbG8=\"," CTX "}");
    expect_text(root, "EncryptionAlgorithm", "SYMMETRIC_DEFAULT");
    expect_text(root, "KeyId", cmk.arn);
    keep(blob, sizeof(blob), root, "CiphertextBlob");
    (void)snprintf(body, sizeof(body), "{\"CiphertextBlob\":\"%s\"," CTX "}", blob);
    expect_text(ask("Decrypt", body), "Plaintext", "aGVsbG8=");
    (void)snprintf(body, sizeof(body),
                   "{\"CiphertextBlob\":\"%s\",\"SourceEncryptionContext\":{\"service\":"
                   "\"cloister\"},\"DestinationKeyId\":\"%s\",\"DestinationEncryptionContext\":{"
                   "\"a\":\"b\"}}",
                   blob, other_arn);
    root = ask("ReEncrypt", body);
    expect_text(root, "KeyId", other_arn);
    expect_text(root, "SourceKeyId", cmk.arn);
    keep(blob, sizeof(blob), root, "CiphertextBlob");
    (void)snprintf(body, sizeof(body),
                   "{\"CiphertextBlob\":\"%s\",\"EncryptionContext\":{\"a\":\"b\"}}", blob);
    root = ask("Decrypt", body);
    expect_text(root, "Plaintext", "aGVsbG8=");
    expect_text(root, "KeyId", other_arn);
}

static void generates_without_plaintext(void **state)
{
    const struct json *root;

    (void)state;
    root = ask("GenerateDataKeyWithoutPlaintext", "{\"KeyId\":\"@\",\"KeySpec\":\"AES_128\"}");
    assert_null(json_get(root, "Plaintext"));
    assert_int_equal(json_string(json_get(root, "CiphertextBlob")).n, base64_len(168));
    root = ask("GenerateDataKey", "{\"KeyId\":\"@\",\"NumberOfBytes\":64}");
    assert_int_equal(json_string(json_get(root, "Plaintext")).n, base64_len(64));
    root = ask("GenerateRandom", "{\"NumberOfBytes\":1024}");
    assert_int_equal(json_string(json_get(root, "Plaintext")).n, base64_len(1024));
    root = ask("GenerateRandom", "{\"NumberOfBytes\":32,~}");
    assert_null(json_get(root, "Plaintext"));
    assert_non_null(json_get(root, "CiphertextForRecipient"));
}

// The private key in the blob is the one in the answer, and with a Recipient only in the envelope.
static void generates_pairs(void **state)
{
    static const struct {
        const char *spec;
        size_t public_len;
    } pairs[] = { { "ECC_SECG_P256K1", 88 }, { "ECC_NIST_P256", 91 }, { "RSA_2048", 294 } };
    char body[8192], secret[4096], blob[4096];
    const struct json *root;

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(pairs); i++) {
        (void)snprintf(body, sizeof(body), "{\"KeyId\":\"@\",\"KeyPairSpec\":\"%s\"}",
                       pairs[i].spec);
        root = ask("GenerateDataKeyPair", body);
        expect_text(root, "KeyPairSpec", pairs[i].spec);
        assert_int_equal(json_string(json_get(root, "PublicKey")).n,
                         base64_len(pairs[i].public_len));
        keep(secret, sizeof(secret), root, "PrivateKeyPlaintext");
        keep(blob, sizeof(blob), root, "PrivateKeyCiphertextBlob");
        (void)snprintf(body, sizeof(body), "{\"CiphertextBlob\":\"%s\"}", blob);
        expect_text(ask("Decrypt", body), "Plaintext", secret);
    }
    root = ask("GenerateDataKeyPair", "{\"KeyId\":\"@\",\"KeyPairSpec\":\"RSA_2048\",~}");
    assert_null(json_get(root, "PrivateKeyPlaintext"));
    assert_non_null(json_get(root, "CiphertextForRecipient"));
    root = ask("GenerateDataKeyPairWithoutPlaintext",
               "{\"KeyId\":\"@\",\"KeyPairSpec\":\"ECC_NIST_P256\"}");
    assert_null(json_get(root, "PrivateKeyPlaintext"));
}

static void creates_and_describes(void **state)
{
    const struct json *root, *meta;
    char body[512], id[64];

    (void)state;
    root = ask("CreateKey", "{\"Description\":\"signing \\u00e9 \\\"1\\\"\",\"KeyUsage\":"
                            "\"ENCRYPT_DECRYPT\",\"KeySpec\":\"SYMMETRIC_DEFAULT\",\"Tags\":[]}");
    keep(id, sizeof(id), json_get(root, "KeyMetadata"), "KeyId");
    (void)snprintf(body, sizeof(body), "{\"KeyId\":\"%s\"}", id);
    meta = json_get(ask("DescribeKey", body), "KeyMetadata");
    expect_text(meta, "AWSAccountId", "111122223333");
    expect_text(meta, "Description", "signing \xc3\xa9 \"1\"");
    expect_text(meta, "KeyState", "Enabled");
    expect_text(meta, "KeyManager", "CUSTOMER");
    expect_text(meta, "KeySpec", "SYMMETRIC_DEFAULT");
    expect_text(meta, "Origin", "AWS_KMS");
    assert_true(json_is_true(json_get(meta, "Enabled")));
    assert_null(json_get(meta, "DeletionDate"));
    // Without Policy: the account itself may do everything.
    root = ask("GetKeyPolicy", body);
    expect_text(root, "PolicyName", "default");
    assert_non_null(strstr((const char *)json_string(json_get(root, "Policy")).p,
                           "arn:aws:iam::111122223333:root"));
}

static void puts_policies(void **state)
{
    static const char open[] = "{\\\"Statement\\\":[{\\\"Effect\\\":\\\"Allow\\\",\\\"Principal"
                               "\\\":\\\"*\\\",\\\"Action\\\":\\\"%s\\\",\\\"Resource\\\":\\\"*"
                               "\\\"}]}";
    char policy[512], body[1024];
    struct scene_case locked = { .name = "locked out",
                                 .operation = "PutKeyPolicy",
                                 .error = "MalformedPolicyDocumentException",
                                 .body = body };

    (void)state;
    (void)snprintf(policy, sizeof(policy), open, "kms:*");
    (void)snprintf(body, sizeof(body), "{\"KeyId\":\"@\",\"Policy\":\"%s\"}", policy);
    assert_null(ask("PutKeyPolicy", body));
    (void)snprintf(policy, sizeof(policy), open, "kms:GetKeyPolicy");
    (void)snprintf(body, sizeof(body), "{\"KeyId\":\"@\",\"Policy\":\"%s\"}", policy);
    expect_refusal(&locked);
    (void)snprintf(body, sizeof(body),
                   "{\"KeyId\":\"@\",\"PolicyName\":\"default\",\"BypassPolicyLockoutSafetyCheck\""
                   ":true,\"Policy\":\"%s\"}",
                   policy);
    assert_null(ask("PutKeyPolicy", body));
    (void)ask("GetKeyPolicy", "{\"KeyId\":\"@\"}");
    // Now nobody can put another one, whatever they say.
    locked.error = "AccessDeniedException";
    expect_refusal(&locked);
    put_open("");
}

static void changes_states(void **state)
{
    static const struct scene_case disabled[] = {
        { .name = "disabled",
          .operation = "Encrypt",
          .error = "DisabledException",
          .body = "{\"KeyId\":\"@\",\"Plaintext\":\"AA==\"}" },
        { .name = "not pending",
          .operation = "CancelKeyDeletion",
          .error = "KMSInvalidStateException",
          .body = "{\"KeyId\":\"@\"}" },
    };
    static const struct scene_case pending[] = {
        { .name = "pending",
          .operation = "Encrypt",
          .error = "KMSInvalidStateException",
          .body = "{\"KeyId\":\"@\",\"Plaintext\":\"AA==\"}" },
        { .name = "enable",
          .operation = "EnableKey",
          .error = "KMSInvalidStateException",
          .body = "{\"KeyId\":\"@\"}" },
        { .name = "disable",
          .operation = "DisableKey",
          .error = "KMSInvalidStateException",
          .body = "{\"KeyId\":\"@\"}" },
        { .name = "schedule again",
          .operation = "ScheduleKeyDeletion",
          .error = "KMSInvalidStateException",
          .body = "{\"KeyId\":\"@\"}" },
    };
    const struct json *root;

    (void)state;
    assert_null(ask("DisableKey", "{\"KeyId\":\"@\"}"));
    expect_refusals(disabled, ARRAY_LEN(disabled));
    root = ask("ScheduleKeyDeletion", "{\"KeyId\":\"@\",\"PendingWindowInDays\":7}");
    expect_text(root, "KeyState", "PendingDeletion");
    expect_text(root, "KeyId", cmk.arn);
    expect_refusals(pending, ARRAY_LEN(pending));
    expect_err("file", cmk_set_enabled(scene_dir, bytes_str(cmk.arn), true), ERR_DENIED,
               "deletion");
    root = json_get(ask("DescribeKey", "{\"KeyId\":\"@\"}"), "KeyMetadata");
    assert_non_null(json_get(root, "DeletionDate"));
    (void)ask("GetKeyPolicy", "{\"KeyId\":\"@\"}");
    expect_text(ask("CancelKeyDeletion", "{\"KeyId\":\"@\"}"), "KeyId", cmk.arn);
    root = json_get(ask("DescribeKey", "{\"KeyId\":\"@\"}"), "KeyMetadata");
    expect_text(root, "KeyState", "Disabled");
    assert_null(ask("EnableKey", "{\"KeyId\":\"@\"}"));
    (void)ask("Encrypt", "{\"KeyId\":\"@\",\"Plaintext\":\"AA==\"}");
}

// Once its time has come a key is gone for every operation.
static void deletes(void **state)
{
    struct scene_case gone = { .name = "gone",
                               .operation = "DescribeKey",
                               .error = "NotFoundException" };
    AUTO(cmk_wipe) struct cmk doomed = { 0 };
    char body[256];

    (void)state;
    expect_ok("key", cmk_create(&doomed, scene_dir, "eu-west-1", "111122223333"));
    doomed.state = CMK_PENDING_DELETION;
    doomed.deletion_s = (uint64_t)time(NULL) - 1;
    expect_ok("save", cmk_save(scene_dir, &doomed));
    (void)snprintf(body, sizeof(body), "{\"KeyId\":\"%s\"}", doomed.arn);
    gone.body = body;
    expect_refusal(&gone);
}

static void lists(void **state)
{
    const struct json *root;
    char body[128], marker[64], first[64];

    (void)state;
    root = ask("ListKeys", "{}");
    assert_true(json_get(root, "Keys")->count >= 3);
    assert_false(json_is_true(json_get(root, "Truncated")));
    keep(first, sizeof(first), json_get(root, "Keys")->child, "KeyId");
    root = ask("ListKeys", "{\"Limit\":1}");
    assert_int_equal(json_get(root, "Keys")->count, 1);
    assert_true(json_is_true(json_get(root, "Truncated")));
    keep(marker, sizeof(marker), root, "NextMarker");
    assert_string_equal(marker, first);
    (void)snprintf(body, sizeof(body), "{\"Limit\":1000,\"Marker\":\"%s\"}", marker);
    root = ask("ListKeys", body);
    assert_true(json_get(root, "Keys")->count >= 2);
    assert_false(
        bytes_equal_str(json_string(json_get(json_get(root, "Keys")->child, "KeyId")), first));
}

// A key of one account and a role of another: only when the key policy names the role, and then not
// for operations that stay in the account.
static void two_accounts(void **state)
{
    static const char named[] = ",{\"Effect\":\"Allow\",\"Principal\":{\"AWS\":\"" STRANGER "\"},"
                                "\"Action\":\"kms:*\",\"Resource\":\"*\"}";
    struct scene_case c = { .name = "stranger",
                            .role = STRANGER,
                            .operation = "Encrypt",
                            .error = "AccessDeniedException",
                            .body = "{\"KeyId\":\"@\",\"Plaintext\":\"AA==\"}" };
    const struct json *root;
    char body[128];
    unsigned status;

    (void)state;
    expect_refusal(&c);
    put_open(named);
    (void)call(&c, &status);
    assert_int_equal(status, 200);
    c.error = "NotFoundException";
    (void)snprintf(body, sizeof(body), "{\"KeyId\":\"%s\",\"Plaintext\":\"AA==\"}",
                   strstr(cmk.arn, "key/") + 4);
    c.body = body;
    expect_refusal(&c);
    c.body = "{\"KeyId\":\"@\"}";
    c.operation = "DisableKey";
    expect_refusal(&c);
    c.operation = "DescribeKey";
    (void)call(&c, &status);
    assert_int_equal(status, 200);
    c.operation = "ListKeys";
    root = call(&c, &status);
    assert_int_equal(json_get(root, "Keys")->count, 0);
    // Its own keys are of its own account.
    c.operation = "CreateKey";
    c.body = "{}";
    expect_text(json_get(call(&c, &status), "KeyMetadata"), "AWSAccountId", "444455556666");
    put_open("");
}

#define CASE(n, op, err, text)                                 \
    {                                                          \
        .name = n, .operation = op, .error = err, .body = text \
    }

static void refuses(void **state)
{
    static const struct scene_case bad[] = {
        CASE("asymmetric", "CreateKey", "UnsupportedOperationException",
             "{\"KeySpec\":\"ECC_SECG_P256K1\"}"),
        CASE("old spec", "CreateKey", "UnsupportedOperationException",
             "{\"CustomerMasterKeySpec\":\"RSA_2048\"}"),
        CASE("usage", "CreateKey", "UnsupportedOperationException",
             "{\"KeyUsage\":\"SIGN_VERIFY\"}"),
        CASE("origin", "CreateKey", "UnsupportedOperationException", "{\"Origin\":\"EXTERNAL\"}"),
        CASE("regions", "CreateKey", "UnsupportedOperationException", "{\"MultiRegion\":true}"),
        CASE("tags", "CreateKey", "UnsupportedOperationException",
             "{\"Tags\":[{\"TagKey\":\"a\",\"TagValue\":\"b\"}]}"),
        CASE("bypass", "CreateKey", "SerializationException",
             "{\"BypassPolicyLockoutSafetyCheck\":1}"),
        CASE("policy", "CreateKey", "MalformedPolicyDocumentException", "{\"Policy\":\"{}\"}"),
        CASE("locked out", "CreateKey", "MalformedPolicyDocumentException",
             "{\"Policy\":\"{\\\"Statement\\\":[]}\"}"),
        CASE("unknown operator", "PutKeyPolicy", "MalformedPolicyDocumentException",
             "{\"KeyId\":\"@\",\"Policy\":\"{\\\"Statement\\\":{\\\"Effect\\\":\\\"Allow\\\","
             "\\\"Principal\\\":\\\"*\\\",\\\"Action\\\":\\\"*\\\",\\\"Resource\\\":\\\"*\\\","
             "\\\"Condition\\\":{\\\"NumericEquals\\\":{\\\"kms:CallerAccount\\\":\\\"1\\\"}}}}"
             "\"}"),
        CASE("no policy", "PutKeyPolicy", "ValidationException", "{\"KeyId\":\"@\"}"),
        CASE("policy's name", "PutKeyPolicy", "NotFoundException",
             "{\"KeyId\":\"@\",\"PolicyName\":\"x\",\"Policy\":\"{}\"}"),
        CASE("policy's name", "GetKeyPolicy", "NotFoundException",
             "{\"KeyId\":\"@\",\"PolicyName\":\"x\"}"),
        CASE("no key", "DescribeKey", "ValidationException", "{}"),
        CASE("alias", "DescribeKey", "NotFoundException", "{\"KeyId\":\"alias/x\"}"),
        CASE("window", "ScheduleKeyDeletion", "ValidationException",
             "{\"KeyId\":\"@\",\"PendingWindowInDays\":6}"),
        CASE("window", "ScheduleKeyDeletion", "ValidationException",
             "{\"KeyId\":\"@\",\"PendingWindowInDays\":31}"),
        CASE("limit", "ListKeys", "ValidationException", "{\"Limit\":0}"),
        CASE("limit", "ListKeys", "ValidationException", "{\"Limit\":1001}"),
        CASE("marker", "ListKeys", "InvalidMarkerException", "{\"Marker\":\"x\"}"),
        CASE("nothing", "Encrypt", "ValidationException", "{\"KeyId\":\"@\"}"),
        CASE("empty", "Encrypt", "ValidationException", "{\"KeyId\":\"@\",\"Plaintext\":\"\"}"),
        CASE("no base64", "Encrypt", "SerializationException",
             "{\"KeyId\":\"@\",\"Plaintext\":\"?\"}"),
        CASE("grants", "Encrypt", "InvalidGrantTokenException",
             "{\"KeyId\":\"@\",\"Plaintext\":\"AA==\",\"GrantTokens\":[\"x\"]}"),
        CASE("names in two cases", "Encrypt", "ValidationException",
             "{\"KeyId\":\"@\",\"Plaintext\":\"AA==\",\"EncryptionContext\":{\"a\":\"1\",\"A\":"
             "\"1\"}}"),
        CASE("dry run", "Encrypt", "DryRunOperationException",
             "{\"KeyId\":\"@\",\"Plaintext\":\"AA==\",\"DryRun\":true}"),
        CASE("dry run", "GenerateDataKeyPair", "DryRunOperationException",
             "{\"KeyId\":\"@\",\"KeyPairSpec\":\"RSA_2048\",\"DryRun\":true}"),
        CASE("no destination", "ReEncrypt", "ValidationException", "{\"CiphertextBlob\":\"AA==\"}"),
        CASE("no blob", "ReEncrypt", "ValidationException", "{\"DestinationKeyId\":\"@\"}"),
        CASE("bad blob", "ReEncrypt", "InvalidCiphertextException",
             "{\"DestinationKeyId\":\"@\",\"CiphertextBlob\":\"AA==\"}"),
        CASE("bad context", "ReEncrypt", "ValidationException",
             "{\"DestinationKeyId\":\"@\",\"CiphertextBlob\":\"AA==\",\"SourceEncryptionContext\":"
             "7}"),
        CASE("no spec", "GenerateDataKeyPair", "ValidationException", "{\"KeyId\":\"@\"}"),
        CASE("unknown spec", "GenerateDataKeyPair", "UnsupportedOperationException",
             "{\"KeyId\":\"@\",\"KeyPairSpec\":\"SM2\"}"),
        CASE("no number", "GenerateRandom", "ValidationException", "{}"),
        CASE("too many", "GenerateRandom", "ValidationException", "{\"NumberOfBytes\":1025}"),
        CASE("key store", "GenerateRandom", "CustomKeyStoreNotFoundException",
             "{\"NumberOfBytes\":1,\"CustomKeyStoreId\":\"x\"}"),
    };

    (void)state;
    expect_refusals(bad, ARRAY_LEN(bad));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(encrypts_and_re_encrypts),
        cmocka_unit_test(generates_without_plaintext),
        cmocka_unit_test(generates_pairs),
        cmocka_unit_test(creates_and_describes),
        cmocka_unit_test(puts_policies),
        cmocka_unit_test(changes_states),
        cmocka_unit_test(deletes),
        cmocka_unit_test(lists),
        cmocka_unit_test(two_accounts),
        cmocka_unit_test(refuses),
    };

    return cmocka_run_group_tests(tests, open_setup, teardown);
}
