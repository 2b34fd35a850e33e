// SPDX-License-Identifier: Apache-2.0
// Operations of the emulated KMS that make, show and change keys; see emu/kms_op.h.
#pragma once

#include "emu/kms_call.h"

FALLIBLE kms_manage_check_create(struct kms_call *call);
FALLIBLE kms_manage_create(struct kms_call *call, struct wr *out);
FALLIBLE kms_manage_check_key(struct kms_call *call);
FALLIBLE kms_manage_describe(struct kms_call *call, struct wr *out);
FALLIBLE kms_manage_check_policy(struct kms_call *call);
FALLIBLE kms_manage_put_policy(struct kms_call *call, struct wr *out);
FALLIBLE kms_manage_check_policy_name(struct kms_call *call);
FALLIBLE kms_manage_get_policy(struct kms_call *call, struct wr *out);
FALLIBLE kms_manage_enable(struct kms_call *call, struct wr *out);
FALLIBLE kms_manage_disable(struct kms_call *call, struct wr *out);
FALLIBLE kms_manage_schedule(struct kms_call *call, struct wr *out);
FALLIBLE kms_manage_cancel(struct kms_call *call, struct wr *out);
FALLIBLE kms_manage_list(struct kms_call *call, struct wr *out);
