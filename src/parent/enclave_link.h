// SPDX-License-Identifier: Apache-2.0
// The client of the enclave's control plane (PROTOCOL.md section 1): one connection that is made
// again whenever it is lost, and many threads that call over it at once; answers are matched by id.
// Who may include it: parent.
#pragma once

#include "base/deadline.h"
#include "net/addr.h"
#include "net/json.h"
#include "parent/detail.h"

struct enclave_link;

// The answer to one call. `result` is a view of text and nodes; release with
// enclave_link_free_reply (also after a failure).
struct enclave_link_reply {
    const struct json *result;
    struct detail detail; // the enclave's own words when it refused
    uint8_t *text;
    struct json *nodes;
};

// Starts the thread that connects and reads. The enclave need not be there yet.
FALLIBLE enclave_link_new(struct enclave_link **out, const struct addr *addr);
// Ends calls that wait (ERR_CLOSED) and the thread. No thread may call any more. Accepts NULL.
void enclave_link_free(struct enclave_link **link);
// One call: `params` is the text of a JSON object, or none. ERR_UNREACHABLE: not connected,
// ERR_CLOSED: lost before the answer, ERR_TIMEOUT, ERR_BUSY: too many calls; otherwise the code
// that the enclave answered with. The request's bytes are wiped after they were sent.
FALLIBLE enclave_link_call(struct enclave_link *link, struct enclave_link_reply *reply,
                           const char *method, struct bytes params, struct deadline until);
void enclave_link_free_reply(struct enclave_link_reply *reply);
bool enclave_link_is_up(struct enclave_link *link);
// Which connection this is, counted from 1; 0 when there is none. Another number means that the
// enclave may be another one, which knows nothing.
uint64_t enclave_link_connection(struct enclave_link *link);
