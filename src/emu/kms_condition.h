// SPDX-License-Identifier: Apache-2.0
// Conditions of key policies (IAM User Guide, "Condition operators"; AWS KMS Developer Guide,
// "Condition keys"). Operators: StringEquals, StringNotEquals, both also IgnoreCase, StringLike,
// StringNotLike, each also with ForAnyValue: or ForAllValues:, Bool and Null. Keys, in any case:
// kms:RecipientAttestation:{ImageSha384,PCR0..PCR31}, kms:EncryptionContext:NAME,
// kms:EncryptionContextKeys (with ForAnyValue: or ForAllValues: only), kms:CallerAccount,
// aws:PrincipalAccount, aws:PrincipalArn, kms:BypassPolicyLockoutSafetyCheck, aws:SecureTransport.
#pragma once

#include "emu/kms_policy.h"

#define KMS_CONTEXT_NAMES 64 // of an encryption context

// Refuses by name what is not in the list above. `condition` NULL: a statement without conditions.
FALLIBLE kms_condition_check(const struct json *condition);
// The first condition key that does not hold; NULL when all hold. The condition was checked.
const struct json *kms_condition_failing(const struct json *condition,
                                         const struct kms_policy_request *request);
// An encryption context: an object of at most KMS_CONTEXT_NAMES strings whose names differ by more
// than their case: policies do not tell such names apart.
FALLIBLE kms_condition_check_context(const struct json *context);
// A string or a list of strings, without the policy variables "${...}" of IAM.
FALLIBLE kms_condition_check_strings(const struct json *list);
// Such a list's first string and those after it: "one of" in policies.
const struct json *kms_condition_first(const struct json *list);
const struct json *kms_condition_next(const struct json *list, const struct json *value);
// The PCR that "ImageSha384" (PCR0) or "PCR0" to "PCR31" names, in any case; -1 for others.
int kms_condition_pcr(struct bytes name);
