// SPDX-License-Identifier: Apache-2.0
// The emulated AWS KMS: Decrypt and GenerateDataKey over the JSON protocol, deciding in the order
// of the real service: signature, JSON shape, attestation document, key, state, policy,
// ciphertext. Errors carry AWS's names (AWS KMS API Reference).
#pragma once

#include "net/server.h"

struct kms {
    const char *dir;       // with DIR/keys and DIR/credentials
    struct bytes nsm_root; // DER: the only root of attestation documents
    uint64_t max_age_s;    // of attestation documents
};

#define KMS_REQUEST_MAX  65536
#define KMS_RESPONSE_MAX 32768

// A request handler for net/server.h; the server's context is a struct kms.
void kms_handle(const struct server_request *request, struct server_response *response);
