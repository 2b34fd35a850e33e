// SPDX-License-Identifier: Apache-2.0
// Creating and opening keysets: the vault says which KMS call it wants, the front carries it out,
// the vault alone opens the answer (PROTOCOL.md, "Vault messages", and DESIGN of keys at rest).
// KMS answers carry no signature that the vault could check; what it can check, it does: the key's
// ARN, the envelope's form, that Decrypt gives back what GenerateDataKey gave, the key-check value.
#pragma once

#include "vault/state.h"

FALLIBLE ceremony_create(struct turn *turn);
FALLIBLE ceremony_open(struct turn *turn);
FALLIBLE ceremony_answer(struct turn *turn);
// The front could not get the answer: an opening goes on with the next wrapping, if enough are
// left.
FALLIBLE ceremony_failed(struct turn *turn);
// What the anchor answered: to a keyset operation, or to a manifest or seal (vault/admin.h).
FALLIBLE ceremony_anchored(struct turn *turn);
