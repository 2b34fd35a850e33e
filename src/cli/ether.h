// SPDX-License-Identifier: Apache-2.0
// Amounts as people write them: "1000000000" (wei), "0x3b9aca00", "3gwei", "0.5ether". Exact
// decimal arithmetic; no float is ever made. Who may include it: cli.
#pragma once

#include "base/u256.h"

// ERR_MALFORMED says what was expected; ERR_TOO_LARGE past 256 bits. A fraction needs a unit and no
// more digits than the unit has; there is at most one blank before the unit.
FALLIBLE ether_parse(struct u256 *wei, struct bytes text);
// True when the text ends in a unit: it has to go through ether_parse before it is JSON.
bool ether_has_unit(struct bytes text);
// Writes the exact amount in ether, without zeros at the end: "0.5", "12".
void ether_write(struct wr *wr, struct u256 wei);
