// SPDX-License-Identifier: Apache-2.0
// The emulator's log: one line for what happens at each trust boundary, on stderr and in
// DIR/emu.log. Callers pass public values only (PCRs, key ids, error names), never a secret.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

// Opens `path` for appending (mode 0600). Without this call lines go to stderr only.
FALLIBLE journal_open(const char *path);
void journal_close(void);
// Writes one line with the time; control characters in it are replaced, longer lines are cut.
void journal(const char *format, ...) __attribute__((format(printf, 1, 2)));
