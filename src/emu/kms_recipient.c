// SPDX-License-Identifier: Apache-2.0
// Attestation documents as KMS takes them. A debug enclave's document is genuine and passes here;
// its PCR0 of zeros then matches no policy that names an image, exactly as with AWS.
#include "emu/kms_recipient.h"

#include "base/base64.h"
#include "base/must.h"
#include "crypto/cms.h"
#include "emu/envelope.h"
#include "emu/journal.h"

#include <string.h>

#define ALGORITHM "RSAES_OAEP_SHA_256"

static FALLIBLE check_public_key(const struct kms_call *call);
static FALLIBLE check_age(const struct kms_call *call);

static FALLIBLE read_document(struct kms_call *call, const struct json *recipient, size_t *n)
{
    struct bytes text = json_string(json_get(recipient, "AttestationDocument"));
    struct bytes algorithm = json_string(json_get(recipient, "KeyEncryptionAlgorithm"));

    ENSURE(recipient->type == JSON_OBJECT, ERR_KMS,
           "SerializationException: Recipient: expected an object");
    ENSURE(bytes_equal_str(algorithm, ALGORITHM), ERR_KMS,
           "ValidationException: Recipient.KeyEncryptionAlgorithm: expected RSAES_OAEP_SHA_256");
    ENSURE(text.n && !base64_decode(call->document, sizeof(call->document), n, text).code, ERR_KMS,
           "ValidationException: Recipient.AttestationDocument: expected a document in base64");
    return OK;
}

struct err kms_recipient_verify(struct kms_call *call)
{
    const struct json *recipient = json_get(call->root, "Recipient");
    struct err e;
    size_t n = 0;

    if (!recipient || recipient->type == JSON_NULL)
        return OK;
    TRY(read_document(call, recipient, &n));
    e = attest_verify(&call->attest, bytes_of(call->document, n), call->kms->nsm_root,
                      call->now_s * 1000, true);
    // The caller learns no more than from AWS; the developer reads the reason in the log.
    if (e.code)
        journal("kms attestation document refused: %s", err_text(e));
    ENSURE(!e.code, ERR_KMS,
           "ValidationException: The attestation document in Recipient is not valid");
    TRY(check_age(call));
    TRY(check_public_key(call));
    call->has_recipient = true;
    return OK;
}

struct err kms_recipient_seal(const struct kms_call *call, struct wr *out, struct bytes plaintext)
{
    return envelope_seal(out, call->attest.public_key, plaintext, true);
}

static struct err check_age(const struct kms_call *call)
{
    uint64_t made_s = call->attest.timestamp_ms / 1000;
    uint64_t max_age_s = call->kms->max_age_s;

    ENSURE(made_s + max_age_s >= call->now_s, ERR_KMS,
           "ValidationException: The attestation document in Recipient is too old");
    ENSURE(made_s <= call->now_s + max_age_s, ERR_KMS,
           "ValidationException: The attestation document in Recipient is from the future");
    return OK;
}

// SubjectPublicKeyInfo of RSA with 2048 bits and exponent 65537 has one DER form, and everything
// but the modulus is constant.
static struct err check_public_key(const struct kms_call *call)
{
    static const uint8_t before[] = { 0x30, 0x82, 0x01, 0x22, 0x30, 0x0d, 0x06, 0x09, 0x2a,
                                      0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x01, 0x01, 0x05,
                                      0x00, 0x03, 0x82, 0x01, 0x0f, 0x00, 0x30, 0x82, 0x01,
                                      0x0a, 0x02, 0x82, 0x01, 0x01, 0x00 };
    static const uint8_t after[] = { 0x02, 0x03, 0x01, 0x00, 0x01 };
    struct bytes key = call->attest.public_key;

    ENSURE(call->attest.has_public_key && key.n == RSA_SPKI_BYTES &&
               bytes_equal(bytes_take(key, sizeof(before)), BYTES_OF(before)) &&
               bytes_equal(bytes_skip(key, key.n - sizeof(after)), BYTES_OF(after)),
           ERR_KMS, "ValidationException: The attestation document has no RSA-2048 public key");
    return OK;
}
