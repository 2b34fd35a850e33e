// SPDX-License-Identifier: Apache-2.0
// Routes of the data plane about the enclave itself: upcheck, healthcheck, version, attestation,
// metrics. Handlers of the table in routes.c: on OK the call is answered or will be. Who may
// include it: front.
#pragma once

#include "front/routes.h"

FALLIBLE service_upcheck(struct call *call, const struct routes_request *request);
FALLIBLE service_healthcheck(struct call *call, const struct routes_request *request);
FALLIBLE service_version(struct call *call, const struct routes_request *request);
FALLIBLE service_attestation(struct call *call, const struct routes_request *request);
FALLIBLE service_metrics(struct call *call, const struct routes_request *request);
