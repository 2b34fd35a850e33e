// SPDX-License-Identifier: Apache-2.0
// Reads the query from left to right, one pair after the other. Names are compared as they came:
// none that is known needs encoding. Values that are not text of the asked size are refused.
#include "parent/rest_query.h"

#include "base/hex.h"

#include <string.h>

struct rest_query_pair {
    struct bytes name, value;
};

// The next pair; false at the end.
static bool rest_query_next(struct bytes *query, struct rest_query_pair *pair)
{
    const uint8_t *end, *equals;
    struct bytes part;

    if (query->n == 0)
        return false;
    end = memchr(query->p, '&', query->n);
    part = end ? bytes_take(*query, (size_t)(end - query->p)) : *query;
    *query = bytes_skip(*query, part.n + 1);
    equals = part.n ? memchr(part.p, '=', part.n) : NULL;
    pair->name = equals ? bytes_take(part, (size_t)(equals - part.p)) : part;
    pair->value = bytes_skip(part, pair->name.n + 1);
    return true;
}

static unsigned rest_query_count(struct bytes query, const char *name)
{
    struct rest_query_pair pair;
    unsigned count = 0;

    while (rest_query_next(&query, &pair))
        count += bytes_equal_str(pair.name, name);
    return count;
}

static bool rest_query_known(struct bytes name, const char *const *known)
{
    for (; *known; known++)
        if (bytes_equal_str(name, *known))
            return true;
    return false;
}

struct err rest_query_only(struct bytes query, const char *const *known, struct detail *detail)
{
    struct rest_query_pair pair;
    struct bytes left = query;

    while (rest_query_next(&left, &pair)) {
        if (rest_query_known(pair.name, known))
            continue;
        detail_set(detail, "unknown parameter: ", bytes_take(pair.name, 64));
        return FAIL(ERR_MALFORMED, "unknown parameter");
    }
    for (; *known; known++)
        ENSURE(rest_query_count(query, *known) <= 1, ERR_MALFORMED,
               "query: a parameter is given twice");
    return OK;
}

static struct err rest_query_decode(struct bytes value, char *out, size_t cap)
{
    size_t n = 0;

    for (size_t i = 0; i < value.n; i++) {
        int c = value.p[i] == '+' ? ' ' : value.p[i];

        if (c == '%') {
            int high = i + 2 < value.n ? hex_digit(value.p[i + 1]) : -1;
            int low = i + 2 < value.n ? hex_digit(value.p[i + 2]) : -1;

            c = high < 0 || low < 0 ? 0 : high << 4 | low;
            i += 2;
        }
        ENSURE(c != 0 && n + 1 < cap, ERR_MALFORMED, "query: a value is malformed or too long");
        out[n++] = (char)c;
    }
    out[n] = 0;
    return OK;
}

struct err rest_query_get(struct bytes query, const char *name, char *out, size_t cap)
{
    struct rest_query_pair pair;

    out[0] = 0;
    while (rest_query_next(&query, &pair))
        if (bytes_equal_str(pair.name, name))
            return rest_query_decode(pair.value, out, cap);
    return OK;
}
