// SPDX-License-Identifier: Apache-2.0
// The operations of the emulated KMS: one table, and for each the shape of its request and its
// work. What is not in the table is an unknown operation.
#pragma once

#include "emu/kms_call.h"

struct kms_op {
    const char *name;
    const char *action;                         // as policies name it
    struct err (*check)(struct kms_call *call); // JSON shape, before anything else
    struct err (*run)(struct kms_call *call,
                      struct wr *out); // key, policy, work; writes the answer
};

// The operation that X-Amz-Target names; NULL when there is none.
const struct kms_op *kms_op_find(struct bytes target);
