// SPDX-License-Identifier: Apache-2.0
// Decrypt and GenerateDataKey. The order inside is AWS's: key, state, policy, then the ciphertext,
// so that nobody without permission learns whether a ciphertext opens. With a Recipient, plaintext
// leaves encrypted to the attested key only.
#include "emu/kms_op.h"

#include "base/base64.h"
#include "base/hex.h"
#include "base/must.h"
#include "crypto/cms.h"
#include "crypto/openssl/libcrypto.h"
#include "crypto/openssl/sha2.h"
#include "emu/journal.h"
#include "emu/kms_blob.h"
#include "emu/kms_policy.h"
#include "emu/kms_recipient.h"

#include <stdio.h>
#include <string.h>

#define TARGET_PREFIX "TrentService."

static FALLIBLE check_decrypt(struct kms_call *call);
static FALLIBLE check_generate(struct kms_call *call);
static FALLIBLE run_decrypt(struct kms_call *call, struct wr *out);
static FALLIBLE run_generate(struct kms_call *call, struct wr *out);
static FALLIBLE op_admit(struct kms_call *call, struct bytes key, const char *action);
static FALLIBLE write_plaintext(const struct kms_call *call, struct jw *jw, struct bytes plaintext);

static const struct kms_op operations[] = {
    { "Decrypt", "kms:Decrypt", check_decrypt, run_decrypt },
    { "GenerateDataKey", "kms:GenerateDataKey", check_generate, run_generate },
};

struct plaintext {
    uint8_t b[KMS_PLAIN_MAX];
};

static void plaintext_wipe(struct plaintext *plaintext)
{
    ct_wipe(plaintext, sizeof(*plaintext));
}

const struct kms_op *kms_op_find(struct bytes target)
{
    size_t n = sizeof(TARGET_PREFIX) - 1;

    if (!bytes_equal_str(bytes_take(target, n), TARGET_PREFIX))
        return NULL;
    for (size_t i = 0; i < ARRAY_LEN(operations); i++) {
        if (bytes_equal_str(bytes_skip(target, n), operations[i].name))
            return &operations[i];
    }
    return NULL;
}

static struct err check_decrypt(struct kms_call *call)
{
    const struct json *algorithm = json_get(call->root, "EncryptionAlgorithm");
    struct bytes blob = json_string(json_get(call->root, "CiphertextBlob"));

    ENSURE(blob.n, ERR_KMS,
           "ValidationException: 1 validation error detected: CiphertextBlob must not be null");
    ENSURE(!base64_decode(call->blob, sizeof(call->blob), &call->blob_len, blob).code, ERR_KMS,
           "SerializationException: CiphertextBlob: expected at most 6144 bytes in base64");
    ENSURE(!algorithm || bytes_equal_str(json_string(algorithm), "SYMMETRIC_DEFAULT"), ERR_KMS,
           "InvalidKeyUsageException: EncryptionAlgorithm: expected SYMMETRIC_DEFAULT");
    return OK;
}

static struct err check_generate(struct kms_call *call)
{
    const struct json *spec = json_get(call->root, "KeySpec");
    const struct json *bytes = json_get(call->root, "NumberOfBytes");
    uint64_t number = 0;

    ENSURE(json_get(call->root, "KeyId"), ERR_KMS,
           "ValidationException: 1 validation error detected: KeyId must not be null");
    ENSURE(!spec != !bytes, ERR_KMS,
           "ValidationException: Please specify either number of bytes or key spec.");
    if (spec && bytes_equal_str(json_string(spec), "AES_256"))
        number = 32;
    if (spec && bytes_equal_str(json_string(spec), "AES_128"))
        number = 16;
    if (bytes)
        ENSURE(bytes->type == JSON_NUMBER && !json_u64(&number, bytes).code, ERR_KMS,
               "SerializationException: NumberOfBytes: expected a number");
    ENSURE(number >= 1 && number <= 1024, ERR_KMS,
           "ValidationException: KeySpec: expected AES_256 or AES_128; NumberOfBytes: 1 to 1024");
    call->data_key_len = (size_t)number;
    return OK;
}

// AWS keeps an account's keys apart by Region; the endpoint's Region must be the key's.
static FALLIBLE op_load_key(struct kms_call *call, struct bytes key)
{
    struct err e = cmk_load(&call->cmk, call->kms->dir, key);
    struct arn arn;

    ENSURE(e.code != ERR_NOT_FOUND && e.code != ERR_MALFORMED, ERR_KMS,
           "NotFoundException: The key does not exist");
    TRY(e);
    TRY(arn_parse(&arn, bytes_str(call->cmk.arn)));
    ENSURE(bytes_equal_str(arn.region, call->region), ERR_KMS,
           "NotFoundException: The key does not exist in this Region");
    return OK;
}

// The sentence that AWS answers, with the caller's assumed role.
static void op_write_denial(struct kms_call *call, const char *action, bool is_explicit)
{
    struct bytes role = bytes_str(call->caller.role);
    const char *slash = strrchr(call->caller.role, '/');

    (void)snprintf(call->denial, sizeof(call->denial),
                   "User: arn:aws:sts::%.12s:assumed-role/%s/i-development is not authorized to "
                   "perform: %s on resource: %s %s%s%s",
                   role.n > 13 ? call->caller.role + 13 : "", slash ? slash + 1 : "?", action,
                   call->cmk.arn,
                   is_explicit ? "with an explicit deny in a resource-based policy"
                               : "because no resource-based policy allows the ",
                   is_explicit ? "" : action, is_explicit ? "" : " action");
}

