// SPDX-License-Identifier: Apache-2.0
// Constant-time helpers and wiping for bytes that are secret.
#pragma once

#include "base/bytes.h"

// Equal, in time that depends on the lengths only. Lengths are public.
bool ct_equal(struct bytes a, struct bytes b);
// All zero, in time that depends on the length only.
bool ct_is_zero(struct bytes a);
// Overwrites memory with zeros in a way that no optimiser removes.
void ct_wipe(void *p, size_t n);
