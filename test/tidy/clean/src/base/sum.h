// SPDX-License-Identifier: Apache-2.0
// A module without a violation. Who may include it: everybody.
#pragma once

#include <stddef.h>

// The sum of n numbers.
unsigned sum(const unsigned *numbers, size_t n);
unsigned sum_even(const unsigned *numbers, size_t n);
