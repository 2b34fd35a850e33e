// SPDX-License-Identifier: Apache-2.0
// Key policies as AWS KMS decides them, for the parts that attested keys need: Allow and Deny,
// Principal "*", account or role, Action with a trailing '*', Resource, and the operators
// StringEquals, StringEqualsIgnoreCase, StringNotEquals and Null over
// kms:RecipientAttestation:{ImageSha384,PCR0..PCR31} and kms:EncryptionContext:NAME
// (AWS KMS Developer Guide, "Condition keys for attested platforms").
#pragma once

#include "crypto/attest.h"
#include "net/json.h"

enum kms_policy_verdict { KMS_POLICY_ALLOW, KMS_POLICY_NOT_ALLOWED, KMS_POLICY_DENIED };

struct kms_policy_request {
    struct bytes action;         // "kms:Decrypt"
    struct bytes role;           // the caller's role ARN
    struct bytes resource;       // the key's ARN
    const struct attest *attest; // verified; NULL when the request has no Recipient
    const struct json *context;  // an object of strings; NULL: no encryption context
};

// Everything that the emulator would not decide as AWS does is refused here, by name.
FALLIBLE kms_policy_check(struct bytes policy);
// An explicit Deny wins; what nothing allows is not allowed; a policy that does not check, or is
// empty, allows nothing.
enum kms_policy_verdict kms_policy_decide(struct bytes policy,
                                          const struct kms_policy_request *request);
// For people, after a refusal: what in each statement stood against the request, e.g.
// "statement 1: kms:RecipientAttestation:PCR0".
void kms_policy_explain(struct wr *out, struct bytes policy,
                        const struct kms_policy_request *request);
