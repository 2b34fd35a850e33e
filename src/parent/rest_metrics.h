// SPDX-License-Identifier: Apache-2.0
// `GET /metrics` for Prometheus. Who may include it: parent/rest.c.
#pragma once

#include "parent/rest_call.h"

FALLIBLE rest_metrics_show(struct rest_call *call);
