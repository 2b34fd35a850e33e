// SPDX-License-Identifier: Apache-2.0
// The emulated AWS KMS over the JSON protocol, deciding in the order of the real service:
// signature, JSON shape, attestation document, key, state, policy, ciphertext. Which operations
// there are stands in emu/kms_op.c. Errors carry AWS's names (AWS KMS API Reference).
#pragma once

#include "httpd/server.h"

struct kms {
    const char *dir;       // with DIR/keys, DIR/credentials and DIR/faults
    struct bytes nsm_root; // DER: the only root of attestation documents
    uint64_t max_age_s;    // of attestation documents
};

#define KMS_REQUEST_MAX  131072
#define KMS_RESPONSE_MAX 131072

// A request handler for httpd/server.h; the server's context is a struct kms.
void kms_handle(const struct server_request *request, struct server_response *response);
