// SPDX-License-Identifier: Apache-2.0
// Routes of TLS keys. Who may include it: parent/rest.c.
#pragma once

#include "parent/rest_call.h"

FALLIBLE rest_tls_create(struct rest_call *call);
FALLIBLE rest_tls_list(struct rest_call *call);
FALLIBLE rest_tls_show(struct rest_call *call);
FALLIBLE rest_tls_drop(struct rest_call *call);
FALLIBLE rest_tls_csr(struct rest_call *call);
FALLIBLE rest_tls_install(struct rest_call *call);
FALLIBLE rest_tls_import_begin(struct rest_call *call);
FALLIBLE rest_tls_import_finish(struct rest_call *call);
