// SPDX-License-Identifier: Apache-2.0
// What the front accepts: one table of methods. Who may include it: front.
#pragma once

#include "front/call.h"

// Parses a frame's JSON (in place: the bytes are changed) and checks the request's own members. An
// error ends the connection: it is no JSON object. The result is valid until the next call.
FALLIBLE methods_parse(const struct json **request, struct bytes body);
// The request's id, or NULL when there is none or it is none (methods_run then says so).
const struct json *methods_id(const struct json *request);
// Runs the method or answers why not. The call may be gone afterwards.
void methods_run(struct call *call, const struct json *request);
