// SPDX-License-Identifier: Apache-2.0
// What a client takes (RFC 9110 12.5.1): the value of Accept. Who may include it: net, httpd,
// front, parent, emu.
#pragma once

#include "base/bytes.h"

// How much it wants "type/subtype", 0 (not at all) to 1000: the weight of the most specific range
// that covers it. No value: anything. What is no media range counts as none.
unsigned accept_weight(struct bytes value, const char *type);
// True when it takes JSON, and no less than text.
bool accept_json(struct bytes value);
