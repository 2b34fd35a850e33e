// SPDX-License-Identifier: Apache-2.0
// The strict JSON reader. Its input is hostile: recursion ends at JSON_DEPTH_MAX, the number of
// values at the caller's array, and no input costs more than n log n steps (members are sorted to
// find duplicate keys). It trusts nothing but the two arrays it is given, allocates nothing and
// never makes a floating-point number.
#include "net/json.h"

#include "base/hex.h"
#include "base/must.h"

#include <string.h>

struct json_in {
    uint8_t *text;
    size_t n, at;
    struct json *nodes;
    size_t cap, used;
    unsigned depth;
};

static FALLIBLE json_read(struct json_in *in, struct json **out);
static int json_peek(struct json_in *in);

struct err json_parse(const struct json **root, struct json *nodes, size_t cap, uint8_t *text,
                      size_t n)
{
    struct json_in in = { .text = text, .n = n, .nodes = nodes, .cap = cap };
    struct json *value;

    TRY(json_read(&in, &value));
    ENSURE(json_peek(&in) < 0, ERR_MALFORMED, "JSON: expected nothing after the value");
    *root = value;
    return OK;
}

// The next byte that is no white space, or -1 at the end.
static int json_peek(struct json_in *in)
{
    while (in->at < in->n && memchr(" \t\n\r", in->text[in->at], 4))
        in->at++;
    return in->at < in->n ? in->text[in->at] : -1;
}

static bool json_take(struct json_in *in, char c)
{
    if (json_peek(in) != c)
        return false;
    in->at++;
    return true;
}

static bool json_is_digit(int c)
{
    return c >= '0' && c <= '9';
}

// The byte at the cursor, white space included, or -1 at the end.
static int json_here(const struct json_in *in)
{
    return in->at < in->n ? in->text[in->at] : -1;
}

static bool json_skip_digits(struct json_in *in)
{
    size_t from = in->at;

    while (json_is_digit(json_here(in)))
        in->at++;
    return in->at > from;
}

// RFC 8259 section 6; the text is kept.
static struct err json_read_number(struct json_in *in, struct json *number)
{
    size_t from = in->at;

    number->type = JSON_NUMBER;
    if (json_here(in) == '-')
        in->at++;
    if (json_here(in) == '0')
        in->at++;
    else
        ENSURE(json_skip_digits(in), ERR_MALFORMED, "JSON: expected a digit after the sign");
    if (json_here(in) == '.') {
        in->at++;
        ENSURE(json_skip_digits(in), ERR_MALFORMED, "JSON: expected a digit after the point");
    }
    if (json_here(in) == 'e' || json_here(in) == 'E') {
        in->at++;
        if (json_here(in) == '+' || json_here(in) == '-')
            in->at++;
        ENSURE(json_skip_digits(in), ERR_MALFORMED, "JSON: expected a digit in the exponent");
    }
    ENSURE(!json_is_digit(json_here(in)), ERR_MALFORMED, "JSON: number with a leading zero");
    number->text = bytes_of(in->text + from, in->at - from);
    return OK;
}

static struct err json_read_word(struct json_in *in, struct json *value)
{
    static const struct {
        const char *word;
        enum json_type type;
    } words[] = { { "null", JSON_NULL }, { "false", JSON_FALSE }, { "true", JSON_TRUE } };

    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        size_t n = strlen(words[i].word);

        if (in->n - in->at < n || memcmp(in->text + in->at, words[i].word, n) != 0)
            continue;
        in->at += n;
        value->type = words[i].type;
        return OK;
    }
    return FAIL(ERR_MALFORMED, "JSON: expected a value");
}

// Four hex digits: a UTF-16 code unit.
static struct err json_read_unit(struct json_in *in, uint32_t *unit)
{
    *unit = 0;
    ENSURE(in->n - in->at >= 4, ERR_MALFORMED, "JSON: expected four hex digits after \\u");
    for (size_t i = 0; i < 4; i++) {
        int digit = hex_digit(in->text[in->at++]);

        ENSURE(digit >= 0, ERR_MALFORMED, "JSON: expected four hex digits after \\u");
        *unit = *unit << 4 | (uint32_t)digit;
    }
    return OK;
}

// What follows \u: a code point, surrogates only in pairs (RFC 8259 section 8.2).
static struct err json_read_code_point(struct json_in *in, uint32_t *code)
{
    uint32_t low;

