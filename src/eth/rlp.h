// SPDX-License-Identifier: Apache-2.0
// RLP (Yellow Paper, appendix B), strict: one encoding for each value. Reading is sticky (see
// base/rd.h); writing a list needs its payload's length first, so lists are sized, then written.
#pragma once

#include "base/rd.h"
#include "base/u256.h"
#include "base/wr.h"

// The bytes of the next string. Marks bad when it is a list or not in its shortest form.
struct bytes rlp_string(struct rd *rd);
// The payload of the next list, as a reader of its own. Look at its end with rd_end.
struct rd rlp_list(struct rd *rd);
// A number of at most 256 bits without leading zeros.
struct u256 rlp_u256(struct rd *rd);
uint64_t rlp_u64(struct rd *rd);
// True when the next item is a list.
bool rlp_is_list(const struct rd *rd);

// Encoded sizes, for list lengths.
size_t rlp_string_size(struct bytes b);
size_t rlp_u256_size(struct u256 value);
size_t rlp_list_size(size_t payload);
void rlp_put_string(struct wr *wr, struct bytes b);
void rlp_put_u256(struct wr *wr, struct u256 value);
// The head of a list whose items take `payload` bytes.
void rlp_put_list(struct wr *wr, size_t payload);
