// SPDX-License-Identifier: Apache-2.0
// Log lines are built in a fixed array and written at once. Values may come from outside (error
// texts of the node, of the enclave), so that they are quoted and cleaned: one event stays one
// line.
#include "parent/log.h"

#include "base/must.h"
#include "base/wr.h"
#include "parent/stamp.h"

#include <string.h>
#include <unistd.h>

#define LOG_VALUE_MAX 256

static enum log_level log_least = LOG_INFO;
static const char *const log_names[] = { "debug", "info", "warn", "error" };

static void log_value(struct wr *wr, const char *value);

void log_set_level(enum log_level level)
{
    log_least = level;
}

struct err log_parse_level(enum log_level *out, const char *name)
{
    for (size_t i = 0; i < ARRAY_LEN(log_names); i++) {
        if (strcmp(log_names[i], name) == 0) {
            *out = (enum log_level)i;
            return OK;
        }
    }
    return FAIL(ERR_MALFORMED, "expected debug, info, warn or error");
}

void log_event(enum log_level level, const char *module, const char *event, const char *key,
               const char *value)
{
    uint8_t line[512];
    struct wr wr = WR_OF(line);
    char now[STAMP_TEXT];
    ssize_t done;

    if (level < log_least)
        return;
    stamp_text(now, stamp_now_ms());
    wr_str(&wr, now);
    wr_str(&wr, " ");
    wr_str(&wr, log_names[level]);
    wr_str(&wr, " ");
    wr_str(&wr, module);
    wr_str(&wr, " ");
    wr_str(&wr, event);
    if (key) {
        wr_str(&wr, " ");
        wr_str(&wr, key);
        wr_str(&wr, "=");
        log_value(&wr, value);
    }
    wr_str(&wr, "\n");
    // A log that cannot be written is no reason to stop serving.
    done = write(STDERR_FILENO, line, wr.len);
    (void)done;
}

static void log_value(struct wr *wr, const char *value)
{
    size_t n = strnlen(value, LOG_VALUE_MAX);

    wr_u8(wr, '"');
    for (size_t i = 0; i < n; i++) {
        uint8_t c = (uint8_t)value[i];

        wr_u8(wr, c < 0x20 || c == 0x7f || c == '"' || c == '\\' ? '?' : c);
    }
    wr_u8(wr, '"');
}

void log_error(enum log_level level, const char *module, const char *event, struct err err)
{
    char text[LOG_VALUE_MAX];
    struct wr wr = wr_of(text, sizeof(text) - 1);

    wr_str(&wr, err_name(err.code));
    wr_str(&wr, ": ");
    wr_str(&wr, err_text(err));
    text[wr.len] = 0;
    log_event(level, module, event, "error", text);
}
