// SPDX-License-Identifier: Apache-2.0
// Deletes accounts whose announced time has come, one turn each minute. Who may include it: parent.
#pragma once

#include "parent/store.h"

struct reaper;

FALLIBLE reaper_start(struct reaper **out, struct store *store);
// Ends the thread. Accepts NULL inside.
void reaper_stop(struct reaper **reaper);
// One turn: deletes what is due at `now_ms`.
FALLIBLE reaper_turn(struct store *store, uint64_t now_ms);
