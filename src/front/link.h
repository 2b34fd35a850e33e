// SPDX-License-Identifier: Apache-2.0
// The channel to the vault: messages of proto/msg.h, all of a loop turn in one write, and for each
// one what to do with its answer. The vault takes one after the other; those that make it sign an
// attestation document or verify administrators' signatures take as long as a hundred others. Only
// two of them are sent at once: the others wait here, and the short ones pass.
// Who may include it: front.
#pragma once

#include "net/loop.h"
#include "proto/msg.h"

struct link;

// Views are valid during the call.
struct link_answer {
    struct msg_verdict verdict;
    struct rd result;  // verdict.code 0: the result, to be read to its end
    struct bytes text; // else: the vault's words
};

// What happens with an answer. Called in the loop's thread, exactly once: link_free answers with
// ERR_CLOSED what is still under way.
struct link_done {
    void (*call)(void *context, struct link_answer *answer);
    void *context;
};

// `broken` is called once when the channel ends or carries what no vault says.
FALLIBLE link_new(struct link **out, struct loop *loop, int vault_fd,
                  void (*broken)(void *context, struct err err), void *context);
void link_free(struct link **link);
// Starts a message whose body takes at most body_max bytes and gives a writer for it. ERR_BUSY when
// as many as possible are under way. Nothing else may be begun before link_end.
FALLIBLE link_begin(struct link *link, struct wr **body, uint16_t type, size_t body_max);
// Sends it (at the end of the turn). ERR_TOO_LARGE, and nothing is sent, when the body did not fit.
FALLIBLE link_end(struct link *link, struct link_done done);
// link_begin and link_end for a body that is written already.
FALLIBLE link_send(struct link *link, uint16_t type, struct bytes body, struct link_done done);
// Writes what was begun in this turn: the loop's end-of-turn work.
void link_flush(struct link *link);
