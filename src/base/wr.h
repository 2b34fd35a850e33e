// SPDX-License-Identifier: Apache-2.0
// The sticky writer into an array of the caller: once something does not fit, nothing more is
// written and wr_end reports it. Every integer is big-endian.
#pragma once

#include "base/bytes.h"
#include "base/err.h"

struct wr {
    uint8_t *p;
    size_t cap;
    size_t len;
    bool bad;
};

// A writer over a whole array (not a pointer).
#define WR_OF(array) ((struct wr) { .p = (array), .cap = sizeof(array) })

struct wr wr_of(void *p, size_t cap);
void wr_u8(struct wr *wr, uint8_t value);
void wr_u16(struct wr *wr, uint16_t value);
void wr_u32(struct wr *wr, uint32_t value);
void wr_u64(struct wr *wr, uint64_t value);
void wr_bytes(struct wr *wr, struct bytes b);
void wr_str(struct wr *wr, const char *text);
// Length-prefixed bytes; longer than the prefix can say marks the writer bad.
void wr_var8(struct wr *wr, struct bytes b);
void wr_var16(struct wr *wr, struct bytes b);
void wr_var32(struct wr *wr, struct bytes b);
// Room for n bytes to be filled in by the caller; NULL when there is none.
uint8_t *wr_room(struct wr *wr, size_t n);
void wr_refuse(struct wr *wr);
// What was written so far; none after a failure.
struct bytes wr_done(const struct wr *wr);
// ERR_TOO_LARGE when something did not fit.
FALLIBLE wr_end(const struct wr *wr);
