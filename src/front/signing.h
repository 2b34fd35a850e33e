// SPDX-License-Identifier: Apache-2.0
// sign_transaction: handlers of the tables in methods.c and routes.c. Who may include it: front.
#pragma once

#include "front/routes.h"

FALLIBLE signing_transaction(struct call *call, const struct json *params);
FALLIBLE signing_route(struct call *call, const struct routes_request *request);
