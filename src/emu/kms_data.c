// SPDX-License-Identifier: Apache-2.0
// Encrypt, Decrypt, ReEncrypt, data keys and random bytes. The order inside is AWS's: admission
// first, then the ciphertext. With a Recipient, plaintext leaves encrypted to the attested key only
// (emu/kms_answer.h).
#include "emu/kms_data.h"

#include "base/base64.h"
#include "base/must.h"
#include "crypto/openssl/libcrypto.h"
#include "emu/kms_admit.h"
#include "emu/kms_answer.h"
#include "emu/kms_blob.h"
#include "emu/kms_condition.h"

#define RANDOM_MAX 1024

struct plaintext {
    uint8_t b[KMS_PLAIN_MAX];
};

static void plaintext_wipe(struct plaintext *plaintext)
{
    ct_wipe(plaintext, sizeof(*plaintext));
}

static FALLIBLE check_algorithm(const struct kms_call *call, const char *name)
{
    const struct json *algorithm = json_get(call->root, name);

    ENSURE(!algorithm || bytes_equal_str(json_string(algorithm), "SYMMETRIC_DEFAULT"), ERR_KMS,
           "InvalidKeyUsageException: EncryptionAlgorithm: expected SYMMETRIC_DEFAULT");
    return OK;
}

struct err kms_data_check_key(const struct kms_call *call)
{
    ENSURE(json_get(call->root, "KeyId"), ERR_KMS,
           "ValidationException: 1 validation error detected: KeyId must not be null");
    return OK;
}

static FALLIBLE check_blob(struct kms_call *call)
{
    struct bytes blob = json_string(json_get(call->root, "CiphertextBlob"));

    ENSURE(blob.n, ERR_KMS,
           "ValidationException: 1 validation error detected: CiphertextBlob must not be null");
    ENSURE(!base64_decode(call->input, sizeof(call->input), &call->input_len, blob).code, ERR_KMS,
           "SerializationException: CiphertextBlob: expected at most 6144 bytes in base64");
    return OK;
}

struct err kms_data_check_decrypt(struct kms_call *call)
{
    TRY(check_blob(call));
    return check_algorithm(call, "EncryptionAlgorithm");
}

struct err kms_data_check_encrypt(struct kms_call *call)
{
    struct bytes plaintext = json_string(json_get(call->root, "Plaintext"));

    TRY(kms_data_check_key(call));
    ENSURE(plaintext.p, ERR_KMS,
           "ValidationException: 1 validation error detected: Plaintext must not be null");
    ENSURE(!base64_decode(call->input, sizeof(call->input), &call->input_len, plaintext).code,
           ERR_KMS, "SerializationException: Plaintext: expected base64");
    ENSURE(call->input_len >= 1 && call->input_len <= KMS_PLAIN_MAX, ERR_KMS,
           "ValidationException: Plaintext: expected 1 to 4096 bytes");
    return check_algorithm(call, "EncryptionAlgorithm");
}

static FALLIBLE check_context(const struct kms_call *call, const char *name)
{
    const struct json *context = json_get(call->root, name);
    bool absent = !context || context->type == JSON_NULL;

    ENSURE(absent || !kms_condition_check_context(context).code, ERR_KMS,
           "ValidationException: SourceEncryptionContext, DestinationEncryptionContext: expected "
           "at most 64 strings with distinct names");
    return OK;
}

struct err kms_data_check_re_encrypt(struct kms_call *call)
{
    const struct json *source = json_get(call->root, "SourceKeyId");

    ENSURE(json_string(json_get(call->root, "DestinationKeyId")).n, ERR_KMS,
           "ValidationException: 1 validation error detected: DestinationKeyId must not be null");
    ENSURE(!source || json_string(source).n, ERR_KMS,
           "ValidationException: SourceKeyId: expected a string");
    TRY(check_blob(call));
    TRY(check_context(call, "SourceEncryptionContext"));
    TRY(check_context(call, "DestinationEncryptionContext"));
    TRY(check_algorithm(call, "SourceEncryptionAlgorithm"));
    return check_algorithm(call, "DestinationEncryptionAlgorithm");
}

static FALLIBLE read_number(uint64_t *out, const struct json *number)
{
    ENSURE(number->type == JSON_NUMBER && !json_u64(out, number).code, ERR_KMS,
           "SerializationException: NumberOfBytes: expected a number");
    return OK;
}

struct err kms_data_check_generate(struct kms_call *call)
{
    const struct json *spec = json_get(call->root, "KeySpec");
    const struct json *bytes = json_get(call->root, "NumberOfBytes");
    uint64_t number = 0;

