// SPDX-License-Identifier: Apache-2.0
// What the front accepts on the data plane: one table of routes. Who may include it: front.
#pragma once

#include "front/data.h"

#define ROUTES_ALL 7U // the table's rows, and one more for requests that fit none

// A request that fits a route, on its way to the handler.
struct routes_request {
    const struct http_head *head;
    struct bytes body;
    struct bytes id;    // what stands in the place of `*` in the path
    struct bytes query; // what follows `?`
    struct permits_who who;
};

// The path of a row, "other" for the last one.
const char *routes_path(size_t route);
// Finds the route of the call's request and runs it, or answers why not. The call may be gone
// afterwards.
void routes_run(struct call *call);
// For handlers: whether the client may do this to this key. ERR_UNAUTHORIZED and ERR_DENIED, which
// were counted and told.
FALLIBLE routes_permit(struct call *call, const struct routes_request *request, uint16_t operation,
                       const struct permits_key *key);
