// SPDX-License-Identifier: Apache-2.0
// sign_transaction: handler of the table in methods.c. Who may include it: front.
#pragma once

#include "front/call.h"

FALLIBLE signing_transaction(struct call *call, const struct json *params);
