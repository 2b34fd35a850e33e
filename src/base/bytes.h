// SPDX-License-Identifier: Apache-2.0
// A view of bytes: a pointer and its length, which never travel apart. Owns nothing.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bytes {
    const uint8_t *p; // may be NULL when n is 0
    size_t n;
};

// The bytes of an array or object (not of a pointer), e.g. BYTES_OF(digest).
#define BYTES_OF(object) ((struct bytes) { (const uint8_t *)&(object), sizeof(object) })
// The bytes of a string literal, without its closing NUL.
#define BYTES_LIT(text) ((struct bytes) { (const uint8_t *)("" text), sizeof(text) - 1 })
#define BYTES_NONE      ((struct bytes) { NULL, 0 })

struct bytes bytes_of(const void *p, size_t n);
// The bytes of a C string, without its closing NUL. NULL gives no bytes.
struct bytes bytes_str(const char *text);
// Not constant time: for public bytes only (see base/ct.h).
bool bytes_equal(struct bytes a, struct bytes b);
bool bytes_equal_str(struct bytes a, const char *text);
// Lexicographic order: negative, zero or positive, as memcmp.
int bytes_compare(struct bytes a, struct bytes b);
// Copies into a C string of `cap` bytes; false (and an empty string) when it does not fit or
// contains a NUL byte.
bool bytes_to_str(struct bytes a, char *out, size_t cap);
// The bytes from `from` on; none when `from` lies past the end.
struct bytes bytes_skip(struct bytes a, size_t from);
// The first n bytes, or fewer when there are fewer.
struct bytes bytes_take(struct bytes a, size_t n);
