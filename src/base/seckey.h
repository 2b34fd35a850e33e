// SPDX-License-Identifier: Apache-2.0
// A 32-byte secret by value: its own type, so that it cannot be handed to a writer, to hex or to
// a log by mistake. Always declared `AUTO(seckey_wipe) struct seckey key = { 0 };`, passed by
// pointer, never assigned. Who may include it: crypto, vault, and the programs that import keys.
#pragma once

#include "base/ct.h"

struct seckey {
    uint8_t b[32];
};

void seckey_wipe(struct seckey *key);
// Equal in constant time.
bool seckey_equal(const struct seckey *a, const struct seckey *b);
