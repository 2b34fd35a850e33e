// SPDX-License-Identifier: Apache-2.0
// Conversion between milliseconds and RFC 3339 in UTC. Days are counted with libc's timegm and
// gmtime_r, which know no time zone; other offsets than Z are refused.
#include "parent/stamp.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define STAMP_MS_MAX 253402300799999U // 9999-12-31T23:59:59.999Z

uint64_t stamp_now_ms(void)
{
    struct timespec now = { 0 };

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000U + (uint64_t)now.tv_nsec / 1000000U;
}

void stamp_text(char out[static STAMP_TEXT], uint64_t ms)
{
    uint64_t shown = ms > STAMP_MS_MAX ? STAMP_MS_MAX : ms;
    time_t seconds = (time_t)(shown / 1000U);
    unsigned rest = (unsigned)(shown % 1000U) % 1000U;
    struct tm tm = { 0 };
    char date[32];

    (void)gmtime_r(&seconds, &tm);
    (void)strftime(date, sizeof(date), "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out, STAMP_TEXT, "%.19s.%03uZ", date, rest);
}

// Two or four digits at `at`, within bounds.
static struct err stamp_number(int *out, struct bytes text, size_t at, size_t n)
{
    int value = 0;

    for (size_t i = at; i < at + n; i++) {
        ENSURE(text.p[i] >= '0' && text.p[i] <= '9', ERR_MALFORMED, "time: expected RFC 3339");
        value = value * 10 + (text.p[i] - '0');
    }
    *out = value;
    return OK;
}

static bool stamp_tail_fits(struct bytes text)
{
    size_t last = text.n - 1;

    if (text.p[last] != 'Z')
        return false;
    if (last == 19)
        return true;
    for (size_t i = 20; i < last; i++)
        if (text.p[i] < '0' || text.p[i] > '9')
            return false;
    return text.p[19] == '.' && last > 20;
}

struct err stamp_parse(uint64_t *ms, struct bytes text)
{
    struct tm tm = { 0 };
    time_t seconds;

    ENSURE(text.n >= 20 && text.n <= 30 && stamp_tail_fits(text), ERR_MALFORMED,
           "time: expected RFC 3339 in UTC");
    ENSURE(text.p[4] == '-' && text.p[7] == '-' && text.p[10] == 'T' && text.p[13] == ':' &&
               text.p[16] == ':',
           ERR_MALFORMED, "time: expected RFC 3339 in UTC");
    TRY(stamp_number(&tm.tm_year, text, 0, 4));
    TRY(stamp_number(&tm.tm_mon, text, 5, 2));
    TRY(stamp_number(&tm.tm_mday, text, 8, 2));
    TRY(stamp_number(&tm.tm_hour, text, 11, 2));
    TRY(stamp_number(&tm.tm_min, text, 14, 2));
    TRY(stamp_number(&tm.tm_sec, text, 17, 2));
    ENSURE(tm.tm_year >= 1970 && tm.tm_mon >= 1 && tm.tm_mon <= 12 && tm.tm_mday >= 1 &&
               tm.tm_mday <= 31 && tm.tm_hour <= 23 && tm.tm_min <= 59 && tm.tm_sec <= 60,
           ERR_MALFORMED, "time: a field is out of range");
    tm.tm_year -= 1900;
    tm.tm_mon -= 1;
    seconds = timegm(&tm);
    ENSURE(seconds >= 0, ERR_MALFORMED, "time: a field is out of range");
    *ms = (uint64_t)seconds * 1000U;
    return OK;
}
