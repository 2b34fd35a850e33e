// SPDX-License-Identifier: Apache-2.0
// Points in time as AWS and its clients write them, to Unix seconds. Strict: every digit must be
// there, and the day and the time of day must exist. Years 1970 to 9999.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

// "20260101T000000Z" (ISO 8601's basic form, as in X-Amz-Date). ERR_MALFORMED.
FALLIBLE when_basic(uint64_t *out, struct bytes text);
// "2026-01-01T00:00:00Z" (RFC 3339), also with an offset; fractions are dropped. ERR_MALFORMED.
FALLIBLE when_rfc3339(uint64_t *out, struct bytes text);
// "Thu, 01 Jan 2026 00:00:00 GMT" (RFC 9110 5.6.7). The day of the week is not looked at.
FALLIBLE when_http(uint64_t *out, struct bytes text);