    TRY(kms_data_check_key(call));
    ENSURE(!spec != !bytes, ERR_KMS,
           "ValidationException: Please specify either number of bytes or key spec.");
    if (spec && bytes_equal_str(json_string(spec), "AES_256"))
        number = 32;
    if (spec && bytes_equal_str(json_string(spec), "AES_128"))
        number = 16;
    if (bytes)
        TRY(read_number(&number, bytes));
    ENSURE(number >= 1 && number <= RANDOM_MAX, ERR_KMS,
           "ValidationException: KeySpec: expected AES_256 or AES_128; NumberOfBytes: 1 to 1024");
    call->random_len = (size_t)number;
    return OK;
}

struct err kms_data_check_random(struct kms_call *call)
{
    const struct json *bytes = json_get(call->root, "NumberOfBytes");
    uint64_t number = 0;

    ENSURE(bytes, ERR_KMS, "ValidationException: NumberOfBytes is required.");
    TRY(read_number(&number, bytes));
    ENSURE(number >= 1 && number <= RANDOM_MAX, ERR_KMS,
           "ValidationException: NumberOfBytes: expected 1 to 1024");
    ENSURE(!json_get(call->root, "CustomKeyStoreId"), ERR_KMS,
           "CustomKeyStoreNotFoundException: The emulator has no custom key stores");
    call->random_len = (size_t)number;
    return OK;
}

// The key that the request names; when it names none, the one that the blob does.
static FALLIBLE want_key(const struct kms_call *call, struct kms_admit *want, const char *name)
{
    want->key = json_string(json_get(call->root, name));
    want->from_blob = !want->key.p;
    ENSURE(!want->from_blob ||
               !kms_blob_key_id(&want->key, bytes_of(call->input, call->input_len)).code,
           ERR_KMS, "InvalidCiphertextException: ");
    return OK;
}

static FALLIBLE open_blob(const struct kms_call *call, struct wr *plaintext,
                          const struct json *context)
{
    struct bytes blob = bytes_of(call->input, call->input_len), id;
    struct err e;

    ENSURE(!kms_blob_key_id(&id, blob).code, ERR_KMS, "InvalidCiphertextException: ");
    ENSURE(bytes_equal(id, cmk_id(&call->cmk)), ERR_KMS,
           "IncorrectKeyException: The key ID in the request does not identify a CMK that can "
           "perform this operation.");
    e = kms_blob_open(plaintext, &call->cmk, context, blob);
    ENSURE(!e.code, ERR_KMS, "InvalidCiphertextException: ");
    return OK;
}

static void answer_algorithm(struct jw *jw, const char *name)
{
    jw_key(jw, name);
    jw_cstring(jw, "SYMMETRIC_DEFAULT");
}

struct err kms_data_decrypt(struct kms_call *call, struct wr *out)
{
    AUTO(plaintext_wipe) struct plaintext plaintext = { 0 };
    struct kms_admit want = { .action = "kms:Decrypt", .context = call->context };
    struct wr plain_wr = WR_OF(plaintext.b);
    struct jw jw = jw_of(out);

    TRY(want_key(call, &want, "KeyId"));
    TRY(kms_admit(call, &call->cmk, &want));
    TRY(open_blob(call, &plain_wr, call->context));
    TRY(kms_answer_unless_dry_run(call));
    if (call->fault.other_data_key)
        libcrypto_random(plaintext.b, plain_wr.len);
    jw_object(&jw);
    kms_answer_key(call, &jw, "KeyId", &call->cmk);
    kms_answer_material(&jw, "KeyMaterialId", &call->cmk);
    answer_algorithm(&jw, "EncryptionAlgorithm");
    TRY(kms_answer_secret(call, &jw, "Plaintext", wr_done(&plain_wr)));
    jw_object_end(&jw);
    return wr_end(out);
}

static FALLIBLE answer_sealed(struct jw *jw, const char *name, const struct cmk *cmk,
                              const struct json *context, struct bytes plaintext)
{
    uint8_t blob[KMS_BLOB_MAX];
    struct wr wr = WR_OF(blob);

    ENSURE(!kms_blob_seal(&wr, cmk, context, plaintext).code, ERR_KMS,
           "ValidationException: EncryptionContext: at most 64 names and 8192 bytes");
    jw_key(jw, name);
    jw_base64(jw, wr_done(&wr));
    return OK;
}

struct err kms_data_answer_blob(const struct kms_call *call, struct jw *jw, const char *name,
                                struct bytes plaintext)
{
    return answer_sealed(jw, name, &call->cmk, call->context, plaintext);
}

