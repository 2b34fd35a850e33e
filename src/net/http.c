// SPDX-License-Identifier: Apache-2.0
// The HTTP/1.1 codec (RFC 9110, RFC 9112). Where the RFCs let a recipient be lenient this one
// refuses, since lenience that differs between two programs is how requests are smuggled: bare LF,
// folded lines, blanks before a colon, two framings, chunk extensions. It knows no socket, keeps no
// state between calls and changes the caller's bytes only in http_dechunk.
#include "net/http.h"

#include "base/hex.h"
#include "base/must.h"
#include "base/u256.h"

#include <string.h>

#define METHOD_MAX     32   // bytes
#define CHUNKS_MAX     8192 // http_dechunk looks at all of them again
#define CHUNK_LINE_MAX 10   // eight hex digits, CR, LF

static uint8_t http_lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c | 0x20) : c;
}

static bool http_equal_name(struct bytes a, const char *name)
{
    struct bytes b = bytes_str(name);
    size_t i = 0;

    while (i < a.n && i < b.n && http_lower(a.p[i]) == http_lower(b.p[i]))
        i++;
    return i == a.n && i == b.n;
}

// RFC 9110 5.6.2.
static bool http_is_token(struct bytes text)
{
    for (size_t i = 0; i < text.n; i++) {
        uint8_t c = http_lower(text.p[i]);
        bool is_alnum = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');

        if (!is_alnum && !memchr("!#$%&'*+-.^_`|~", c, 15))
            return false;
    }
    return text.n > 0;
}

// RFC 9110 5.5: no control character but the tab.
static bool http_is_value(struct bytes text)
{
    for (size_t i = 0; i < text.n; i++)
        if ((text.p[i] < 0x20 && text.p[i] != '\t') || text.p[i] == 0x7f)
            return false;
    return true;
}

bool http_is_visible(struct bytes text, const char *except)
{
    for (size_t i = 0; i < text.n; i++)
        if (text.p[i] <= 0x20 || text.p[i] >= 0x7f || strchr(except, text.p[i]))
            return false;
    return text.n > 0;
}

// An origin-form target (RFC 9112 3.2.1): visible ASCII from '/' on, no fragment.
static bool http_is_target(struct bytes text)
{
    return http_is_visible(text, "#") && text.p[0] == '/';
}

// host or host:port; whatever a confused peer could read as a path or as user information is out.
static bool http_is_host(struct bytes text)
{
    return http_is_visible(text, "/?#@\\,\"<>");
}

