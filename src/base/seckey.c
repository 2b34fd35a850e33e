// SPDX-License-Identifier: Apache-2.0
#include "base/seckey.h"

void seckey_wipe(struct seckey *key)
{
    ct_wipe(key->b, sizeof(key->b));
}

bool seckey_equal(const struct seckey *a, const struct seckey *b)
{
    return ct_equal(BYTES_OF(a->b), BYTES_OF(b->b));
}
