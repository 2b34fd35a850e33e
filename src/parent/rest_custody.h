// SPDX-License-Identifier: Apache-2.0
// Routes that take an account out of use and back: disable, enable, delete, undelete. Who may
// include it: parent/rest.c.
#pragma once

#include "parent/rest_call.h"

FALLIBLE rest_custody_disable(struct rest_call *call);
FALLIBLE rest_custody_enable(struct rest_call *call);
FALLIBLE rest_custody_delete(struct rest_call *call);
FALLIBLE rest_custody_undelete(struct rest_call *call);
