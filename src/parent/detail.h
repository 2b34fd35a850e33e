// SPDX-License-Identifier: Apache-2.0
// What the other side said when it refused (the enclave, the node), or the name of a field that
// is not known: text for people that cannot be a literal and so cannot stand in struct err.
// Empty: the error's own text says it. Who may include it: parent.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

struct detail {
    char text[256];
};

// "PREFIX" followed by `text`: cut to the room, control characters and bytes that are not ASCII
// become '?', so that it can stand in logs and JSON.
void detail_set(struct detail *detail, const char *prefix, struct bytes text);
// The sentence for people: the detail, or else the error's own text.
const char *detail_text(const struct detail *detail, struct err err);
