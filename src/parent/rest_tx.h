// SPDX-License-Identifier: Apache-2.0
// Routes that sign and send transactions. Who may include it: parent/rest.c.
#pragma once

#include "parent/rest_call.h"

FALLIBLE rest_tx_sign(struct rest_call *call);
FALLIBLE rest_tx_send(struct rest_call *call);
