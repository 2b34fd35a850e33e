// SPDX-License-Identifier: Apache-2.0
// A stored transaction and the node: sending it, and waiting for its receipt. Who may include it:
// parent/broadcast.c.
#pragma once

#include "parent/rpc.h"
#include "parent/store_send.h"

// Sends the raw transaction. After OK its status is SENT, or REFUSED with the node's reason, and
// stored. Otherwise it stays STORED, to be sent again: ERR_UNREACHABLE (also when the node refused
// for now: full, busy; rpc->detail), ERR_TIMEOUT, ERR_CLOSED.
FALLIBLE broadcast_push(struct store *store, struct rpc *rpc, struct store_send *send);
// Asks for the receipt, at least once, until it is there or the time is over. Sets and stores
// status MINED or FAILED and the receipt. What goes wrong leaves the status as it is.
void broadcast_push_await(struct store *store, struct rpc *rpc, struct store_send *send,
                          struct deadline until);
