// SPDX-License-Identifier: Apache-2.0
// The query of a request target: name=value pairs, percent-encoded (WHATWG URL,
// application/x-www-form-urlencoded: '+' is a blank). Who may include it: parent/rest*.c.
#pragma once

#include "parent/detail.h"

// Refuses parameters that `known` (NULL-terminated) does not list, and any that stands twice.
FALLIBLE rest_query_only(struct bytes query, const char *const *known, struct detail *detail);
// The decoded value as a C string; "" when the parameter is absent. ERR_MALFORMED.
FALLIBLE rest_query_get(struct bytes query, const char *name, char *out, size_t cap);
