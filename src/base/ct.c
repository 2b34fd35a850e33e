// SPDX-License-Identifier: Apache-2.0
#include "base/ct.h"

#include <string.h>

bool ct_equal(struct bytes a, struct bytes b)
{
    volatile uint8_t difference = 0;

    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        difference = (uint8_t)(difference | (a.p[i] ^ b.p[i]));
    return difference == 0;
}

bool ct_is_zero(struct bytes a)
{
    volatile uint8_t any = 0;

    for (size_t i = 0; i < a.n; i++)
        any = (uint8_t)(any | a.p[i]);
    return any == 0;
}

void ct_wipe(void *p, size_t n)
{
    if (n)
        explicit_bzero(p, n);
}
