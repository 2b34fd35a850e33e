// SPDX-License-Identifier: Apache-2.0
// Who may use the data plane: the front, which ends TLS, decides by the manifest that the vault
// has in force, and reports whom it turned away.
#pragma once

#include "vault/state.h"

FALLIBLE access_clients(struct turn *turn);
// Checks the form; that the message is audited is all that comes of it.
FALLIBLE access_denial(struct turn *turn);
// ERR_DENIED when the manifest lets everybody in and the configuration does not bear that.
FALLIBLE access_admits(const struct state *state, const struct manifest *manifest);
