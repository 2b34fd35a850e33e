// SPDX-License-Identifier: Apache-2.0
// Writes an Enclave Image of version 4 into memory: the sections in the order in which they are
// opened and closed, then the header with its checksum. What goes into them, and in which order, is
// the caller's; it reads the result again with cli/eif.h. Who may include it: cli.
#pragma once

#include "cli/eif.h"

struct eifmake {
    struct wr wr; // the data of an open section is written here
    size_t sections;
    struct eif_section section[EIF_SECTIONS_MAX];
};

// Memory that cap bytes need beside the sections' own data, for `sections` of them.
#define EIFMAKE_OVERHEAD(sections) (EIF_HEAD_BYTES + (size_t)(sections)*EIF_SECTION_HEAD_BYTES)

// For an image for x86-64 in p[cap].
void eifmake_start(struct eifmake *make, uint8_t *p, size_t cap);
void eifmake_open(struct eifmake *make, enum eif_type type);
void eifmake_close(struct eifmake *make);
// Writes the header. May be followed by another section and another eifmake_end. ERR_TOO_LARGE when
// something did not fit.
FALLIBLE eifmake_end(struct eifmake *make, struct bytes *image);
