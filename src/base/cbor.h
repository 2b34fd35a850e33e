// SPDX-License-Identifier: Apache-2.0
// A strict subset of CBOR (RFC 8949) for NSM messages and attestation documents: unsigned and
// negative integers, byte and text strings of definite length, arrays, maps, false, true, null and
// tag numbers. Integers must be in their shortest form; maps may be of indefinite length where the
// caller says so (documents of 2026 are). Sticky like base/rd.h: look at cbor_end once.
#pragma once

#include "base/rd.h"
#include "base/wr.h"

enum cbor_type {
    CBOR_UINT,
    CBOR_NINT,
    CBOR_BYTES,
    CBOR_TEXT,
    CBOR_ARRAY,
    CBOR_MAP,
    CBOR_TAG,
    CBOR_SIMPLE, // false, true, null, and the "break" that ends an indefinite map
};

#define CBOR_FALSE      20U
#define CBOR_TRUE       21U
#define CBOR_NULL       22U
#define CBOR_BREAK      31U
#define CBOR_INDEFINITE UINT64_MAX // the count of a map of indefinite length

// One data item's head. For strings `count` bytes follow; for arrays and maps that many items or
// pairs; for integers and tags `count` is the number; for simple values it is the value.
struct cbor_head {
    enum cbor_type type;
    uint64_t count;
};

// The next head. On malformed input marks `rd` bad and returns CBOR_SIMPLE/CBOR_BREAK.
struct cbor_head cbor_head(struct rd *rd);
// The next head without moving on.
struct cbor_head cbor_peek(const struct rd *rd);
uint64_t cbor_uint(struct rd *rd);
int64_t cbor_int(struct rd *rd);
struct bytes cbor_bytes(struct rd *rd);
struct bytes cbor_text(struct rd *rd);
bool cbor_bool(struct rd *rd);
// The number of items; marks bad when it is not an array.
uint64_t cbor_array(struct rd *rd);
// The number of pairs, or CBOR_INDEFINITE.
uint64_t cbor_map(struct rd *rd);
// For a loop over a map: true while there is another pair. Start with what cbor_map returned:
// `for (uint64_t left = cbor_map(&rd); cbor_map_next(&rd, &left);)`.
bool cbor_map_next(struct rd *rd, uint64_t *left);
// Bytes, or null: *present tells which.
struct bytes cbor_bytes_or_null(struct rd *rd, bool *present);
// Skips one item with everything in it, at most 8 levels deep.
void cbor_skip(struct rd *rd);
// ERR_MALFORMED after anything above went wrong or when bytes are left over.
FALLIBLE cbor_end(const struct rd *rd);

// Writing, always definite and shortest form.
void cbor_put_uint(struct wr *wr, uint64_t value);
void cbor_put_int(struct wr *wr, int64_t value);
void cbor_put_bytes(struct wr *wr, struct bytes b);
void cbor_put_text(struct wr *wr, const char *text);
void cbor_put_array(struct wr *wr, uint64_t items);
void cbor_put_map(struct wr *wr, uint64_t pairs);
void cbor_put_bool(struct wr *wr, bool value);
void cbor_put_null(struct wr *wr);
// Bytes, or null when b.p is NULL.
void cbor_put_bytes_or_null(struct wr *wr, struct bytes b);
