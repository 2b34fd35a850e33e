// SPDX-License-Identifier: Apache-2.0
// A byte queue that grows on demand up to a limit of its own and, beyond its first 4 KiB, a budget
// that all connections share, and gives its memory back when it runs empty. Who may include it:
// front.
#pragma once

#include "base/bytes.h"

struct buf_budget {
    size_t left; // bytes that all queues together may still take
};

#define BUF_OWN_BYTES 4096U // a larger block takes part of the budget

struct buf {
    struct buf_budget *budget;
    size_t most; // never more bytes than this
    uint8_t *p;
    size_t from, to, cap; // queued bytes: p[from..to)
};

void buf_init(struct buf *buf, struct buf_budget *budget, size_t most);
// Wipes and frees.
void buf_done(struct buf *buf);
struct bytes buf_bytes(const struct buf *buf);
// Room for at least `n` more bytes at the end, or NULL: over the limit, the budget or memory.
// *room is what there is. buf_added tells how much of it was filled.
uint8_t *buf_room(struct buf *buf, size_t n, size_t *room);
void buf_added(struct buf *buf, size_t n);
bool buf_append(struct buf *buf, struct bytes b);
// Takes n bytes from the front and wipes them (requests may carry AWS credentials).
void buf_consume(struct buf *buf, size_t n);
