// SPDX-License-Identifier: Apache-2.0
// user_data of a document, from the outsider's side (PROTOCOL.md section 7; proto/receipt.h writes
// it). Nothing in it may be believed before the document verified.
#pragma once

#include "proto/receipt.h"

// The tag of user_data, one of proto/tag.h's six for documents; NULL when it is none of them.
const char *userdata_tag(struct bytes user_data);
// Reads user_data of a status document, under the tag that belongs to its phase. ERR_UNTRUSTED when
// it is another document's.
FALLIBLE userdata_read_status(struct receipt_status *out, struct bytes user_data);
// Reads user_data of a document that names a TLS key: the key with its keyset, and the status
// at that time, which is of a phase after UNCONFIGURED.
FALLIBLE userdata_read_tls(struct receipt_status *out, struct receipt_tls *key,
                           struct bytes user_data);
