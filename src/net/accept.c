// SPDX-License-Identifier: Apache-2.0
// Media ranges and their weights. Duty: one answer for every value, however odd; it decides on the
// form of an answer only. Works on the caller's bytes.
#include "net/accept.h"

#include <string.h>

#define WEIGHT_MAX 1000U

static struct bytes accept_trim(struct bytes text)
{
    while (text.n > 0 && (text.p[0] == ' ' || text.p[0] == '\t'))
        text = bytes_skip(text, 1);
    while (text.n > 0 && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\t'))
        text.n--;
    return text;
}

// The text before the first `separator`, trimmed; *rest is what comes after it.
static struct bytes accept_cut(struct bytes *rest, struct bytes text, int separator)
{
    const uint8_t *at = text.p && text.n ? memchr(text.p, separator, text.n) : NULL;
    size_t n = at ? (size_t)(at - text.p) : text.n;

    *rest = bytes_skip(text, n + 1);
    return accept_trim(bytes_take(text, n));
}

static bool accept_is(struct bytes a, struct bytes b)
{
    size_t i = 0;

    while (i < a.n && i < b.n && (a.p[i] | 0x20) == (b.p[i] | 0x20))
        i++;
    return i == a.n && i == b.n;
}

// 0 no match, 1 "*/*", 2 "type/*", 3 the type itself.
static unsigned accept_rank(struct bytes range, struct bytes type)
{
    struct bytes of_range, of_type;
    struct bytes major = accept_cut(&of_range, range, '/');

    if (bytes_equal_str(major, "*"))
        return bytes_equal_str(of_range, "*") ? 1 : 0;
    if (!accept_is(major, accept_cut(&of_type, type, '/')))
        return 0;
    if (bytes_equal_str(of_range, "*"))
        return 2;
    return accept_is(of_range, of_type) ? 3 : 0;
}

// "q=0.5" (RFC 9110 12.4.2) among the parameters; without it 1, and 0 for what is no weight.
static unsigned accept_quality(struct bytes parameters)
{
    while (parameters.n > 0) {
        struct bytes value, parameter = accept_cut(&parameters, parameters, ';');
        unsigned weight, digit = WEIGHT_MAX / 10;

        if (!accept_is(accept_cut(&value, parameter, '='), BYTES_LIT("q")))
            continue;
        if (value.n == 0 || value.n > 5 || (value.p[0] != '0' && value.p[0] != '1'))
            return 0;
        weight = value.p[0] == '1' ? WEIGHT_MAX : 0;
        for (size_t i = 2; i < value.n && value.p[i] >= '0' && value.p[i] <= '9'; i++) {
            weight += digit * (value.p[i] - '0');
            digit /= 10;
        }
        return weight < WEIGHT_MAX ? weight : WEIGHT_MAX;
    }
    return WEIGHT_MAX;
}

unsigned accept_weight(struct bytes value, const char *type)
{
    unsigned best = 0, weight = value.p ? 0 : WEIGHT_MAX;

    while (value.n > 0) {
        struct bytes parameters, range = accept_cut(&value, value, ',');
        unsigned rank = accept_rank(accept_cut(&parameters, range, ';'), bytes_str(type));

        if (rank > best) {
            best = rank;
            weight = accept_quality(parameters);
        }
    }
    return weight;
}

bool accept_json(struct bytes value)
{
    unsigned json = accept_weight(value, "application/json");

    return json > 0 && json >= accept_weight(value, "text/plain");
}
