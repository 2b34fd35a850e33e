// SPDX-License-Identifier: Apache-2.0
// One request while it is handled, for the modules that handle routes. Who may include it:
// parent/rest*.c.
#pragma once

#include "net/json.h"
#include "parent/rest.h"
#include "proto/id.h"

struct rest_call {
    const struct rest *rest;
    const struct server_request *request;
    struct server_response *response;
    struct jw jw;                  // over the response's body
    char id[ID_TEXT];              // the `*` of the route's path
    char name[NAME_BYTES_MAX + 1]; // the `@`
    struct bytes query;            // after the '?', as it came
    const struct json *body;       // the JSON object of a POST, else NULL
    struct detail detail;          // of an error
    unsigned status;               // of success; 200 unless the handler changes it
    unsigned refusal;              // of an error; 0: the status of its code
};

// Refuses members that `known` (NULL-terminated) does not list, by name.
FALLIBLE rest_call_only(struct rest_call *call, const char *const *known);
// The status that PROTOCOL.md gives an error code.
unsigned rest_call_status_of(enum err_code code);
