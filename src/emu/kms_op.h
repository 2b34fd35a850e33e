// SPDX-License-Identifier: Apache-2.0
// The operations of the emulated KMS: one table. What is not in it is an unknown operation.
#pragma once

#include "emu/kms_call.h"

struct kms_op {
    const char *name;
    bool attested;                              // takes a Recipient
    struct err (*check)(struct kms_call *call); // JSON shape, before anything else; may be NULL
    struct err (*run)(struct kms_call *call,
                      struct wr *out); // key, policy, work; writes the answer
};

// The operation that X-Amz-Target names; NULL when there is none.
const struct kms_op *kms_op_find(struct bytes target);
