// SPDX-License-Identifier: Apache-2.0
// Signing. The order is the rule: parse, belong, policy, then key, then sign. The vault hashes what
// it signs itself; it never takes a digest.
#pragma once

#include "vault/state.h"

FALLIBLE sign_tx(struct turn *turn);
