// SPDX-License-Identifier: Apache-2.0
#include "base/sum.h"

unsigned ask_sum(const unsigned *numbers, size_t n);

unsigned ask_sum(const unsigned *numbers, size_t n)
{
    return sum(numbers, n);
}
