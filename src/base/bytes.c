// SPDX-License-Identifier: Apache-2.0
#include "base/bytes.h"

#include <string.h>

struct bytes bytes_of(const void *p, size_t n)
{
    return (struct bytes) { p, n };
}

struct bytes bytes_str(const char *text)
{
    return text ? bytes_of(text, strlen(text)) : BYTES_NONE;
}

bool bytes_equal(struct bytes a, struct bytes b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool bytes_equal_str(struct bytes a, const char *text)
{
    return bytes_equal(a, bytes_str(text));
}

int bytes_compare(struct bytes a, struct bytes b)
{
    size_t shared = a.n < b.n ? a.n : b.n;
    int order = shared ? memcmp(a.p, b.p, shared) : 0;

    if (order != 0)
        return order;
    return a.n == b.n ? 0 : (a.n < b.n ? -1 : 1);
}

bool bytes_to_str(struct bytes a, char *out, size_t cap)
{
    bool fits = a.n < cap && (a.n == 0 || memchr(a.p, 0, a.n) == NULL);
    size_t n = fits ? a.n : 0;

    if (n)
        memcpy(out, a.p, n);
    if (cap)
        out[n] = 0;
    return fits;
}

struct bytes bytes_skip(struct bytes a, size_t from)
{
    if (from >= a.n)
        return BYTES_NONE;
    return bytes_of(a.p + from, a.n - from);
}

struct bytes bytes_take(struct bytes a, size_t n)
{
    return bytes_of(a.p, n < a.n ? n : a.n);
}
