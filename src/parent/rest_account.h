// SPDX-License-Identifier: Apache-2.0
// Routes of accounts. Who may include it: parent/rest.c.
#pragma once

#include "parent/rest_call.h"

FALLIBLE rest_account_create(struct rest_call *call);
FALLIBLE rest_account_list(struct rest_call *call);
FALLIBLE rest_account_show(struct rest_call *call);
