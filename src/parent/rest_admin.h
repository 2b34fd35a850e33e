// SPDX-License-Identifier: Apache-2.0
// Routes of administrators: manifest, seal, unseal. Who may include it: parent/rest.c.
#pragma once

#include "parent/rest_call.h"

FALLIBLE rest_admin_put_manifest(struct rest_call *call);
FALLIBLE rest_admin_get_manifest(struct rest_call *call);
FALLIBLE rest_admin_seal(struct rest_call *call);
FALLIBLE rest_admin_unseal(struct rest_call *call);
