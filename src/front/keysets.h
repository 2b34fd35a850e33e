// SPDX-License-Identifier: Apache-2.0
// keyset.create and keyset.open: handlers of the table in methods.c; and manifest.apply and seal,
// which go step by step with an anchor. Who may include it: front.
#pragma once

#include "front/call.h"

FALLIBLE keysets_create(struct call *call, const struct json *params);
FALLIBLE keysets_open(struct call *call, const struct json *params);
// Asks the vault for what it answers in steps; the call's result is where the vault stands then.
FALLIBLE keysets_administer(struct call *call, uint16_t type, struct bytes body);
