// SPDX-License-Identifier: Apache-2.0
// The sticky reader: bytes from outside are read with this and nothing else. Past the first short
// read every read yields zero or no bytes, and rd_end reports it, as it does bytes left over. A
// parser so reads like the message's definition and cannot forget the trailing-data check.
// Every integer is big-endian.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

struct rd {
    struct bytes left;
    bool bad;
};

struct rd rd_of(struct bytes all);
uint8_t rd_u8(struct rd *rd);
uint16_t rd_u16(struct rd *rd);
uint32_t rd_u32(struct rd *rd);
uint64_t rd_u64(struct rd *rd);
// A view of the next n bytes.
struct bytes rd_bytes(struct rd *rd, size_t n);
// The next n bytes copied into `out`; zeros when there are fewer.
void rd_copy(struct rd *rd, void *out, size_t n);
// Length-prefixed bytes: u8, u16 or u32 length, then that many bytes, at most `most`.
struct bytes rd_var8(struct rd *rd, size_t most);
struct bytes rd_var16(struct rd *rd, size_t most);
struct bytes rd_var32(struct rd *rd, size_t most);
// A byte that must be 0 or 1.
bool rd_bool(struct rd *rd);
// Marks the reader bad: the value just read is not allowed.
void rd_refuse(struct rd *rd);
// ERR_MALFORMED after a short read, a refused value, or when bytes are left over.
FALLIBLE rd_end(const struct rd *rd);
