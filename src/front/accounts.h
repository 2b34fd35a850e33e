// SPDX-License-Identifier: Apache-2.0
// Accounts, made in the vault or imported: handlers of the table in methods.c. Who may include it:
// front.
#pragma once

#include "front/call.h"

FALLIBLE accounts_create(struct call *call, const struct json *params);
FALLIBLE accounts_open(struct call *call, const struct json *params);
FALLIBLE accounts_import_begin(struct call *call, const struct json *params);
FALLIBLE accounts_import_finish(struct call *call, const struct json *params);
