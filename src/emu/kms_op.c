// SPDX-License-Identifier: Apache-2.0
// The table of operations (AWS KMS API Reference, "Actions"). It knows names only; what an
// operation does stands in the module of its function.
#include "emu/kms_op.h"

#include "base/must.h"
#include "emu/kms_data.h"
#include "emu/kms_manage.h"
#include "emu/kms_pair.h"

#include <string.h>

#define TARGET_PREFIX "TrentService."

static const struct kms_op operations[] = {
    { "Decrypt", true, kms_data_check_decrypt, kms_data_decrypt },
    { "Encrypt", false, kms_data_check_encrypt, kms_data_encrypt },
    { "ReEncrypt", false, kms_data_check_re_encrypt, kms_data_re_encrypt },
    { "GenerateDataKey", true, kms_data_check_generate, kms_data_generate },
    { "GenerateDataKeyWithoutPlaintext", false, kms_data_check_generate,
      kms_data_generate_without_plaintext },
    { "GenerateDataKeyPair", true, kms_pair_check, kms_pair_generate },
    { "GenerateDataKeyPairWithoutPlaintext", false, kms_pair_check,
      kms_pair_generate_without_plaintext },
    { "GenerateRandom", true, kms_data_check_random, kms_data_random },
    { "CreateKey", false, kms_manage_check_create, kms_manage_create },
    { "DescribeKey", false, kms_manage_check_key, kms_manage_describe },
    { "PutKeyPolicy", false, kms_manage_check_policy, kms_manage_put_policy },
    { "GetKeyPolicy", false, kms_manage_check_policy_name, kms_manage_get_policy },
    { "EnableKey", false, kms_manage_check_key, kms_manage_enable },
    { "DisableKey", false, kms_manage_check_key, kms_manage_disable },
    { "ScheduleKeyDeletion", false, kms_manage_check_key, kms_manage_schedule },
    { "CancelKeyDeletion", false, kms_manage_check_key, kms_manage_cancel },
    { "ListKeys", false, NULL, kms_manage_list },
};

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
