// SPDX-License-Identifier: Apache-2.0
// The development anchor (PROTOCOL.md, "Anchor"): a store of one small item for each keyset, with
// compare-and-swap by entity tags. Items are files in DIR/anchor that survive a kill. As little of
// a judge as DynamoDB: it keeps what it is given.
#pragma once

#include "httpd/server.h"

struct anchor {
    const char *dir; // with DIR/anchor and DIR/faults
};

// True for requests that are meant for the anchor: by their Host.
bool anchor_is_host(const struct http_head *head);
// Operations of emu/fault.h: AnchorRead, AnchorWrite.
void anchor_handle(const struct server_request *request, struct server_response *response,
                   const struct anchor *anchor);
