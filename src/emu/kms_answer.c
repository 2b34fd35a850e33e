// SPDX-License-Identifier: Apache-2.0
// Parts of answers. With a Recipient the answer has no Plaintext field at all, and what is sealed
// opens with the attested key only - unless a fault was ordered, and then only in DIR of a test.
#include "emu/kms_answer.h"

#include "base/must.h"
#include "crypto/cms.h"
#include "crypto/openssl/sha2.h"
#include "emu/envelope.h"

#include <string.h>

static void free_rsa(struct rsa_key **key)
{
    rsa_key_free(key);
}

// The last digit of the key id is another one when that was ordered.
void kms_answer_key(const struct kms_call *call, struct jw *jw, const char *name,
                    const struct cmk *cmk)
{
    char arn[CMK_ARN_MAX];
    size_t n = strlen(cmk->arn);

    memcpy(arn, cmk->arn, sizeof(arn));
    if (call->fault.wrong_key_id && n > 0)
        arn[n - 1] = arn[n - 1] == '0' ? '1' : '0';
    jw_key(jw, name);
    jw_cstring(jw, arn);
}

void kms_answer_material(struct jw *jw, const char *name, const struct cmk *cmk)
{
    uint8_t digest[32];

    sha2_256(digest, bytes_str(cmk->arn));
    jw_key(jw, name);
    jw_digits(jw, BYTES_OF(digest));
}

static FALLIBLE seal_for_stranger(struct wr *out, struct bytes plaintext)
{
    AUTO(free_rsa) struct rsa_key *stranger = NULL;
    uint8_t spki[RSA_SPKI_BYTES];

    TRY(rsa_key_new(&stranger));
    TRY(rsa_key_spki(stranger, spki));
    return envelope_seal(out, BYTES_OF(spki), plaintext, true);
}

static FALLIBLE answer_sealed(const struct kms_call *call, struct jw *jw, struct bytes plaintext)
{
    const struct fault *fault = &call->fault;
    uint8_t cms[CMS_BYTES_MAX];
    struct wr wr = WR_OF(cms);

    if (fault->wrong_recipient)
        TRY(seal_for_stranger(&wr, plaintext));
    else
        TRY(envelope_seal(&wr, call->attest.public_key, plaintext, true));
    if (fault->corrupt_cms)
        cms[fault->corrupt_at < wr.len ? fault->corrupt_at : wr.len / 2] ^= 1;
    jw_key(jw, "CiphertextForRecipient");
    jw_base64(jw, wr_done(&wr));
    return OK;
}

struct err kms_answer_secret(const struct kms_call *call, struct jw *jw, const char *name,
                             struct bytes plaintext)
{
    if (!call->has_recipient || call->fault.plaintext) {
        jw_key(jw, name);
        jw_base64(jw, plaintext);
    }
    return call->has_recipient ? answer_sealed(call, jw, plaintext) : OK;
}

struct err kms_answer_unless_dry_run(const struct kms_call *call)
{
    ENSURE(!json_is_true(json_get(call->root, "DryRun")), ERR_KMS,
           "DryRunOperationException: The request would have succeeded, but the DryRun option is "
           "set.");
    return OK;
}
