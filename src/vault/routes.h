// SPDX-License-Identifier: Apache-2.0
// The vault's surface: one const table of what it accepts (PROTOCOL.md, "Vault messages"), and the
// one way a message goes through it.
#pragma once

#include "vault/state.h"

// Carries out one message and appends its answer to `out`, which has VAULT_ANSWER_MAX bytes of
// room. Every message is answered, whatever it holds.
void routes_serve(struct state *state, const struct msg *msg, struct wr *out);
