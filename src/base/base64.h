// SPDX-License-Identifier: Apache-2.0
// Standard base64 with padding (RFC 4648 section 4), strict: no line breaks, no missing padding,
// no non-zero bits after the end. For public bytes only.
#pragma once

#include "base/wr.h"

// The number of characters for n bytes, without a closing NUL.
size_t base64_len(size_t n);
void base64_write(struct wr *wr, struct bytes b);
// Decodes into `out`; *n is the number of bytes. ERR_MALFORMED, or ERR_TOO_LARGE past `cap`.
FALLIBLE base64_decode(uint8_t *out, size_t cap, size_t *n, struct bytes text);
