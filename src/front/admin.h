// SPDX-License-Identifier: Apache-2.0
// The methods about the enclave itself: hello, status, configure, set_credentials, attestation,
// manifest.apply, seal, unseal, metrics.
// Handlers of the table in methods.c: on OK the call is answered or will be. Who may include it:
// front.
#pragma once

#include "front/call.h"

FALLIBLE admin_hello(struct call *call, const struct json *params);
FALLIBLE admin_status(struct call *call, const struct json *params);
FALLIBLE admin_configure(struct call *call, const struct json *params);
FALLIBLE admin_ask_manifest(struct call *call, const struct json *params);
FALLIBLE admin_ask_seal(struct call *call, const struct json *params);
FALLIBLE admin_ask_unseal(struct call *call, const struct json *params);
FALLIBLE admin_set_credentials(struct call *call, const struct json *params);
FALLIBLE admin_attestation(struct call *call, const struct json *params);
FALLIBLE admin_metrics(struct call *call, const struct json *params);
