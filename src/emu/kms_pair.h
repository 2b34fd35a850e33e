// SPDX-License-Identifier: Apache-2.0
// GenerateDataKeyPair and GenerateDataKeyPairWithoutPlaintext; see emu/kms_op.h.
#pragma once

#include "emu/kms_call.h"

FALLIBLE kms_pair_check(struct kms_call *call);
FALLIBLE kms_pair_generate(struct kms_call *call, struct wr *out);
FALLIBLE kms_pair_generate_without_plaintext(struct kms_call *call, struct wr *out);
