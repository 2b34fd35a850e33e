// SPDX-License-Identifier: Apache-2.0
// Wildcards without recursion: after a mismatch only the last '*' needs to take one byte more, so
// that the worst pattern costs pattern times text. Trusts nothing about either.
#include "emu/glob.h"

static uint8_t lower(uint8_t c)
{
    return c >= 'A' && c <= 'Z' ? (uint8_t)(c - 'A' + 'a') : c;
}

static bool same(uint8_t a, uint8_t b, bool any_case)
{
    return any_case ? lower(a) == lower(b) : a == b;
}

bool glob_equal(struct bytes a, struct bytes b, bool any_case)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++) {
        if (!same(a.p[i], b.p[i], any_case))
            return false;
    }
    return true;
}

bool glob_match(struct bytes pattern, struct bytes text, bool any_case)
{
    size_t p = 0, t = 0, star = SIZE_MAX, taken = 0;

    while (t < text.n) {
        if (p < pattern.n && pattern.p[p] == '*') {
            star = p++;
            taken = t;
        } else if (p < pattern.n &&
                   (pattern.p[p] == '?' || same(pattern.p[p], text.p[t], any_case))) {
            p++;
            t++;
        } else if (star != SIZE_MAX) {
            p = star + 1;
            t = ++taken;
        } else {
            return false;
        }
    }
    while (p < pattern.n && pattern.p[p] == '*')
        p++;
    return p == pattern.n;
}
