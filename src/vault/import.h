// SPDX-License-Identifier: Apache-2.0
// Import of keys that their owners seal to the vault (HPKE, RFC 9180): the parent and the front
// carry a ciphertext. The vault chooses the account id first, so that a sealed key fits one import
// only.
#pragma once

#include "vault/state.h"

FALLIBLE import_begin(struct turn *turn);
FALLIBLE import_finish(struct turn *turn);
