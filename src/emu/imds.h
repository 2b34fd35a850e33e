// SPDX-License-Identifier: Apache-2.0
// The instance metadata service, version 2 only: a session token by PUT, then the role's name and
// its temporary credentials (EC2 User Guide, "Use IMDSv2" and "Retrieve security credentials").
#pragma once

#include "httpd/server.h"

struct imds {
    const char *dir;       // where credentials are kept
    const char *role;      // role ARN of the instance; NULL: no role, as on an instance without one
    uint64_t life_s;       // of credentials
    uint8_t token_key[32]; // random; tokens end with the process, as they end with an instance
};

// A request handler for httpd/server.h; the server's context is a struct imds.
void imds_handle(const struct server_request *request, struct server_response *response);
