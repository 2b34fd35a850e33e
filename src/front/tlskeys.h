// SPDX-License-Identifier: Apache-2.0
// The methods about TLS keys: tls.create, tls.import, tls.csr, tls.open. Handlers of the table in
// methods.c: on OK the call is answered or will be. Who may include it: front.
#pragma once

#include "front/call.h"

FALLIBLE tlskeys_create(struct call *call, const struct json *params);
FALLIBLE tlskeys_import(struct call *call, const struct json *params);
FALLIBLE tlskeys_csr(struct call *call, const struct json *params);
FALLIBLE tlskeys_open(struct call *call, const struct json *params);
// Writes the value of status.tls: what is in use, or null.
void tlskeys_report(struct jw *jw, const struct core *core);
