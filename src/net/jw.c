// SPDX-License-Identifier: Apache-2.0
// The JSON writer of net/json.h: valid JSON whatever the strings hold, into the caller's buffer.
// It places the commas; that every jw_object has its jw_object_end is the caller's duty.
#include "net/json.h"

#include "base/base64.h"
#include "base/hex.h"

struct jw jw_of(struct wr *wr)
{
    return (struct jw) { .wr = wr };
}

// Before every value: the comma after the one before it.
static void jw_separate(struct jw *jw)
{
    uint64_t here = (uint64_t)1 << jw->depth;

    if (jw->comma & here)
        wr_u8(jw->wr, ',');
    jw->comma |= here;
}

static void jw_open(struct jw *jw, uint8_t bracket)
{
    jw_separate(jw);
    wr_u8(jw->wr, bracket);
    if (jw->depth == JSON_DEPTH_MAX) {
        wr_refuse(jw->wr);
        return;
    }
    jw->depth++;
    jw->comma &= ~((uint64_t)1 << jw->depth);
}

static void jw_close(struct jw *jw, uint8_t bracket)
{
    wr_u8(jw->wr, bracket);
    if (jw->depth == 0)
        wr_refuse(jw->wr);
    else
        jw->depth--;
}

void jw_object(struct jw *jw)
{
    jw_open(jw, '{');
}

void jw_object_end(struct jw *jw)
{
    jw_close(jw, '}');
}

void jw_array(struct jw *jw)
{
    jw_open(jw, '[');
}

void jw_array_end(struct jw *jw)
{
    jw_close(jw, ']');
}

static void jw_escape(struct wr *wr, uint8_t c)
{
    wr_str(wr, "\\u00");
    wr_u8(wr, (uint8_t) "0123456789abcdef"[c >> 4]);
    wr_u8(wr, (uint8_t) "0123456789abcdef"[c & 15]);
}

// The first character of `text`; returns how many bytes it took.
static size_t jw_character(struct wr *wr, struct bytes text)
{
    size_t n = json_utf8_len(text);
    uint8_t c = text.p[0];

    // NUL goes the same way: json_parse refuses it, and so do many readers.
    if (n == 0 || c == 0) {
        wr_str(wr, "\xef\xbf\xbd"); // U+FFFD
        return 1;
    }
    if (c < 0x20) {
        jw_escape(wr, c);
        return 1;
    }
    if (c == '"' || c == '\\')
        wr_u8(wr, '\\');
    wr_bytes(wr, bytes_take(text, n));
    return n;
}

static void jw_quoted(struct jw *jw, struct bytes text)
{
    wr_u8(jw->wr, '"');
    while (text.n > 0)
        text = bytes_skip(text, jw_character(jw->wr, text));
    wr_u8(jw->wr, '"');
}

static void jw_key_bytes(struct jw *jw, struct bytes key)
{
    jw_separate(jw);
    jw_quoted(jw, key);
    wr_u8(jw->wr, ':');
    jw->comma &= ~((uint64_t)1 << jw->depth); // none between the colon and the value
}

struct jw *jw_key(struct jw *jw, const char *key)
{
    jw_key_bytes(jw, bytes_str(key));
    return jw;
}

void jw_string(struct jw *jw, struct bytes text)
{
    jw_separate(jw);
    jw_quoted(jw, text);
}

void jw_cstring(struct jw *jw, const char *text)
{
    jw_string(jw, bytes_str(text));
}

// A string that needs no escapes, written by `write`.
#define QUOTED(jw, write)     \
    do {                      \
        jw_separate(jw);      \
        wr_u8((jw)->wr, '"'); \
        write;                \
        wr_u8((jw)->wr, '"'); \
    } while (0)

void jw_hex(struct jw *jw, struct bytes b)
{
    QUOTED(jw, hex_write_0x(jw->wr, b));
}

static void jw_plain_digits(struct wr *wr, struct bytes b)
{
    for (size_t i = 0; i < b.n; i++) {
        char two[3];

        hex_encode(two, bytes_of(b.p + i, 1));
        wr_str(wr, two);
    }
}

void jw_digits(struct jw *jw, struct bytes b)
{
    QUOTED(jw, jw_plain_digits(jw->wr, b));
}

void jw_base64(struct jw *jw, struct bytes b)
{
    QUOTED(jw, base64_write(jw->wr, b));
}

void jw_u64(struct jw *jw, uint64_t value)
{
    jw_separate(jw);
    u256_write_decimal(jw->wr, u256_of(value));
}

void jw_decimal(struct jw *jw, struct u256 value)
{
    QUOTED(jw, u256_write_decimal(jw->wr, value));
}

void jw_quantity(struct jw *jw, struct u256 value)
{
    QUOTED(jw, u256_write_hex(jw->wr, value));
}

static void jw_plain(struct jw *jw, struct bytes text)
{
    jw_separate(jw);
    wr_bytes(jw->wr, text);
}

void jw_bool(struct jw *jw, bool value)
{
    jw_plain(jw, bytes_str(value ? "true" : "false"));
}

void jw_null(struct jw *jw)
{
    jw_plain(jw, BYTES_LIT("null"));
}

// Recursion: a parsed value has at most JSON_DEPTH_MAX levels.
static void jw_container(struct jw *jw, const struct json *value)
{
    bool is_object = value->type == JSON_OBJECT;

    jw_open(jw, is_object ? '{' : '[');
    for (const struct json *at = value->child; at; at = at->next) {
        if (is_object)
            jw_key_bytes(jw, at->key);
        jw_value(jw, at);
    }
    jw_close(jw, is_object ? '}' : ']');
}

void jw_value(struct jw *jw, const struct json *value)
{
    if (value->type == JSON_OBJECT || value->type == JSON_ARRAY)
        jw_container(jw, value);
    else if (value->type == JSON_STRING)
        jw_string(jw, value->text);
    else if (value->type == JSON_NUMBER)
        jw_plain(jw, value->text);
    else if (value->type == JSON_NULL)
        jw_null(jw);
    else
        jw_bool(jw, value->type == JSON_TRUE);
}
