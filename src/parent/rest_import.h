// SPDX-License-Identifier: Apache-2.0
// Routes of imports. Who may include it: parent/rest.c.
#pragma once

#include "parent/rest_call.h"

FALLIBLE rest_import_begin(struct rest_call *call);
FALLIBLE rest_import_finish(struct rest_call *call);
