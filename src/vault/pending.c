// SPDX-License-Identifier: Apache-2.0
#include "vault/pending.h"

#include "base/must.h"

struct state_pending *pending_take(struct state *state, const struct config_keyset *keyset)
{
    struct state_pending *best = &state->pending[0];

    for (size_t i = 1; i < ARRAY_LEN(state->pending); i++)
        if (state->pending[i].operation < best->operation)
            best = &state->pending[i];
    pending_drop(state, best);
    best->operation = ++state->last_operation;
    best->keyset = keyset;
    return best;
}

struct state_pending *pending_find(struct state *state, uint64_t operation)
{
    struct state_pending *found = NULL;

    for (size_t i = 0; i < ARRAY_LEN(state->pending); i++) {
        struct state_pending *pending = &state->pending[i];

        if (deadline_left_ms(pending->until) == 0)
            pending_drop(state, pending);
        else if (pending->operation == operation && operation != 0)
            found = pending;
    }
    return found;
}

struct seckey *pending_keys(struct state *state, const struct state_pending *pending)
{
    return state->secret->pending_key[pending - state->pending];
}

void pending_drop(struct state *state, struct state_pending *pending)
{
    ct_wipe(pending_keys(state, pending), sizeof(state->secret->pending_key[0]));
    *pending = (struct state_pending) { 0 };
}

void pending_drop_all(struct state *state)
{
    for (size_t i = 0; i < ARRAY_LEN(state->pending); i++)
        pending_drop(state, &state->pending[i]);
}
