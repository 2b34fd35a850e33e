// SPDX-License-Identifier: Apache-2.0
// What answers of the emulated KMS have in common: the key, and secrets, which leave in clear or
// for the attested recipient only. Ordered faults (emu/fault.h) change answers here.
#pragma once

#include "emu/kms_call.h"

// Writes `name`: the key's ARN.
void kms_answer_key(const struct kms_call *call, struct jw *jw, const char *name,
                    const struct cmk *cmk);
// Writes `name`: an identifier of the key's material, 64 hex digits.
void kms_answer_material(struct jw *jw, const char *name, const struct cmk *cmk);
// Writes `name` with the plaintext in clear, or CiphertextForRecipient when there is a Recipient.
FALLIBLE kms_answer_secret(const struct kms_call *call, struct jw *jw, const char *name,
                           struct bytes plaintext);
// DryRunOperationException when the request is a dry run: call it when all else is admitted.
FALLIBLE kms_answer_unless_dry_run(const struct kms_call *call);
