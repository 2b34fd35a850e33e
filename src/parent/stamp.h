// SPDX-License-Identifier: Apache-2.0
// Points in time as cloisterd stores and shows them: milliseconds since 1970 UTC, RFC 3339 text.
// Who may include it: parent.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

#define STAMP_TEXT 25 // "2026-01-01T00:00:00.000Z" and NUL

uint64_t stamp_now_ms(void);
// RFC 3339 in UTC with milliseconds. Times past the year 9999 are shown as its last moment.
void stamp_text(char out[static STAMP_TEXT], uint64_t ms);
// RFC 3339 in UTC ("2026-01-01T00:00:00Z", a fraction is cut off) to milliseconds. ERR_MALFORMED.
FALLIBLE stamp_parse(uint64_t *ms, struct bytes text);
