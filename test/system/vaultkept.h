// SPDX-License-Identifier: Apache-2.0
// What tests of the vault's answers share: bytes that outlive the next call, and one line that says
// which case was answered otherwise. Include it after cmocka.h.
#pragma once

#include "vaulthost.h"

#include "base/must.h"

#include <string.h>

struct kept {
    uint8_t b[KEYSET_BYTES_MAX];
    size_t n;
};

static inline struct bytes kept(const struct kept *kept)
{
    return bytes_of(kept->b, kept->n);
}

static inline void keep(struct kept *out, struct bytes b)
{
    must(b.n <= sizeof(out->b));
    memcpy(out->b, b.p, b.n);
    out->n = b.n;
}

static inline void expect_code(const char *name, struct vaulthost_answer answer, enum err_code code)
{
    if (answer.verdict.code != code)
        fail_msg("%s: code %u (%s), expected %u", name, answer.verdict.code, answer.text, code);
}