    TRY(json_read_unit(in, code));
    ENSURE(*code != 0, ERR_MALFORMED, "JSON: string holds NUL");
    if (*code < 0xd800 || *code > 0xdfff)
        return OK;
    ENSURE(*code < 0xdc00 && in->n - in->at >= 2 && in->text[in->at] == '\\' &&
               in->text[in->at + 1] == 'u',
           ERR_MALFORMED, "JSON: lone surrogate");
    in->at += 2;
    TRY(json_read_unit(in, &low));
    ENSURE(low >= 0xdc00 && low <= 0xdfff, ERR_MALFORMED, "JSON: lone surrogate");
    *code = 0x10000 + ((*code - 0xd800) << 10) + (low - 0xdc00);
    return OK;
}

// Never longer than the escape it came from, so it may be written over it.
static uint8_t *json_put_utf8(uint8_t *to, uint32_t code)
{
    static const uint8_t lead[4] = { 0, 0xc0, 0xe0, 0xf0 };
    unsigned more = code < 0x80 ? 0 : (code < 0x800 ? 1 : (code < 0x10000 ? 2 : 3));

    *to++ = (uint8_t)(lead[more] | code >> (6 * more));
    while (more-- > 0)
        *to++ = (uint8_t)(0x80 | (code >> (6 * more) & 0x3f));
    return to;
}

static struct err json_read_escape(struct json_in *in, uint8_t **to)
{
    static const char names[] = "\"\\/bfnrt";
    static const char values[] = "\"\\/\b\f\n\r\t";
    const char *name;
    uint32_t code;

    in->at++;
    ENSURE(in->at < in->n, ERR_MALFORMED, "JSON: string without an end");
    if (in->text[in->at] == 'u') {
        in->at++;
        TRY(json_read_code_point(in, &code));
        *to = json_put_utf8(*to, code);
        return OK;
    }
    name = memchr(names, in->text[in->at++], sizeof(names) - 1);
    ENSURE(name, ERR_MALFORMED, "JSON: unknown escape in a string");
    *(*to)++ = (uint8_t)values[name - names];
    return OK;
}

static struct err json_read_character(struct json_in *in, uint8_t **to)
{
    const uint8_t *from = in->text + in->at;
    size_t n;

    if (*from == '\\')
        return json_read_escape(in, to);
    ENSURE(*from >= 0x20, ERR_MALFORMED, "JSON: control character in a string");
    n = json_utf8_len(bytes_of(from, in->n - in->at));
    ENSURE(n > 0, ERR_MALFORMED, "JSON: string is not UTF-8");
    memmove(*to, from, n);
    *to += n;
    in->at += n;
    return OK;
}

// A string whose opening quote is the next byte.
static struct err json_read_string(struct json_in *in, struct bytes *out)
{
    uint8_t *start = in->text + in->at + 1;
    uint8_t *to = start;

    for (in->at++; json_here(in) != '"';) {
        ENSURE(in->at < in->n, ERR_MALFORMED, "JSON: string without an end");
        TRY(json_read_character(in, &to));
    }
    in->at++;
    *out = bytes_of(start, (size_t)(to - start));
    return OK;
}

static int json_by_key(const struct json *a, const struct json *b)
{
    return bytes_compare(a->key, b->key);
}

// Values are taken from the caller's array in the order in which they stand in the text.
static int json_by_place(const struct json *a, const struct json *b)
{
    return a < b ? -1 : 1;
}

static struct json *json_merge(struct json *a, struct json *b,
                               int (*order)(const struct json *, const struct json *))
{
    struct json *head = NULL;
    struct json **tail = &head;

    while (a && b) {
        struct json **least = order(a, b) <= 0 ? &a : &b;

        *tail = *least;
        tail = &(*least)->next;
        *least = *tail;
    }
    *tail = a ? a : b;
    return head;
}

// Merge sort over `next`, without memory: bin i holds 2^i sorted members or none.
static struct json *json_sort(struct json *list,
                              int (*order)(const struct json *, const struct json *))
{
    struct json *bin[64] = { NULL };
    struct json *all = NULL;

    while (list) {
        struct json *one = list;
        size_t i = 0;

        list = list->next;
        one->next = NULL;
        for (; bin[i]; i++) {
            one = json_merge(bin[i], one, order);
            bin[i] = NULL;
        }
        bin[i] = one;
    }
    for (size_t i = 0; i < ARRAY_LEN(bin); i++)
        all = json_merge(bin[i], all, order);
    return all;
}

// Comparing every pair would let 1 MiB of members cost minutes: sort by key, look at neighbours,
// and restore the order.
static struct err json_check_keys(struct json *object)
{
    bool duplicate = false;

