// SPDX-License-Identifier: Apache-2.0
// What the vault makes of the anchor (PROTOCOL.md, "Anchor"): it alone makes and checks items; the
// front carries them over TLS that ends in the enclave. An answer is believed as far as its MAC
// goes: nobody can forge an item, but a front taken over can show an older one.
#pragma once

#include "vault/state.h"

bool anchor_used(const struct state *state);
// Asks the front for MSG_STEP_ANCHOR_READ of the item of `item`'s keyset, or to write `item`.
void anchor_ask(struct turn *turn, enum msg_step_kind kind, uint64_t operation,
                const struct anchor_item *item);
// Puts a manifest into an item: its serial and digest.
void anchor_set_manifest(struct anchor_item *item, uint64_t serial,
                         const uint8_t digest[static 32]);
FALLIBLE anchor_set_mac(struct anchor_item *item, const struct seckey *keyset_key);
// OK when the answer is the wanted one; else what it means for the caller of the front.
FALLIBLE anchor_expect(const struct msg_anchor_answer *m, enum msg_anchor_outcome wanted);
// Judges what was read for the keyset that is being opened (`item->keyset`, `keyset_key`) and
// leaves in `item` what must stand there before it opens. *current: that stands there already. An
// item that is sealed seals the vault, unless administrators have unsealed it since.
FALLIBLE anchor_judge(struct state *state, struct anchor_item *item, bool *current,
                      const struct seckey *keyset_key, const struct msg_anchor_answer *m);
// The keyset was opened: its item is not sealed any more.
void anchor_forget_sealed(struct state *state, const struct id *keyset);
// A seal, while there are keys: notes what shall stand in the anchor when they are gone, for the
// open keysets and for those that have only to be written before they open.
void anchor_seal(struct state *state);
// state->sealed[at] was written.
void anchor_seal_stands(struct state *state, size_t at);
// It was not, because what was read now stands there: true when it has to be written again, over
// that. Otherwise `written` tells.
bool anchor_seal_over(struct state *state, size_t at, const struct msg_anchor_answer *m);
// Whether all that shall stand sealed does, and that is something.
bool anchor_seals_stand(const struct state *state);
// No seal is to be written any more: wipes what was kept for it.
void anchor_unseal(struct state *state);
