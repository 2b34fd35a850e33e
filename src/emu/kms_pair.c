// SPDX-License-Identifier: Apache-2.0
// Data key pairs. The private key is sealed like any other plaintext, and with a Recipient leaves
// for the attested key only.
#include "emu/kms_pair.h"

#include "base/must.h"
#include "emu/keypair.h"
#include "emu/kms_admit.h"
#include "emu/kms_answer.h"
#include "emu/kms_data.h"

struct private_key {
    uint8_t b[KEYPAIR_PRIVATE_MAX];
};

static void private_key_wipe(struct private_key *key)
{
    ct_wipe(key, sizeof(*key));
}

struct err kms_pair_check(struct kms_call *call)
{
    TRY(kms_data_check_key(call));
    ENSURE(json_string(json_get(call->root, "KeyPairSpec")).n, ERR_KMS,
           "ValidationException: 1 validation error detected: KeyPairSpec must not be null");
    return OK;
}

static FALLIBLE pair_answer(const struct kms_call *call, struct jw *jw, struct bytes private_key,
                            struct bytes public_key)
{
    TRY(kms_data_answer_blob(call, jw, "PrivateKeyCiphertextBlob", private_key));
    jw_key(jw, "PublicKey");
    jw_base64(jw, public_key);
    kms_answer_key(call, jw, "KeyId", &call->cmk);
    kms_answer_material(jw, "KeyMaterialId", &call->cmk);
    jw_key(jw, "KeyPairSpec");
    jw_string(jw, json_string(json_get(call->root, "KeyPairSpec")));
    return OK;
}

static FALLIBLE pair(struct kms_call *call, struct wr *out, const char *action, bool plain)
{
    AUTO(private_key_wipe) struct private_key private_key = { 0 };
    uint8_t public_key[KEYPAIR_PUBLIC_MAX];
    struct wr private_wr = WR_OF(private_key.b), public_wr = WR_OF(public_key);
    struct kms_admit want = { .key = json_string(json_get(call->root, "KeyId")),
                              .action = action,
                              .context = call->context };
    struct jw jw = jw_of(out);
    struct err e;

    TRY(kms_admit(call, &call->cmk, &want));
    TRY(kms_answer_unless_dry_run(call));
    e = keypair_new(&private_wr, &public_wr, json_string(json_get(call->root, "KeyPairSpec")));
    ENSURE(e.code != ERR_UNSUPPORTED, ERR_KMS,
           "UnsupportedOperationException: KeyPairSpec: the emulator has ECC_SECG_P256K1, "
           "ECC_NIST_P256 and RSA_2048");
    TRY(e);
    jw_object(&jw);
    TRY(pair_answer(call, &jw, wr_done(&private_wr), wr_done(&public_wr)));
    if (plain)
        TRY(kms_answer_secret(call, &jw, "PrivateKeyPlaintext", wr_done(&private_wr)));
    jw_object_end(&jw);
    return wr_end(out);
}

struct err kms_pair_generate(struct kms_call *call, struct wr *out)
{
    return pair(call, out, "kms:GenerateDataKeyPair", true);
}

struct err kms_pair_generate_without_plaintext(struct kms_call *call, struct wr *out)
{
    return pair(call, out, "kms:GenerateDataKeyPairWithoutPlaintext", false);
}
