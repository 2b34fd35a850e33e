// SPDX-License-Identifier: Apache-2.0
// The vault's end of the channel to the front: reads as many messages as there are, answers them
// all with one write. A front that breaks the framing loses its channel, nothing else.
#pragma once

#include "vault/state.h"

struct channel {
    int fd; // -1: no front at the moment
    uint8_t in[VAULT_INPUT_BYTES];
    size_t in_len;
    uint8_t out[VAULT_OUTPUT_BYTES];
};

// Takes over `fd` as the channel to a new front and closes the old one.
void channel_replace(struct channel *channel, struct state *state, int fd);
// Reads once and serves every whole message. ERR_CLOSED, ERR_MALFORMED, ERR_TIMEOUT...: the
// channel is of no more use (channel_replace with -1).
FALLIBLE channel_serve(struct channel *channel, struct state *state);
