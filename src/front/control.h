// SPDX-License-Identifier: Apache-2.0
// The control plane's connections: frames in, frames out, bounded in number, memory and time. Who
// may include it: front.
#pragma once

#include "front/call.h"

struct control;
struct control_conn;

// Takes connections from a listening socket, which stays its owner's.
FALLIBLE control_new(struct control **out, struct core *core, int listen_fd);
void control_free(struct control **control);
// Writes what the turn has produced, and frees connections that ended in it.
void control_turn(struct control *control);

// For call.c. Queues a whole frame; ends the connection of a peer that does not read.
void control_send(struct control_conn *conn, struct bytes frame);
// The call is answered and about to be freed.
void control_call_done(struct control_conn *conn, struct call *call);
