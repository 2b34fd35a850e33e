// SPDX-License-Identifier: Apache-2.0
// Ids of deployments, keysets, accounts and boots: 16 random bytes, as text 32 lower-case digits.
#pragma once

#include "base/rd.h"
#include "base/wr.h"

struct id {
    uint8_t b[16];
};

#define ID_TEXT 33 // 32 digits and NUL

void id_text(char out[static ID_TEXT], const struct id *id);
// Exactly 32 lower-case hex digits; ERR_MALFORMED otherwise.
FALLIBLE id_parse(struct id *out, struct bytes text);
bool id_equal(const struct id *a, const struct id *b);
bool id_is_zero(const struct id *id);
struct id id_read(struct rd *rd);
void id_write(struct wr *wr, const struct id *id);