    if (object->count < 2)
        return OK;
    object->child = json_sort(object->child, json_by_key);
    for (const struct json *at = object->child; at->next; at = at->next)
        duplicate = duplicate || bytes_equal(at->key, at->next->key);
    object->child = json_sort(object->child, json_by_place);
    ENSURE(!duplicate, ERR_MALFORMED, "JSON: the same key twice in an object");
    return OK;
}

static struct err json_read_member(struct json_in *in, struct json **out)
{
    struct bytes key;

    ENSURE(json_peek(in) == '"', ERR_MALFORMED, "JSON: expected a key in quotes");
    TRY(json_read_string(in, &key));
    ENSURE(json_take(in, ':'), ERR_MALFORMED, "JSON: expected a colon after the key");
    TRY(json_read(in, out));
    (*out)->key = key;
    return OK;
}

static struct err json_read_container(struct json_in *in, struct json *parent, enum json_type type)
{
    char end = type == JSON_OBJECT ? '}' : ']';
    struct json **tail = &parent->child;

    ENSURE(in->depth < JSON_DEPTH_MAX, ERR_MALFORMED, "JSON: more than 32 levels");
    in->depth++;
    in->at++;
    parent->type = type;
    while (!json_take(in, end)) {
        ENSURE(parent->count == 0 || json_take(in, ','), ERR_MALFORMED,
               "JSON: expected a comma or the end of the object or array");
        TRY(type == JSON_OBJECT ? json_read_member(in, tail) : json_read(in, tail));
        tail = &(*tail)->next;
        parent->count++;
    }
    in->depth--;
    return type == JSON_OBJECT ? json_check_keys(parent) : OK;
}

// One value. Recursion: at most JSON_DEPTH_MAX levels.
static struct err json_read(struct json_in *in, struct json **out)
{
    int first = json_peek(in);
    struct json *value;

    ENSURE(in->used < in->cap, ERR_TOO_LARGE, "JSON: more values than allowed");
    value = &in->nodes[in->used++];
    *value = (struct json) { .type = JSON_NULL };
    *out = value;
    if (first == '{' || first == '[')
        return json_read_container(in, value, first == '{' ? JSON_OBJECT : JSON_ARRAY);
    if (first == '"') {
        value->type = JSON_STRING;
        return json_read_string(in, &value->text);
    }
    if (first == '-' || json_is_digit(first))
        return json_read_number(in, value);
    return json_read_word(in, value);
}

const struct json *json_get(const struct json *object, const char *key)
{
    if (!object || object->type != JSON_OBJECT)
        return NULL;
    for (const struct json *at = object->child; at; at = at->next)
        if (bytes_equal_str(at->key, key))
            return at;
    return NULL;
}

static bool json_is_known(struct bytes key, const char *const *known)
{
    for (; *known; known++)
        if (bytes_equal_str(key, *known))
            return true;
    return false;
}

const struct json *json_unknown(const struct json *object, const char *const *known)
{
    if (!object || object->type != JSON_OBJECT)
        return NULL;
    for (const struct json *at = object->child; at; at = at->next)
        if (!json_is_known(at->key, known))
            return at;
    return NULL;
}

struct bytes json_string(const struct json *value)
{
    return value && value->type == JSON_STRING ? value->text : BYTES_NONE;
}

bool json_is_true(const struct json *value)
{
    return value && value->type == JSON_TRUE;
}

struct err json_u256(struct u256 *out, const struct json *value)
{
    ENSURE(value && (value->type == JSON_NUMBER || value->type == JSON_STRING), ERR_MALFORMED,
           "number: expected an integer or a string of digits");
    if (value->type == JSON_NUMBER)
        return u256_parse_decimal(out, value->text);
    return u256_parse(out, value->text);
}

struct err json_u64(uint64_t *out, const struct json *value)
{
    struct u256 wide;

    TRY(json_u256(&wide, value));
    return u256_to_u64(out, wide);
}

// RFC 3629 section 4: no overlong forms, no surrogates, nothing above U+10FFFF.
size_t json_utf8_len(struct bytes text)
{
    uint8_t first = text.n ? text.p[0] : 0xff;
    size_t n = first < 0x80 ? 1 : (first < 0xe0 ? 2 : (first < 0xf0 ? 3 : 4));
    uint8_t least = first == 0xe0 ? 0xa0 : (first == 0xf0 ? 0x90 : 0x80);
    uint8_t most = first == 0xed ? 0x9f : (first == 0xf4 ? 0x8f : 0xbf);

    if (n == 1)
        return 1;
    if (first < 0xc2 || first > 0xf4 || text.n < n || text.p[1] < least || text.p[1] > most)
        return 0;
    for (size_t i = 2; i < n; i++)
        if ((text.p[i] & 0xc0) != 0x80)
            return 0;
    return n;
}
