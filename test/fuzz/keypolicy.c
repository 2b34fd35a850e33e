// SPDX-License-Identifier: Apache-2.0
// emu/kms_policy.h: key policies. What does not check allows nothing; no policy of any form allows
// an action that it does not name.
#include "fuzz.h"

#include "emu/kms_policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static struct attest attest = { .pcr_present = 0xffff, .pcr[0] = { 1 } };
    static uint8_t why[4096];
    static struct json context;
    struct kms_policy_request request = {
        .action = BYTES_LIT("kms:Decrypt"),
        .role = BYTES_LIT("arn:aws:iam::111122223333:role/enclave"),
        .resource = BYTES_LIT("arn:aws:kms:eu-west-1:111122223333:key/"
                              "12345678-1234-1234-1234-123456789012"),
        .attest = &attest,
        .context = &context,
    };
    struct bytes policy = bytes_of(data, n);
    struct wr wr = WR_OF(why);
    enum kms_policy_verdict verdict;
    unsigned statement;

    context.type = JSON_OBJECT;
    verdict = kms_policy_decide(policy, &request, &statement);
    kms_policy_explain(&wr, policy, &request);
    if (kms_policy_check(policy).code)
        must(verdict == KMS_POLICY_NOT_ALLOWED);
    must((verdict == KMS_POLICY_NOT_ALLOWED) == (statement == 0));
    request.attest = NULL;
    (void)kms_policy_decide(policy, &request, NULL);
    return 0;
}
