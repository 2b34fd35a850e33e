// SPDX-License-Identifier: Apache-2.0
// account.create and account.open: handlers of the table in methods.c. Who may include it: front.
#pragma once

#include "front/call.h"

FALLIBLE accounts_create(struct call *call, const struct json *params);
FALLIBLE accounts_open(struct call *call, const struct json *params);