static struct bytes http_trim(struct bytes text)
{
    while (text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t'))
        text = bytes_skip(text, 1);
    while (text.n > 0 && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\t'))
        text.n--;
    return text;
}

// The text before the first `separator`; *rest is what comes after it. All of it, and nothing,
// when there is none.
static struct bytes http_cut(struct bytes *rest, struct bytes text, uint8_t separator)
{
    const uint8_t *at = text.n ? memchr(text.p, separator, text.n) : NULL;
    size_t n = at ? (size_t)(at - text.p) : text.n;

    *rest = bytes_skip(text, n + 1);
    return bytes_take(text, n);
}

// The length of the head in `in` with its empty line; 0 while that is missing. A line that ends in
// a bare LF is refused at once, so that a sloppy peer gets an answer and no timeout.
static struct err http_find_end(size_t *head_len, struct bytes in)
{
    struct bytes rest = bytes_take(in, HTTP_HEAD_MAX);
    size_t line_from = 0;
    const uint8_t *lf;

    *head_len = 0;
    while (rest.n > line_from && (lf = memchr(rest.p + line_from, '\n', rest.n - line_from))) {
        size_t at = (size_t)(lf - rest.p);

        ENSURE(at > line_from && rest.p[at - 1] == '\r', ERR_MALFORMED, "HTTP: bare LF");
        if (at == line_from + 1) {
            *head_len = at + 1;
            return OK;
        }
        line_from = at + 1;
    }
    ENSURE(in.n < HTTP_HEAD_MAX, ERR_TOO_LARGE, "HTTP: head exceeds 16 KiB");
    return OK;
}

// The next line of a complete head, without CR LF.
static struct bytes http_line(struct bytes *rest)
{
    struct bytes line = http_cut(rest, *rest, '\n');

    return bytes_take(line, line.n - 1);
}

static struct err http_parse_version(unsigned *minor, struct bytes text)
{
    ENSURE(text.n == 8 && memcmp(text.p, "HTTP/", 5) == 0, ERR_MALFORMED,
           "HTTP: expected HTTP/1.1 or HTTP/1.0");
    ENSURE(memcmp(text.p, "HTTP/1.", 7) == 0 && (text.p[7] == '0' || text.p[7] == '1'),
           ERR_UNSUPPORTED, "HTTP: expected HTTP/1.1 or HTTP/1.0");
    *minor = text.p[7] - '0';
    return OK;
}

static struct err http_parse_request_line(struct http_head *out, struct bytes line)
{
    struct bytes rest;

    out->method = http_cut(&rest, line, ' ');
    out->target = http_cut(&rest, rest, ' ');
    ENSURE(http_is_token(out->method) && out->method.n <= METHOD_MAX, ERR_MALFORMED,
           "HTTP: method is no token");
    ENSURE(http_is_target(out->target), ERR_MALFORMED, "HTTP: target must be a path from / on");
    return http_parse_version(&out->minor, rest);
}

static struct err http_parse_status_line(struct http_head *out, struct bytes line)
{
    struct bytes rest, code;

    TRY(http_parse_version(&out->minor, http_cut(&rest, line, ' ')));
    code = http_cut(&rest, rest, ' ');
    ENSURE(code.n == 3 && code.p[0] >= '1' && code.p[0] <= '5', ERR_MALFORMED,
           "HTTP: status must be 100 to 599");
    for (size_t i = 0; i < 3; i++) {
        ENSURE(code.p[i] >= '0' && code.p[i] <= '9', ERR_MALFORMED,
               "HTTP: status must be 100 to 599");
        out->status = out->status * 10 + (code.p[i] - '0');
    }
    ENSURE(http_is_value(rest), ERR_MALFORMED, "HTTP: control character in the reason");
    return OK;
}

static bool http_is_framing(struct bytes name)
{
    return http_equal_name(name, "Content-Length") || http_equal_name(name, "Transfer-Encoding");
}

// Tabs around a framing field's value are blanks (RFC 9110 5.6.3) that not every program takes off.
static struct err http_parse_field(struct http_field *field, struct bytes line)
{
    struct bytes rest;

    ENSURE(line.n > 0 && memchr(line.p, ':', line.n), ERR_MALFORMED, "HTTP: field without a colon");
    field->name = http_cut(&rest, line, ':');
    field->value = http_trim(rest);
    ENSURE(http_is_token(field->name), ERR_MALFORMED, "HTTP: field name is no token");
    ENSURE(http_is_value(field->value), ERR_MALFORMED, "HTTP: control character in a field");
    ENSURE(!http_is_framing(field->name) || !memchr(line.p, '\t', line.n), ERR_MALFORMED,
           "HTTP: tab in a field that frames the message");
    return OK;
}

static struct err http_parse_fields(struct http_head *out, struct bytes rest)
{
    for (struct bytes line = http_line(&rest); line.n > 0; line = http_line(&rest)) {
        ENSURE(out->fields < HTTP_FIELDS_MAX, ERR_TOO_LARGE, "HTTP: more than 64 fields");
        TRY(http_parse_field(&out->field[out->fields], line));
        out->fields++;
    }
    return OK;
}

static unsigned http_count(const struct http_head *head, const char *name)
{
    unsigned count = 0;

    for (size_t i = 0; i < head->fields; i++)
        count += http_equal_name(head->field[i].name, name);
    return count;
}

static struct err http_parse_length(struct http_head *head)
{
    struct bytes text = http_field_get(head, "Content-Length");

    if (!text.p)
        return OK;
    ENSURE(http_count(head, "Content-Length") == 1, ERR_MALFORMED, "HTTP: two Content-Length");
    ENSURE(text.n > 0 && text.n <= 18, ERR_MALFORMED, "HTTP: Content-Length is no number");
    for (size_t i = 0; i < text.n; i++) {
        ENSURE(text.p[i] >= '0' && text.p[i] <= '9', ERR_MALFORMED,
               "HTTP: Content-Length is no number");
        head->content_length = head->content_length * 10 + (uint64_t)(text.p[i] - '0');
    }
    head->has_length = true;
    return OK;
}

// RFC 9112 6.1 and 6.3: one framing, or two programs see two different bodies.
static struct err http_parse_framing(struct http_head *head)
{
    struct bytes coding = http_field_get(head, "Transfer-Encoding");

    TRY(http_parse_length(head));
    if (!coding.p)
        return OK;
    ENSURE(http_count(head, "Transfer-Encoding") == 1, ERR_MALFORMED,
           "HTTP: two Transfer-Encoding");
    ENSURE(!head->has_length, ERR_MALFORMED, "HTTP: Content-Length and Transfer-Encoding");
    ENSURE(head->minor == 1, ERR_MALFORMED, "HTTP: Transfer-Encoding in HTTP/1.0");
    ENSURE(http_equal_name(coding, "chunked"), ERR_UNSUPPORTED,
           "HTTP: Transfer-Encoding must be chunked");
    head->chunked = true;
    return OK;
}

static void http_parse_connection(struct http_head *head)
{
    bool keep = head->minor == 1;
    bool close = false;

    for (size_t i = 0; i < head->fields; i++) {
        struct bytes rest = head->field[i].value;

        if (!http_equal_name(head->field[i].name, "Connection"))
            continue;
        while (rest.n > 0) {
            struct bytes option = http_trim(http_cut(&rest, rest, ','));

            keep = keep || http_equal_name(option, "keep-alive");
            close = close || http_equal_name(option, "close");
        }
    }
    head->keep_alive = keep && !close;
}

// What only requests have: Host (RFC 9112 3.2) and Expect (RFC 9110 10.1.1).
static struct err http_parse_request_fields(struct http_head *head)
{
    struct bytes host = http_field_get(head, "Host");
    struct bytes expect = http_field_get(head, "Expect");

    ENSURE(http_count(head, "Host") <= 1, ERR_MALFORMED, "HTTP: two Host");
    ENSURE(host.p || head->minor == 0, ERR_MALFORMED, "HTTP: Host is missing");
    ENSURE(!host.p || http_is_host(host), ERR_MALFORMED, "HTTP: Host is no host");
    ENSURE(!expect.p || http_equal_name(expect, "100-continue"), ERR_UNSUPPORTED,
           "HTTP: Expect must be 100-continue");
    head->expect_continue = expect.p && head->minor == 1;
    return OK;
}

static struct err http_parse(struct http_head *out, size_t *head_len, struct bytes in)
{
    struct bytes rest, line;

    TRY(http_find_end(head_len, in));
    if (*head_len == 0)
        return OK;
    rest = bytes_take(in, *head_len);
    line = http_line(&rest);
    TRY(out->is_response ? http_parse_status_line(out, line) : http_parse_request_line(out, line));
    TRY(http_parse_fields(out, rest));
    TRY(http_parse_framing(out));
    http_parse_connection(out);
    return OK;
}

// What to answer when a request is refused with `code`; `part` is the status for a part that is
// well formed and not supported.
static unsigned http_refusal(enum err_code code, unsigned part)
{
    if (code == ERR_UNSUPPORTED)
        return part;
    return code == ERR_TOO_LARGE ? 431 : 400;
}

struct err http_parse_request(struct http_head *out, size_t *head_len, struct bytes in)
{
    struct err err;

    *out = (struct http_head) { .is_response = false };
    err = http_parse(out, head_len, in);
    if (err.code)
        out->status = http_refusal(err.code, out->fields == 0 ? 505 : 501);
    else if (*head_len > 0)
        err = http_parse_request_fields(out);
    if (err.code && out->status == 0)
        out->status = http_refusal(err.code, 417);
    return err;
}

struct err http_parse_response(struct http_head *out, size_t *head_len, struct bytes in)
{
    *out = (struct http_head) { .is_response = true };
    return http_parse(out, head_len, in);
}

struct bytes http_field_get(const struct http_head *head, const char *name)
{
    for (size_t i = 0; i < head->fields; i++)
        if (http_equal_name(head->field[i].name, name))
            return bytes_of(head->field[i].value.p ? (const void *)head->field[i].value.p : "",
                            head->field[i].value.n);
    return BYTES_NONE;
}

// The size line of a chunk: 1 to 8 hex digits and CR LF, no extensions (RFC 9112 7.1.1 lets them be
// ignored; nobody who talks to us sends them). *line_len is 0 while it is incomplete.
static struct err http_chunk_size(size_t *size, size_t *line_len, struct bytes in)
{
    size_t i = 0, value = 0;

    *size = *line_len = 0;
    for (; i < in.n && i < CHUNK_LINE_MAX - 2 && hex_digit(in.p[i]) >= 0; i++)
        value = value << 4 | (size_t)hex_digit(in.p[i]);
    if (i == in.n)
        return OK;
    ENSURE(i > 0 && in.p[i] == '\r', ERR_MALFORMED, "HTTP: expected a chunk size and CR LF");
    if (i + 1 == in.n)
        return OK;
    ENSURE(in.p[i + 1] == '\n', ERR_MALFORMED, "HTTP: expected a chunk size and CR LF");
    *size = value;
    *line_len = i + 2;
    return OK;
}

// Trailers are checked as fields and forgotten; RFC 9110 6.5.1: none of them frames the message. *n
// is 0 while they are incomplete.
static struct err http_trailers(size_t *n, struct bytes in)
{
    struct http_field field;
    struct bytes rest;

    TRY(http_find_end(n, in));
    if (*n == 0)
        return OK;
    rest = bytes_take(in, *n);
    for (struct bytes line = http_line(&rest); line.n > 0; line = http_line(&rest)) {
        TRY(http_parse_field(&field, line));
        ENSURE(!http_is_framing(field.name) && !http_equal_name(field.name, "Connection"),
               ERR_MALFORMED, "HTTP: a trailer says what only the head may say");
    }
    return OK;
}

// One chunk at the start of `in`: its size, and the bytes before and after its data. *whole is
// false while it is incomplete.
static struct err http_chunk(size_t *size, size_t *line_len, bool *whole, struct bytes in)
{
    struct bytes end;

    *whole = false;
    TRY(http_chunk_size(size, line_len, in));
    if (*line_len == 0 || *size == 0) {
        *whole = *line_len > 0;
        return OK;
    }
    end = bytes_take(bytes_skip(in, *line_len + *size), 2);
    ENSURE(memcmp("\r\n", end.n ? end.p : (const uint8_t *)"", end.n) == 0, ERR_MALFORMED,
           "HTTP: expected CR LF after a chunk");
    *whole = end.n == 2;
    return OK;
}

struct err http_measure(struct http_chunks *chunks, size_t *used, struct bytes in, size_t body_max)
{
    size_t size, line_len, trailers;
    bool whole;

    *used = 0;
    for (;; chunks->count++) {
        TRY(http_chunk(&size, &line_len, &whole, bytes_skip(in, chunks->at)));
        ENSURE(size <= body_max - chunks->body_len, ERR_TOO_LARGE, "HTTP: body is too large");
        if (!whole)
            return OK;
        if (size == 0)
            break;
        ENSURE(chunks->count < CHUNKS_MAX, ERR_TOO_LARGE, "HTTP: more than 8192 chunks");
        chunks->body_len += size;
        chunks->at += line_len + size + 2;
    }
    TRY(http_trailers(&trailers, bytes_skip(in, chunks->at + line_len)));
    *used = trailers ? chunks->at + line_len + trailers : 0;
    return OK;
}

struct err http_dechunk(uint8_t *data, size_t n, size_t body_max, size_t *body_len, size_t *used)
{
    struct http_chunks chunks = { 0 };
    size_t from = 0, to = 0;

    TRY(http_measure(&chunks, used, bytes_of(data, n), body_max));
    *body_len = chunks.body_len;
    while (*used > 0 && to < *body_len) {
        size_t size, line_len;

        TRY(http_chunk_size(&size, &line_len, bytes_of(data + from, n - from)));
        memmove(data + to, data + from + line_len, size);
        from += line_len + size + 2;
        to += size;
    }
    return OK;
}

void http_write_request(struct wr *wr, const char *method, const char *target, const char *host)
{
    if (!http_is_token(bytes_str(method)) || !http_is_target(bytes_str(target)) ||
        !http_is_host(bytes_str(host)))
        wr_refuse(wr);
    wr_str(wr, method);
    wr_u8(wr, ' ');
    wr_str(wr, target);
    wr_str(wr, " HTTP/1.1\r\n");
    http_write_field(wr, "Host", bytes_str(host));
}

void http_write_response(struct wr *wr, unsigned status)
{
    wr_str(wr, "HTTP/1.1 ");
    u256_write_decimal(wr, u256_of(status));
    wr_u8(wr, ' ');
    wr_str(wr, http_reason(status));
    wr_str(wr, "\r\n");
}

// A line break inside a value would let whoever chose it write fields of its own.
void http_write_fields(struct wr *wr, const struct http_field *field, size_t fields)
{
    for (size_t i = 0; i < fields; i++) {
        if (!http_is_token(field[i].name) || !http_is_value(field[i].value))
            wr_refuse(wr);
        wr_bytes(wr, field[i].name);
        wr_str(wr, ": ");
        wr_bytes(wr, field[i].value);
        wr_str(wr, "\r\n");
    }
}

void http_write_field(struct wr *wr, const char *name, struct bytes value)
{
    http_write_fields(wr, &(struct http_field) { bytes_str(name), value }, 1);
}

void http_write_length(struct wr *wr, size_t content_length)
{
    wr_str(wr, "Content-Length: ");
    u256_write_decimal(wr, u256_of(content_length));
    wr_str(wr, "\r\n\r\n");
}
