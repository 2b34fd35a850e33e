// SPDX-License-Identifier: Apache-2.0
// emu/kms.h: a request signed, attested and answered in this process, and everything that KMS must
// refuse, one case each, with AWS's error names.
#include "emu/kms.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "emu_request.h"

#include <sys/stat.h>

static void decrypts(void **state)
{
    static const struct scene_case good[] = {
        { .name = "by ARN" },
        { .name = "without KeyId", .key = "" },
        { .name = "context in another order", .context = CONTEXT_TURN },
        { .name = "four minutes old", .nsm_skew_s = -240 },
        { .name = "signed four minutes ago", .sign_skew_s = -240 },
        { .name = "host with port", .host = HOST ":443" },
    };
    unsigned status;
    uint8_t out[32];

    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        open_answer(out, call(&good[i], &status));
        assert_int_equal(status, 200);
        assert_true(bytes_equal(BYTES_OF(out), BYTES_LIT(DATA_KEY)));
    }
}

// The data key that GenerateDataKey seals for the recipient is the one in its blob.
static void generates(void **state)
{
    static const struct scene_case generate = { .name = "generate",
                                                .operation = "GenerateDataKey" };
    struct scene_case decrypt = { .name = "decrypt" };
    uint8_t first[64], second[64];
    char blob[512];
    const struct json *root;
    unsigned status;

    (void)state;
    root = call(&generate, &status);
    assert_int_equal(status, 200);
    assert_true(bytes_to_str(json_string(json_get(root, "CiphertextBlob")), blob, sizeof(blob)));
    // 32 bytes and KMS's 152 more; as text it starts as KMS's do.
    assert_int_equal(strlen(blob), base64_len(184));
    assert_memory_equal(blob, "AQICAHh", 7 - 1);
    open_answer(first, root);
    decrypt.blob = blob;
    open_answer(second, call(&decrypt, &status));
    assert_memory_equal(first, second, 32);
}

// The list that DESIGN demands: each is one thing wrong in an otherwise good request.
static void refuses_attestation(void **state)
{
    static const struct scene_case bad[] = {
        { .name = "other PCR0", .other_pcr = 1, .error = "AccessDeniedException" },
        { .name = "other PCR3", .other_pcr = 4, .error = "AccessDeniedException" },
        { .name = "other PCR16", .other_pcr = 17, .error = "AccessDeniedException" },
        { .name = "PCR16 not set", .no_pcr16 = true, .error = "AccessDeniedException" },
        { .name = "debug enclave", .debug = true, .error = "AccessDeniedException" },
        { .name = "missing Recipient", .no_recipient = true, .error = "AccessDeniedException" },
        { .name = "unsigned", .change = UNSIGNED, .error = "ValidationException" },
        { .name = "bit flipped in a PCR", .change = FLIP_PAYLOAD, .error = "ValidationException" },
        { .name = "bit flipped in the signature",
          .change = FLIP_SIGNATURE,
          .error = "ValidationException" },
        { .name = "cut short", .change = CUT, .error = "ValidationException" },
        { .name = "no document", .change = GARBAGE, .error = "ValidationException" },
        { .name = "expired leaf", .nsm_skew_s = -4 * 3600, .error = "ValidationException" },
        { .name = "too old", .nsm_skew_s = -400, .error = "ValidationException" },
        { .name = "from the future", .nsm_skew_s = 400, .error = "ValidationException" },
        { .name = "foreign root", .foreign_root = true, .error = "ValidationException" },
        { .name = "no public key", .no_public_key = true, .error = "ValidationException" },
        { .name = "other PCR0, data key",
          .operation = "GenerateDataKey",
          .other_pcr = 1,
          .error = "AccessDeniedException" },
        { .name = "no Recipient, data key",
          .operation = "GenerateDataKey",
          .no_recipient = true,
          .error = "AccessDeniedException" },
    };

    (void)state;
    expect_refusals(bad, ARRAY_LEN(bad));
}

