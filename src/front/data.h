// SPDX-License-Identifier: Apache-2.0
// The data plane's connections: HTTPS that ends here (httpd/server_port.h), bounded in number; each
// request becomes a call (front/call.h) of the table in routes.c. Who may include it: front.
#pragma once

#include "front/call.h"
#include "front/permits.h"
#include "httpd/server_port.h"

#define DATA_BODY_MAX 393216U // a record and a transaction of 128 KiB as text

struct data;

// Takes connections from a listening socket, which stays its owner's.
FALLIBLE data_new(struct data **out, struct core *core, int listen_fd);
void data_free(struct data **data);
// The certificate of connections from now on, which must stay until the next one; NULL: they are
// closed at once.
void data_set_tls(struct data *data, struct tls_context *tls);
// Connections now, and what is counted of them.
unsigned data_connections(const struct data *data);
void data_count(const struct data *data, struct counters *counters);

// For routes.c and its handlers, before the call is answered. The request; views as long.
const struct server_request *data_request(const struct call *call);
// Whose it is; a connection of somebody known is kept before others.
void data_identify(struct call *call, struct permits_who *out);
// The id of the key to which this connection speaks; NULL when it is not open any more.
const struct id *data_key(const struct call *call);
// ERR_BUSY: whoever nobody knows has had his documents. The vault makes few, and whoever creates
// accounts needs some, too.
FALLIBLE data_admit_document(const struct call *call, const struct permits_who *who);
// It was denied: counted, and told to the vault and as an event as often as may be.
void data_deny(struct call *call, uint16_t operation, const struct permits_who *who,
               enum err_code code);

// For call.c: whether an error is wanted as text, and the answer.
bool data_wants_text(const struct call *call);
void data_send(struct call *call, const struct call_answer *answer);
