// SPDX-License-Identifier: Apache-2.0
// The wildcards of IAM policies: '*' stands for any bytes, '?' for one (IAM User Guide, "Action",
// "Resource", "String condition operators"). Works in linear space, for patterns from policies.
#pragma once

#include "base/bytes.h"

// True when the whole text matches the whole pattern. `any_case`: ASCII letters in either case.
bool glob_match(struct bytes pattern, struct bytes text, bool any_case);
// Equal; `any_case` as above.
bool glob_equal(struct bytes a, struct bytes b, bool any_case);
