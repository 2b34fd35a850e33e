// SPDX-License-Identifier: Apache-2.0
// Names for a certificate, as text. Who may include it: front.
#pragma once

#include "net/json.h"
#include "proto/msg.h"

// Reads a list of 1 to 16 DNS names (any case, the first label may be "*") and IPv4 or IPv6
// addresses into out->names and out->name; the views are valid until the next call. ERR_MALFORMED.
FALLIBLE tlsnames_read(struct msg_tls_certify *out, const struct json *list);
