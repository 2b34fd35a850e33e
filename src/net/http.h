// SPDX-License-Identifier: Apache-2.0
// HTTP/1.1 messages (RFC 9110, RFC 9112), strict, both directions: heads of at most 16 KiB and 64
// fields; Content-Length or chunked, never both; no line folding; no whitespace before a colon; no
// bare CR or LF. test/http compares it with another parser. Works on bytes in the caller's buffer,
// knows no socket.
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "base/wr.h"

#define HTTP_HEAD_MAX   16384
#define HTTP_FIELDS_MAX 64

struct http_field {
    struct bytes name, value; // name as received; compare with http_field_get
};

struct http_head {
    bool is_response;
    struct bytes method, target; // requests; target is the path with the query, starts with '/'
    unsigned status;             // responses; of a request that is refused: what to answer
    unsigned minor;              // HTTP/1.minor: 0 or 1
    struct http_field field[HTTP_FIELDS_MAX];
    size_t fields;
    bool chunked, keep_alive, has_length, expect_continue;
    uint64_t content_length;
};

// Parses a head at the start of `in`. *head_len is 0 while more bytes are needed, else its length
// with the empty line. ERR_MALFORMED, ERR_TOO_LARGE, ERR_UNSUPPORTED.
FALLIBLE http_parse_request(struct http_head *out, size_t *head_len, struct bytes in);
FALLIBLE http_parse_response(struct http_head *out, size_t *head_len, struct bytes in);
// The value of a field (name in any case), or p == NULL when absent. Given twice: *the first*, and
// fields for which that matters (Content-Length, Host, Transfer-Encoding) are refused when parsed.
struct bytes http_field_get(const struct http_head *head, const char *name);

// How far a chunked body was looked at; starts with zeroes.
struct http_chunks {
    size_t at, count; // where the next chunk begins, and how many there were
    size_t body_len;  // bytes in these
};

// Looks at a chunked body without changing it, from where the last call came to: `in` begins where
// it did then. *used is its length with the last chunk and trailers, 0 while incomplete.
FALLIBLE http_measure(struct http_chunks *chunks, size_t *used, struct bytes in, size_t body_max);
// Decodes a chunked body in place: data[0..n) holds what was received so far. *body_len is the
// decoded length, *used the consumed length with the last chunk and trailers, 0 while incomplete.
FALLIBLE http_dechunk(uint8_t *data, size_t n, size_t body_max, size_t *body_len, size_t *used);

// "METHOD target HTTP/1.1" and "HTTP/1.1 status reason", fields, and the end of the head with
// Content-Length. http_write_length comes last and closes the head.
void http_write_request(struct wr *wr, const char *method, const char *target, const char *host);
void http_write_response(struct wr *wr, unsigned status);
void http_write_field(struct wr *wr, const char *name, struct bytes value);
void http_write_fields(struct wr *wr, const struct http_field *field, size_t fields);
void http_write_length(struct wr *wr, size_t content_length);
const char *http_reason(unsigned status);
// True for at least one character, all of them visible ASCII and none of them in `except`.
bool http_is_visible(struct bytes text, const char *except);
