// SPDX-License-Identifier: Apache-2.0
// What the proof harnesses share. A harness is a main() over inputs that are anything at all;
// test/prove/run has CBMC show, for all of them, that no access leaves its object, no arithmetic
// overflows, no loop runs longer than its bound says, and every prove() holds.
// Who may include it: test/prove.
#pragma once

#include "base/must.h"
#include "base/rd.h"
#include "base/wr.h"

#include <stdlib.h>

// CBMC's own: any value, and what is to be taken for granted or shown.
size_t nondet_size_t(void);
uint8_t nondet_uint8_t(void);
uint16_t nondet_uint16_t(void);
uint64_t nondet_uint64_t(void);
void __CPROVER_assume(_Bool condition);
void __CPROVER_assert(_Bool condition, const char *what);
_Bool __CPROVER_same_object(const void *a, const void *b);

#define assume(condition) __CPROVER_assume(condition)
#define prove(condition)  __CPROVER_assert(condition, #condition)

// At most `most` bytes of any content, in memory of exactly that size.
static inline struct bytes any_bytes(size_t most)
{
    size_t n = nondet_size_t();
    uint8_t *p;

    assume(n <= most);
    p = malloc(n); // its content is any
    assume(p != NULL);
    return bytes_of(p, n);
}

// A part of `all`, or nothing.
static inline _Bool is_inside(struct bytes part, struct bytes all)
{
    return part.n == 0 || (__CPROVER_same_object(part.p, all.p) && part.p >= all.p &&
                           part.n <= all.n && (size_t)(part.p - all.p) <= all.n - part.n);
}
