// SPDX-License-Identifier: Apache-2.0
// What administrators decide: which keysets open (manifest), which records are too old or disabled,
// and when a sealed vault may go on. Their keys stand in the measured configuration; the parent
// only carries what they signed. Sealing needs nobody's leave: anyone may make the vault forget.
#pragma once

#include "vault/state.h"

FALLIBLE admin_manifest(struct turn *turn);
FALLIBLE admin_seal(struct turn *turn);
FALLIBLE admin_unseal(struct turn *turn);
// The anchor's answer to the write of a manifest or a seal.
FALLIBLE admin_anchored(struct turn *turn, const struct msg_anchor_answer *m);
// Wipes every key at once; the phase is SEALED.
void admin_lock(struct state *state);
// ERR_DENIED unless the manifest admits this very keyset. OK when the configuration has no
// administrators.
FALLIBLE admin_admits(const struct state *state, const struct keyset *keyset);
// Notes the digest of a keyset that was opened, for later manifests.
void admin_note_keyset(struct state *state, const struct keyset *keyset);
// ERR_DENIED when the manifest disables the account or TLS key, or asks for a newer generation of
// its record.
FALLIBLE admin_allows(const struct state *state, const struct id *account, uint32_t generation);