// The developer reads in the log which condition it was; the caller does not, as with AWS.
static void op_log_denial(struct bytes policy, const struct kms_policy_request *request)
{
    uint8_t text[512];
    struct wr wr = WR_OF(text);

    kms_policy_explain(&wr, policy, request);
    journal("kms policy: %.*s", (int)wr.len, (const char *)text);
}

static FALLIBLE op_ask_policy(struct kms_call *call, const char *action)
{
    struct kms_policy_request request = {
        .action = bytes_str(action),
        .role = bytes_str(call->caller.role),
        .resource = bytes_str(call->cmk.arn),
        .attest = call->has_recipient ? &call->attest : NULL,
        .context = call->context,
    };
    enum kms_policy_verdict verdict;
    uint8_t policy[CMK_POLICY_MAX];
    size_t n;

    TRY(cmk_policy(call->kms->dir, &call->cmk, policy, sizeof(policy), &n));
    verdict = kms_policy_decide(bytes_of(policy, n), &request);
    if (verdict == KMS_POLICY_ALLOW)
        return OK;
    op_log_denial(bytes_of(policy, n), &request);
    op_write_denial(call, action, verdict == KMS_POLICY_DENIED);
    return FAIL(ERR_DENIED, "the key policy does not allow it");
}

static struct err op_admit(struct kms_call *call, struct bytes key, const char *action)
{
    TRY(op_load_key(call, key));
    ENSURE(call->cmk.enabled, ERR_KMS, "DisabledException: The key is disabled.");
    return op_ask_policy(call, action);
}

static FALLIBLE op_refuse_dry_run(const struct kms_call *call)
{
    ENSURE(!json_is_true(json_get(call->root, "DryRun")), ERR_KMS,
           "DryRunOperationException: The request would have succeeded, but the DryRun option is "
           "set.");
    return OK;
}

// The key id names the key when the request does not.
static FALLIBLE op_decrypt_key(const struct kms_call *call, struct bytes *key)
{
    *key = json_string(json_get(call->root, "KeyId"));
    if (key->p)
        return OK;
    ENSURE(!kms_blob_key_id(key, bytes_of(call->blob, call->blob_len)).code, ERR_KMS,
           "InvalidCiphertextException: ");
    return OK;
}

static FALLIBLE op_open_blob(struct kms_call *call, struct wr *plaintext)
{
    struct bytes blob = bytes_of(call->blob, call->blob_len), id, arn = bytes_str(call->cmk.arn);
    struct err e;

    ENSURE(!kms_blob_key_id(&id, blob).code, ERR_KMS, "InvalidCiphertextException: ");
    ENSURE(bytes_equal(id, bytes_skip(arn, arn.n - id.n)), ERR_KMS,
           "IncorrectKeyException: The key ID in the request does not identify a CMK that can "
           "perform this operation.");
    e = kms_blob_open(plaintext, &call->cmk, call->context, blob);
    ENSURE(!e.code, ERR_KMS, "InvalidCiphertextException: ");
    return OK;
}

// An identifier of the key's material, as answers carry it since 2025.
static void write_key(const struct kms_call *call, struct jw *jw)
{
    uint8_t digest[32];

    sha2_256(digest, bytes_str(call->cmk.arn));
    jw_key(jw, "KeyId");
    jw_cstring(jw, call->cmk.arn);
    jw_key(jw, "KeyMaterialId");
    jw_digits(jw, BYTES_OF(digest));
}

static struct err run_decrypt(struct kms_call *call, struct wr *out)
{
    AUTO(plaintext_wipe) struct plaintext plaintext = { 0 };
    struct wr plain_wr = WR_OF(plaintext.b);
    struct jw jw = jw_of(out);
    struct bytes key;

    TRY(op_decrypt_key(call, &key));
    TRY(op_admit(call, key, "kms:Decrypt"));
    TRY(op_open_blob(call, &plain_wr));
    TRY(op_refuse_dry_run(call));
    jw_object(&jw);
    write_key(call, &jw);
    jw_key(&jw, "EncryptionAlgorithm");
    jw_cstring(&jw, "SYMMETRIC_DEFAULT");
    TRY(write_plaintext(call, &jw, wr_done(&plain_wr)));
    jw_object_end(&jw);
    return wr_end(out);
}

static struct err run_generate(struct kms_call *call, struct wr *out)
{
    AUTO(plaintext_wipe) struct plaintext plaintext = { 0 };
    struct wr blob_wr = WR_OF(call->blob);
    struct bytes data_key = bytes_of(plaintext.b, call->data_key_len);
    struct jw jw = jw_of(out);

    TRY(op_admit(call, json_string(json_get(call->root, "KeyId")), "kms:GenerateDataKey"));
    TRY(op_refuse_dry_run(call));
    libcrypto_random(plaintext.b, call->data_key_len);
    ENSURE(!kms_blob_seal(&blob_wr, &call->cmk, call->context, data_key).code, ERR_KMS,
           "ValidationException: EncryptionContext: at most 64 names and 8192 bytes");
    jw_object(&jw);
    write_key(call, &jw);
    jw_key(&jw, "CiphertextBlob");
    jw_base64(&jw, wr_done(&blob_wr));
    TRY(write_plaintext(call, &jw, data_key));
    jw_object_end(&jw);
    return wr_end(out);
}

// With a Recipient the answer has no Plaintext field at all.
static struct err write_plaintext(const struct kms_call *call, struct jw *jw,
                                  struct bytes plaintext)
{
    uint8_t cms[CMS_BYTES_MAX];
    struct wr wr = WR_OF(cms);

    if (!call->has_recipient) {
        jw_key(jw, "Plaintext");
        jw_base64(jw, plaintext);
        return OK;
    }
    TRY(kms_recipient_seal(call, &wr, plaintext));
    jw_key(jw, "CiphertextForRecipient");
    jw_base64(jw, wr_done(&wr));
    return OK;
}
