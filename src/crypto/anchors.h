// SPDX-License-Identifier: Apache-2.0
// The trust anchors, one object per link line: enclave/anchors_aws.c (AWS's Nitro root and
// Amazon's TLS roots) or the development anchors that the build generates with its own PKI. No
// flag, variable or file turns one into the other.
#pragma once

#include "base/bytes.h"

struct anchors {
    const char *name; // "aws" or "DEVELOPMENT": shown in version, hello and attestation output
    bool development;
    struct bytes nsm_root;        // DER
    const struct bytes *tls_root; // DER
    size_t tls_roots;
};

extern const struct anchors anchors_this;