struct err kms_data_encrypt(struct kms_call *call, struct wr *out)
{
    struct kms_admit want = { .key = json_string(json_get(call->root, "KeyId")),
                              .action = "kms:Encrypt",
                              .context = call->context };
    struct jw jw = jw_of(out);

    TRY(kms_admit(call, &call->cmk, &want));
    TRY(kms_answer_unless_dry_run(call));
    jw_object(&jw);
    kms_answer_key(call, &jw, "KeyId", &call->cmk);
    answer_algorithm(&jw, "EncryptionAlgorithm");
    TRY(kms_data_answer_blob(call, &jw, "CiphertextBlob", bytes_of(call->input, call->input_len)));
    jw_object_end(&jw);
    return wr_end(out);
}

static const struct json *context_named(const struct kms_call *call, const char *name)
{
    const struct json *context = json_get(call->root, name);

    return context && context->type == JSON_OBJECT ? context : NULL;
}

// Both keys must allow it, each with its own encryption context (API Reference, "ReEncrypt").
struct err kms_data_re_encrypt(struct kms_call *call, struct wr *out)
{
    AUTO(plaintext_wipe) struct plaintext plaintext = { 0 };
    struct kms_admit from = { .action = "kms:ReEncryptFrom",
                              .context = context_named(call, "SourceEncryptionContext") };
    struct kms_admit to = { .action = "kms:ReEncryptTo",
                            .key = json_string(json_get(call->root, "DestinationKeyId")),
                            .context = context_named(call, "DestinationEncryptionContext") };
    struct wr plain_wr = WR_OF(plaintext.b);
    struct jw jw = jw_of(out);

    TRY(want_key(call, &from, "SourceKeyId"));
    TRY(kms_admit(call, &call->cmk, &from));
    TRY(kms_admit(call, &call->destination, &to));
    TRY(open_blob(call, &plain_wr, from.context));
    TRY(kms_answer_unless_dry_run(call));
    jw_object(&jw);
    TRY(answer_sealed(&jw, "CiphertextBlob", &call->destination, to.context, wr_done(&plain_wr)));
    kms_answer_key(call, &jw, "KeyId", &call->destination);
    kms_answer_key(call, &jw, "SourceKeyId", &call->cmk);
    answer_algorithm(&jw, "SourceEncryptionAlgorithm");
    answer_algorithm(&jw, "DestinationEncryptionAlgorithm");
    kms_answer_material(&jw, "SourceKeyMaterialId", &call->cmk);
    kms_answer_material(&jw, "DestinationKeyMaterialId", &call->destination);
    jw_object_end(&jw);
    return wr_end(out);
}

static FALLIBLE generate(struct kms_call *call, struct wr *out, const char *action, bool plain)
{
    AUTO(plaintext_wipe) struct plaintext plaintext = { 0 };
    struct kms_admit want = { .key = json_string(json_get(call->root, "KeyId")),
                              .action = action,
                              .context = call->context };
    struct bytes data_key = bytes_of(plaintext.b, call->random_len);
    struct jw jw = jw_of(out);

    TRY(kms_admit(call, &call->cmk, &want));
    TRY(kms_answer_unless_dry_run(call));
    libcrypto_random(plaintext.b, call->random_len);
    jw_object(&jw);
    kms_answer_key(call, &jw, "KeyId", &call->cmk);
    kms_answer_material(&jw, "KeyMaterialId", &call->cmk);
    TRY(kms_data_answer_blob(call, &jw, "CiphertextBlob", data_key));
    if (plain)
        TRY(kms_answer_secret(call, &jw, "Plaintext", data_key));
    jw_object_end(&jw);
    return wr_end(out);
}

struct err kms_data_generate(struct kms_call *call, struct wr *out)
{
    return generate(call, out, "kms:GenerateDataKey", true);
}

struct err kms_data_generate_without_plaintext(struct kms_call *call, struct wr *out)
{
    return generate(call, out, "kms:GenerateDataKeyWithoutPlaintext", false);
}

// No key and so no key policy: on AWS an identity policy decides, here every caller may.
struct err kms_data_random(struct kms_call *call, struct wr *out)
{
    AUTO(plaintext_wipe) struct plaintext plaintext = { 0 };
    struct jw jw = jw_of(out);

    libcrypto_random(plaintext.b, call->random_len);
    jw_object(&jw);
    TRY(kms_answer_secret(call, &jw, "Plaintext", bytes_of(plaintext.b, call->random_len)));
    jw_object_end(&jw);
    return wr_end(out);
}