static void refuses_ciphertext(void **state)
{
    static const struct scene_case bad[] = {
        { .name = "wrong context",
          .context = "{\"service\":\"cloister\",\"keyset\":\"other\",\"purpose\":\"datakey\"}",
          .error = "InvalidCiphertextException" },
        { .name = "one name less",
          .context = "{\"service\":\"cloister\",\"keyset\":\"main\"}",
          .error = "InvalidCiphertextException" },
        { .name = "context that the policy does not allow",
          .context = "{\"service\":\"x\"}",
          .error = "AccessDeniedException" },
        { .name = "no ciphertext", .blob = "AQIC", .error = "InvalidCiphertextException" },
        { .name = "no ciphertext, no key",
          .blob = "AQIC",
          .key = "",
          .error = "InvalidCiphertextException" },
        { .name = "key of another blob", .key = "other", .error = "IncorrectKeyException" },
        { .name = "no such key",
          .key = "arn:aws:kms:eu-west-1:111122223333:key/00000000-0000-4000-8000-000000000000",
          .error = "NotFoundException" },
        { .name = "no key", .key = "alias/x", .error = "NotFoundException" },
        { .name = "path as key",
          .key = "../../../../../../etc/passwd/0000000",
          .error = "NotFoundException" },
        { .name = "disabled", .disabled = true, .error = "DisabledException" },
        { .name = "dry run", .extra = "\"DryRun\":true", .error = "DryRunOperationException" },
    };

    (void)state;
    expect_refusals(bad, ARRAY_LEN(bad));
}

static void refuses_shape(void **state)
{
    static const struct scene_case bad[] = {
        { .name = "empty blob", .blob = "", .error = "ValidationException" },
        { .name = "blob in no base64", .blob = "A", .error = "SerializationException" },
        { .name = "context of numbers", .context = "{\"a\":1}", .error = "SerializationException" },
        { .name = "context list", .context = "[]", .error = "SerializationException" },
        { .name = "key twice", .extra = "\"KeyId\":\"x\"", .error = "SerializationException" },
        { .name = "algorithm",
          .extra = "\"EncryptionAlgorithm\":\"RSAES_OAEP_SHA_256\"",
          .error = "InvalidKeyUsageException" },
        { .name = "Recipient text",
          .no_recipient = true,
          .extra = "\"Recipient\":\"x\"",
          .error = "SerializationException" },
        { .name = "Recipient algorithm",
          .no_recipient = true,
          .extra = "\"Recipient\":{\"KeyEncryptionAlgorithm\":\"RSAES_OAEP_SHA_1\"}",
          .error = "ValidationException" },
        { .name = "spec and number",
          .operation = "GenerateDataKey",
          .extra = "\"KeySpec\":\"AES_256\",\"NumberOfBytes\":32",
          .error = "ValidationException" },
        { .name = "too many bytes",
          .operation = "GenerateDataKey",
          .extra = "\"NumberOfBytes\":1025",
          .error = "ValidationException" },
        { .name = "unknown spec",
          .operation = "GenerateDataKey",
          .extra = "\"KeySpec\":\"AES_512\"",
          .error = "ValidationException" },
        { .name = "unknown operation", .operation = "Sign", .error = "UnknownOperationException" },
    };

    (void)state;
    expect_refusals(bad, ARRAY_LEN(bad));
}

static void refuses_signature(void **state)
{
    static const struct scene_case bad[] = {
        { .name = "bad SigV4", .bad_secret = true, .error = "InvalidSignatureException" },
        { .name = "body changed", .body_after = "{}", .error = "InvalidSignatureException" },
        { .name = "operation changed",
          .target = "TrentService.GenerateDataKey",
          .error = "InvalidSignatureException" },
        { .name = "host changed",
          .signed_host = "kms.eu-west-2.amazonaws.com",
          .error = "InvalidSignatureException" },
        { .name = "other Region",
          .host = "kms.eu-west-2.amazonaws.com",
          .error = "InvalidSignatureException" },
        { .name = "other host", .host = "example.org", .error = "InvalidSignatureException" },
        { .name = "six minutes ago", .sign_skew_s = -360, .error = "InvalidSignatureException" },
        { .name = "six minutes ahead", .sign_skew_s = 360, .error = "InvalidSignatureException" },
        { .name = "unknown access key",
          .unknown_access = true,
          .error = "UnrecognizedClientException" },
        { .name = "other token", .bad_token = true, .error = "UnrecognizedClientException" },
        { .name = "expired", .expired = true, .error = "ExpiredTokenException" },
        { .name = "not signed",
          .no_authorization = true,
          .error = "MissingAuthenticationTokenException" },
    };

    (void)state;
    expect_refusals(bad, ARRAY_LEN(bad));
}

