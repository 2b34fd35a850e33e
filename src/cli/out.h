// SPDX-License-Identifier: Apache-2.0
// What a command answers: one JSON object with --json, else lines and tables for people, both on
// standard output. Words (errors, hints, warnings) go to standard error with out_say. Everything
// that came from the service is cleaned of control characters before a terminal sees it.
// Who may include it: cli.
#pragma once

#include "net/json.h"

#define OUT_BYTES_MAX (1U << 20)
#define OUT_COLUMNS   6

struct out_column {
    const char *key; // of JSON; the table's heading in capitals
    int width;       // characters; longer cells push the line
};

struct out {
    bool is_json;
    struct jw jw;
    struct wr wr;
    const struct out_column *column; // of the table that is being written
    size_t columns;
    uint8_t buf[OUT_BYTES_MAX];
};

void out_start(struct out *out, bool is_json);
// Ends the object and writes what is left. ERR_IO when standard output does not take it.
FALLIBLE out_end(struct out *out);
void out_text(struct out *out, const char *key, struct bytes value);
void out_str(struct out *out, const char *key, const char *value);
void out_hex(struct out *out, const char *key, struct bytes value);    // 0x...
void out_digits(struct out *out, const char *key, struct bytes value); // without 0x
void out_u64(struct out *out, const char *key, uint64_t value);
void out_bool(struct out *out, const char *key, bool value);
// Lines that this program made, as they are; in JSON a string.
void out_block(struct out *out, const char *key, struct bytes lines);
// Decimal wei; for people the amount in ether as well.
void out_wei(struct out *out, const char *key, struct u256 wei);
// Milliseconds since 1970 as RFC 3339 in UTC.
void out_time(struct out *out, const char *key, uint64_t unix_ms);
// A parsed value as it is; objects for people as lines with dotted keys.
void out_value(struct out *out, const char *key, const struct json *value);
// A table: the columns, then one out_row for each, then out_table_end.
void out_table(struct out *out, const char *key, const struct out_column *column, size_t columns);
void out_row(struct out *out, const struct bytes *cells);
void out_table_end(struct out *out);
// One line for people on standard error.
void out_say(const char *before, struct bytes text);
