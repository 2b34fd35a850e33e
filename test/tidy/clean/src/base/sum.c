// SPDX-License-Identifier: Apache-2.0
#include "base/sum.h"

// A comment may say goto, strcpy(a, b) and assert(0); a string may too.
static const char sum_text[] = "goto strcpy( #if malloc(";

unsigned sum(const unsigned *numbers, size_t n)
{
    unsigned total = 0;

    for (size_t i = 0; i < n; i++)
        total += numbers[i];
    return total + sum_text[0];
}

unsigned sum_even(const unsigned *numbers, size_t n)
{
    unsigned total = 0;

    for (size_t i = 0; i < n; i++) {
        if (numbers[i] % 2 == 0) {
            while (total > 100)
                total -= 100;
        }
        total += numbers[i];
    }
    return total;
}
