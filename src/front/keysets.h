// SPDX-License-Identifier: Apache-2.0
// keyset.create and keyset.open: handlers of the table in methods.c. Who may include it: front.
#pragma once

#include "front/call.h"

FALLIBLE keysets_create(struct call *call, const struct json *params);
FALLIBLE keysets_open(struct call *call, const struct json *params);
