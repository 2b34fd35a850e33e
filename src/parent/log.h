// SPDX-License-Identifier: Apache-2.0
// The log of cloisterd: one line for each event on standard error, `time level module event
// key=value`. Never given a secret: callers pass names, ids, counts and error texts only.
// Who may include it: parent.
#pragma once

#include "base/err.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

// Lines below `level` are left out. Set once, before threads are started; LOG_INFO before.
void log_set_level(enum log_level level);
// The level of a name ("debug", "info", "warn", "error"); ERR_MALFORMED otherwise.
FALLIBLE log_parse_level(enum log_level *out, const char *name);
// Writes one line in one write(2), so that lines of threads do not mix. `key` may be NULL; values
// are quoted, cut at 256 bytes, and control characters in them become '?'.
void log_event(enum log_level level, const char *module, const char *event, const char *key,
               const char *value);
// The same with the code and the text of an error.
void log_error(enum log_level level, const char *module, const char *event, struct err err);
