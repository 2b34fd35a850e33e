// SPDX-License-Identifier: Apache-2.0
// What fuzz targets share: the entry point, and inputs that are small changes of something valid.
// Signatures, seals and records that a running program made cannot stand in a corpus, and a fuzzer
// would not find them; so such targets make them when they start and read changes from the input.
// Who may include it: test/fuzz.
#pragma once

#include "base/err.h"
#include "base/must.h"
#include "base/rd.h"
#include "base/wr.h"

#include <stdio.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

// What must work, or the target tests nothing.
static inline void fuzz_ok(struct err err)
{
    if (err.code)
        (void)fprintf(stderr, "%s:%u: %s\n", err.file, err.line, err_text(err));
    must(!err.code);
}

// `base` into out[cap], changed: each three bytes of `changes` are an offset (16 bits, modulo the
// length) and what is XORed there; a single byte left over says how many bytes are cut off.
static inline struct bytes fuzz_change(uint8_t *out, size_t cap, struct bytes base,
                                       struct bytes changes)
{
    struct rd rd = rd_of(changes);
    struct bytes changed = bytes_of(out, base.n);

    must(base.n <= cap);
    if (base.n == 0)
        return BYTES_NONE;
    memcpy(out, base.p, base.n);
    while (rd.left.n >= 3) {
        size_t at = rd_u16(&rd) % base.n;

        out[at] ^= rd_u8(&rd);
    }
    if (rd.left.n == 1)
        changed.n -= (size_t)rd_u8(&rd) % base.n;
    return changed;
}