static void denial_text(void **state)
{
    static const struct scene_case bad = { .name = "text", .other_pcr = 1 };
    char expected[512];
    unsigned status;

    (void)state;
    (void)snprintf(expected, sizeof(expected),
                   "User: arn:aws:sts::111122223333:assumed-role/signer/i-development is not "
                   "authorized to perform: kms:Decrypt on resource: %s because no resource-based "
                   "policy allows the kms:Decrypt action",
                   cmk.arn);
    assert_true(bytes_equal_str(json_string(json_get(call(&bad, &status), "message")), expected));
}

// A policy put while the service runs counts for the next request; a refused one changes nothing.
static void policy_at_once(void **state)
{
    static const struct scene_case request = { .name = "no Recipient", .no_recipient = true };
    static const char open[] =
        "{\"Statement\":{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\","
        "\"Resource\":\"*\"}}";
    unsigned status;
    const struct json *root;

    (void)state;
    expect_ok("policy", cmk_set_policy(scene_dir, &cmk, bytes_str(open)));
    root = call(&request, &status);
    assert_int_equal(status, 200);
    assert_null(json_get(root, "CiphertextForRecipient"));
    assert_non_null(json_get(root, "Plaintext"));
    expect_err("bad policy", cmk_set_policy(scene_dir, &cmk, BYTES_LIT("{}")), ERR_MALFORMED,
               "policy");
    (void)call(&request, &status);
    assert_int_equal(status, 200);
    put_policy();
    (void)call(&request, &status);
    assert_int_equal(status, 400);
}

// Keys and credentials are readable by their owner only.
static void files_are_private(void **state)
{
    char name[64], path[DISK_PATH_MAX];
    struct stat st;

    (void)state;
    (void)snprintf(name, sizeof(name), "keys/%s.key", strstr(cmk.arn, "key/") + 4);
    expect_ok("path", disk_path(path, sizeof(path), scene_dir, name));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    expect_ok("path", disk_path(path, sizeof(path), scene_dir, "credentials"));
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

// The same credentials until half of their life is gone, then new ones; the old stay known.
static void credentials_renew(void **state)
{
    uint64_t now_s = (uint64_t)time(NULL);
    struct creds again, next, found;

    (void)state;
    expect_ok("again", creds_current(&again, scene_dir, ROLE, now_s + 1700, 3600));
    assert_string_equal(again.access_key, creds.access_key);
    expect_ok("next", creds_current(&next, scene_dir, ROLE, now_s + 1900, 3600));
    assert_string_not_equal(next.access_key, creds.access_key);
    expect_ok("old", creds_find(&found, scene_dir, bytes_str(creds.access_key)));
    assert_string_equal(found.secret_key, creds.secret_key);
    expect_err("unknown", creds_find(&found, scene_dir, BYTES_LIT("AKIDEXAMPLE")), ERR_NOT_FOUND,
               NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(decrypts),
        cmocka_unit_test(generates),
        cmocka_unit_test(refuses_attestation),
        cmocka_unit_test(refuses_ciphertext),
        cmocka_unit_test(refuses_shape),
        cmocka_unit_test(refuses_signature),
        cmocka_unit_test(denial_text),
        cmocka_unit_test(policy_at_once),
        cmocka_unit_test(files_are_private),
        cmocka_unit_test(credentials_renew),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
