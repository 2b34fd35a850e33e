// SPDX-License-Identifier: Apache-2.0
// Answers on standard output. Text of the service is hostile to terminals, too: control characters
// (C0, DEL, C1) become question marks, so that no name can move the cursor and overwrite the word
// UNVERIFIED. In JSON they are escaped.
#include "cli/out.h"

#include "base/ct.h"
#include "base/hex.h"
#include "cli/ether.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define KEY_WIDTH 22
#define FLUSH_AT  (OUT_BYTES_MAX / 4) // before each row

void out_start(struct out *out, bool is_json)
{
    out->is_json = is_json;
    out->wr = wr_of(out->buf, sizeof(out->buf));
    out->jw = jw_of(&out->wr);
    out->columns = 0;
    if (is_json)
        jw_object(&out->jw);
}

static FALLIBLE flush(struct out *out)
{
    TRY(wr_end(&out->wr));
    ENSURE(fwrite(out->buf, 1, out->wr.len, stdout) == out->wr.len && fflush(stdout) == 0, ERR_IO,
           "standard output does not take more");
    ct_wipe(out->buf, out->wr.len); // a new token may have been in it
    out->wr.len = 0;
    return OK;
}

struct err out_end(struct out *out)
{
    if (out->is_json) {
        jw_object_end(&out->jw);
        wr_u8(&out->wr, '\n');
    }
    return flush(out);
}

// One character of text; `next` is the one after it. Sets *skip when both are replaced together.
static uint8_t clean(uint8_t c, uint8_t next, bool *skip)
{
    *skip = c == 0xc2 && next >= 0x80 && next < 0xa0;
    return *skip || c < 0x20 || c == 0x7f ? '?' : c;
}

static void put_clean(struct wr *wr, struct bytes text)
{
    for (size_t i = 0; i < text.n; i++) {
        bool skip;

        wr_u8(wr, clean(text.p[i], i + 1 < text.n ? text.p[i + 1] : 0, &skip));
        i += skip;
    }
}

static void pad(struct wr *wr, size_t from, int width)
{
    size_t written = wr->len - from;

    do
        wr_u8(wr, ' ');
    while (++written < (size_t)width && !wr->bad);
}

static void put_key(struct out *out, const char *key)
{
    size_t from = out->wr.len;

    if (out->is_json) {
        jw_key(&out->jw, key);
        return;
    }
    wr_str(&out->wr, key);
    pad(&out->wr, from, KEY_WIDTH);
}

static void end_line(struct out *out)
{
    if (!out->is_json)
        wr_u8(&out->wr, '\n');
}

void out_text(struct out *out, const char *key, struct bytes value)
{
    put_key(out, key);
    if (out->is_json)
        jw_string(&out->jw, value);
    else
        put_clean(&out->wr, value);
    end_line(out);
}

void out_str(struct out *out, const char *key, const char *value)
{
    out_text(out, key, bytes_str(value));
}

void out_hex(struct out *out, const char *key, struct bytes value)
{
    put_key(out, key);
    if (out->is_json)
        jw_hex(&out->jw, value);
    else
        hex_write_0x(&out->wr, value);
    end_line(out);
}

void out_digits(struct out *out, const char *key, struct bytes value)
{
    put_key(out, key);
    if (out->is_json)
        jw_digits(&out->jw, value);
    for (size_t i = 0; !out->is_json && i < value.n; i++) {
        char digits[3];

        hex_encode(digits, bytes_of(value.p + i, 1));
        wr_str(&out->wr, digits);
    }
    end_line(out);
}

void out_u64(struct out *out, const char *key, uint64_t value)
{
    put_key(out, key);
    if (out->is_json)
        jw_u64(&out->jw, value);
    else
        u256_write_decimal(&out->wr, u256_of(value));
    end_line(out);
}

void out_bool(struct out *out, const char *key, bool value)
{
    put_key(out, key);
    if (out->is_json)
        jw_bool(&out->jw, value);
    else
        wr_str(&out->wr, value ? "yes" : "no");
    end_line(out);
}

