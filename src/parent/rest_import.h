// SPDX-License-Identifier: Apache-2.0
// Routes of imports, and what those of TLS keys have in common with them. Who may include it:
// parent/rest.c, parent/rest_tls.c.
#pragma once

#include "parent/rest_call.h"

FALLIBLE rest_import_begin(struct rest_call *call);
FALLIBLE rest_import_finish(struct rest_call *call);

// One call to the enclave; `reply` is the caller's to free, also after a failure.
FALLIBLE rest_import_call(struct rest_call *call, struct enclave_link_reply *reply,
                          const char *method, const struct wr *params);
// Passes a member of the enclave's answer on.
void rest_import_copy(struct jw *jw, const struct json *result, const char *name);

// What the owner sent, without the key: nobody here could read it.
struct rest_import_envelope {
    struct bytes enc, ciphertext;
    uint8_t nonce[NONCE_BYTES_MAX];
    size_t nonce_len;
    uint8_t hash[32]; // of all of them: a repeated request is told from another one
};
FALLIBLE rest_import_read(struct rest_call *call, struct rest_import_envelope *out);
// import.finish for the id of the path.
FALLIBLE rest_import_ask(struct rest_call *call, const struct rest_import_envelope *envelope,
                         struct enclave_link_reply *reply);
