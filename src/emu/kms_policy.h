// SPDX-License-Identifier: Apache-2.0
// Key policies as AWS KMS decides them (AWS KMS Developer Guide, "Key policies", "Condition keys";
// IAM User Guide, "Policy evaluation logic"). Taken: Allow and Deny; Principal "*", account, root,
// role, user and assumed role; Action and Resource with wildcards; the conditions of
// emu/kms_condition.h. Everything else is refused by name when a policy is put.
//
// Identity policies are not emulated. A principal of the key's own account is taken to have every
// permission that the key policy gives to its account. A principal of another account needs both
// sides on AWS; here it is allowed only by a statement that names its role.
#pragma once

#include "crypto/attest.h"
#include "net/json.h"

#define KMS_POLICY_MAX 32768 // KMS's limit for a key policy

enum kms_policy_verdict { KMS_POLICY_ALLOW, KMS_POLICY_NOT_ALLOWED, KMS_POLICY_DENIED };

struct kms_policy_request {
    struct bytes action;         // "kms:Decrypt"
    struct bytes role;           // the caller's role ARN
    struct bytes session;        // the ARN of the assumed role, as sts names it; may be empty
    struct bytes resource;       // the key's ARN
    const struct attest *attest; // verified; NULL when the request has no Recipient
    const struct json *context;  // an object of strings; NULL: no encryption context
    bool bypass;                 // BypassPolicyLockoutSafetyCheck
};

// Everything that the emulator would not decide as AWS does is refused here, by name.
FALLIBLE kms_policy_check(struct bytes policy);
// An explicit Deny wins; what nothing allows is not allowed; a policy that does not check, or is
// empty, allows nothing. *statement, which may be NULL, is the number (from 1) of the first
// statement that decided so; 0 when none did.
enum kms_policy_verdict kms_policy_decide(struct bytes policy,
                                          const struct kms_policy_request *request,
                                          unsigned *statement);
// For people, after a refusal: what in each statement stood against the request, e.g.
// "statement 1: kms:RecipientAttestation:PCR0".
void kms_policy_explain(struct wr *out, struct bytes policy,
                        const struct kms_policy_request *request);
// The 12 digits in an ARN ("arn:aws:iam::ACCOUNT:..."); none when it is no ARN of that form.
struct bytes kms_policy_account(struct bytes arn);
