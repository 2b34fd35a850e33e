// SPDX-License-Identifier: Apache-2.0
// Routes that show state: health, status, attestation, keysets. Who may include it: parent/rest.c.
#pragma once

#include "parent/rest_call.h"

FALLIBLE rest_status_health(struct rest_call *call);
FALLIBLE rest_status_show(struct rest_call *call);
FALLIBLE rest_status_attestation(struct rest_call *call);
FALLIBLE rest_status_keysets(struct rest_call *call);
