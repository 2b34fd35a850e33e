// SPDX-License-Identifier: Apache-2.0
// Cryptographic operations of the emulated KMS with symmetric keys, and GenerateRandom. Each has a
// check of the request's shape and a run; see emu/kms_op.h.
#pragma once

#include "emu/kms_call.h"

FALLIBLE kms_data_check_decrypt(struct kms_call *call);
FALLIBLE kms_data_decrypt(struct kms_call *call, struct wr *out);
FALLIBLE kms_data_check_encrypt(struct kms_call *call);
FALLIBLE kms_data_encrypt(struct kms_call *call, struct wr *out);
FALLIBLE kms_data_check_re_encrypt(struct kms_call *call);
FALLIBLE kms_data_re_encrypt(struct kms_call *call, struct wr *out);
FALLIBLE kms_data_check_generate(struct kms_call *call);
FALLIBLE kms_data_generate(struct kms_call *call, struct wr *out);
FALLIBLE kms_data_generate_without_plaintext(struct kms_call *call, struct wr *out);
FALLIBLE kms_data_check_random(struct kms_call *call);
FALLIBLE kms_data_random(struct kms_call *call, struct wr *out);
// Seals under call->cmk and the request's encryption context, and writes `name` with the blob.
FALLIBLE kms_data_answer_blob(const struct kms_call *call, struct jw *jw, const char *name,
                              struct bytes plaintext);
// The request must say KeyId.
FALLIBLE kms_data_check_key(const struct kms_call *call);
