// SPDX-License-Identifier: Apache-2.0
// Credentials of the instance's role from the instance metadata service, version 2 (EC2 User
// Guide, "Use IMDSv2"). Who may include it: parent.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

// The secret key is a secret: declare it `AUTO(imds_wipe) struct imds_credentials c = { 0 };`.
struct imds_credentials {
    char access_key[129];
    char secret_key[129];
    char token[4097];
    char expiration[32]; // RFC 3339, as IMDS gave it
    uint64_t expires_ms;
};

// Asks the service at `url` (http) for the credentials of `role`, or of the role that it names
// when `role` is empty. At most 10 s.
FALLIBLE imds_fetch(struct imds_credentials *out, const char *url, const char *role);
void imds_wipe(struct imds_credentials *credentials);
