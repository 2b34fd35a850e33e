// SPDX-License-Identifier: Apache-2.0
// Strict JSON (RFC 8259): UTF-8 checked, duplicate keys, depth over 32, trailing bytes, lone
// surrogates and NUL in strings refused. Numbers stay text, so that amounts of 256 bits survive and
// no float is ever made. Parses in place: strings are unescaped inside the caller's buffer, nodes
// come from the caller's array. No allocation.
#pragma once

#include "base/u256.h"
#include "base/wr.h"

#define JSON_DEPTH_MAX 32

enum json_type {
    JSON_NULL,
    JSON_FALSE,
    JSON_TRUE,
    JSON_NUMBER,
    JSON_STRING,
    JSON_ARRAY,
    JSON_OBJECT
};

struct json {
    enum json_type type;
    struct bytes key;   // of a member of an object; unescaped
    struct bytes text;  // JSON_STRING: unescaped; JSON_NUMBER: as written
    struct json *next;  // the next member or element of the same parent
    struct json *child; // the first member or element
    unsigned count;     // members or elements
};

// Parses the n bytes at `text` (which are changed) into nodes[cap]; *root is the value.
// ERR_MALFORMED says what is wrong; ERR_TOO_LARGE when there are more than `cap` values.
FALLIBLE json_parse(const struct json **root, struct json *nodes, size_t cap, uint8_t *text,
                    size_t n);
// The member of an object, or NULL (also when `object` is NULL or no object).
const struct json *json_get(const struct json *object, const char *key);
// The first member whose key is not in `known` (a NULL-terminated list), or NULL.
const struct json *json_unknown(const struct json *object, const char *const *known);
// The text of a string, or BYTES_NONE with p == NULL when it is absent or no string.
struct bytes json_string(const struct json *value);
bool json_is_true(const struct json *value);
// An integer given as JSON number without sign, fraction or exponent, or as a string in decimal or
// 0x hex. ERR_MALFORMED otherwise.
FALLIBLE json_u256(struct u256 *out, const struct json *value);
FALLIBLE json_u64(uint64_t *out, const struct json *value);
// The length of the UTF-8 sequence (RFC 3629) that `text` starts with, 1 to 4; 0 when there is
// none.
size_t json_utf8_len(struct bytes text);

// Writing (jw.c). Commas are placed by the writer; more than 32 levels mark `wr` bad.
struct jw {
    struct wr *wr;
    unsigned depth;
    uint64_t comma; // bit d: a value was written at depth d
};

struct jw jw_of(struct wr *wr);
void jw_object(struct jw *jw);
void jw_object_end(struct jw *jw);
void jw_array(struct jw *jw);
void jw_array_end(struct jw *jw);
// Returns `jw`, to write the value in the same line: jw_u64(jw_key(jw, "serial"), serial).
struct jw *jw_key(struct jw *jw, const char *key);
void jw_string(struct jw *jw, struct bytes text); // escaped; invalid UTF-8 and NUL: U+FFFD
void jw_cstring(struct jw *jw, const char *text);
void jw_hex(struct jw *jw, struct bytes b);    // "0x..."
void jw_digits(struct jw *jw, struct bytes b); // hex digits without 0x
void jw_base64(struct jw *jw, struct bytes b);
void jw_u64(struct jw *jw, uint64_t value);
void jw_decimal(struct jw *jw, struct u256 value);  // a string of decimal digits
void jw_quantity(struct jw *jw, struct u256 value); // "0x..." minimal, as JSON-RPC
void jw_bool(struct jw *jw, bool value);
void jw_null(struct jw *jw);
void jw_value(struct jw *jw, const struct json *value); // a parsed value again