void out_block(struct out *out, const char *key, struct bytes lines)
{
    if (out->is_json)
        jw_string(jw_key(&out->jw, key), lines);
    else
        wr_bytes(&out->wr, lines);
}

void out_wei(struct out *out, const char *key, struct u256 wei)
{
    put_key(out, key);
    if (out->is_json) {
        jw_decimal(&out->jw, wei);
        return;
    }
    u256_write_decimal(&out->wr, wei);
    wr_str(&out->wr, " wei (");
    ether_write(&out->wr, wei);
    wr_str(&out->wr, " ether)");
    end_line(out);
}

void out_time(struct out *out, const char *key, uint64_t unix_ms)
{
    time_t seconds = (time_t)(unix_ms / 1000);
    struct tm tm = { 0 };
    char text[64];

    if (unix_ms / 1000 > 253402300799 || !gmtime_r(&seconds, &tm) ||
        strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        out_str(out, key, "not a time");
    else
        out_str(out, key, text);
}

// A scalar for people.
static void put_scalar(struct wr *wr, const struct json *value)
{
    static const char *const words[] = { "none", "no", "yes" };

    if (value->type <= JSON_TRUE)
        wr_str(wr, words[value->type]);
    else
        put_clean(wr, value->text);
}

static void put_lines(struct out *out, const char *key, const struct json *value)
{
    size_t index = 0;

    if (value->type < JSON_ARRAY) {
        put_key(out, key);
        put_scalar(&out->wr, value);
        end_line(out);
        return;
    }
    for (const struct json *child = value->child; child; child = child->next) {
        char name[256];
        struct wr wr = wr_of(name, sizeof(name) - 1);

        put_clean(&wr, bytes_str(key));
        if (wr.len > 0)
            wr_str(&wr, ".");
        if (value->type == JSON_OBJECT)
            put_clean(&wr, child->key);
        else
            u256_write_decimal(&wr, u256_of(index++));
        name[wr.len] = 0;
        put_lines(out, name, child);
    }
}

void out_value(struct out *out, const char *key, const struct json *value)
{
    if (!value)
        return;
    if (!out->is_json) {
        put_lines(out, key, value);
        return;
    }
    jw_key(&out->jw, key);
    jw_value(&out->jw, value);
}

void out_table(struct out *out, const char *key, const struct out_column *column, size_t columns)
{
    out->column = column;
    out->columns = columns;
    if (out->is_json) {
        jw_key(&out->jw, key);
        jw_array(&out->jw);
        return;
    }
    for (size_t i = 0; i < columns; i++) {
        size_t from = out->wr.len;

        for (const char *c = column[i].key; *c; c++)
            wr_u8(&out->wr, (uint8_t)(*c >= 'a' && *c <= 'z' ? *c - 'a' + 'A' : *c));
        if (i + 1 < columns)
            pad(&out->wr, from, column[i].width);
    }
    end_line(out);
}

void out_row(struct out *out, const struct bytes *cells)
{
    if (out->wr.len > FLUSH_AT && flush(out).code)
        wr_refuse(&out->wr);
    if (out->is_json)
        jw_object(&out->jw);
    for (size_t i = 0; i < out->columns; i++) {
        size_t from = out->wr.len;

        if (out->is_json) {
            jw_key(&out->jw, out->column[i].key);
            jw_string(&out->jw, cells[i]);
            continue;
        }
        put_clean(&out->wr, cells[i]);
        if (i + 1 < out->columns)
            pad(&out->wr, from, out->column[i].width);
    }
    if (out->is_json)
        jw_object_end(&out->jw);
    end_line(out);
}

void out_table_end(struct out *out)
{
    if (out->is_json)
        jw_array_end(&out->jw);
    out->columns = 0;
}

void out_say(const char *before, struct bytes text)
{
    uint8_t line[1024];
    struct wr wr = WR_OF(line);

    wr_str(&wr, before);
    put_clean(&wr, bytes_take(text, sizeof(line) / 2));
    wr_u8(&wr, '\n');
    (void)fwrite(line, 1, wr.len, stderr);
}
