// SPDX-License-Identifier: Apache-2.0
// Reading times. A time is text of fixed length that is compared with its form; libc's timegm then
// counts the days, which needs no time zone, file or environment. What it has to correct (the 31st
// of February) is refused.
#include "net/when.h"

#include "base/wr.h"

#include <string.h>
#include <time.h>

enum when_part { YEAR, MONTH, DAY, HOUR, MINUTE, SECOND, PARTS };

// The letters Y M D h m s of the form stand for the digits of a number, others for themselves.
static bool when_scan(int part[static PARTS], struct bytes text, const char *form)
{
    static const char letters[] = "YMDhms";

    memset(part, 0, PARTS * sizeof(part[0]));
    if (text.n != strlen(form))
        return false;
    for (size_t i = 0; i < text.n; i++) {
        const char *letter = strchr(letters, form[i]);
        bool is_digit = text.p[i] >= '0' && text.p[i] <= '9';

        if (letter ? !is_digit : text.p[i] != (uint8_t)form[i])
            return false;
        if (letter)
            part[letter - letters] = part[letter - letters] * 10 + (text.p[i] - '0');
    }
    return true;
}

static struct err when_read(uint64_t *out, struct bytes text, const char *form)
{
    int part[PARTS];
    struct tm tm;
    time_t seconds;

    ENSURE(when_scan(part, text, form), ERR_MALFORMED, "time: not in its form");
    tm = (struct tm) { .tm_year = part[YEAR] - 1900, .tm_mon = part[MONTH] - 1 };
    tm.tm_mday = part[DAY];
    tm.tm_hour = part[HOUR];
    tm.tm_min = part[MINUTE];
    tm.tm_sec = part[SECOND];
    seconds = timegm(&tm);
    ENSURE(seconds >= 0 && tm.tm_mon == part[MONTH] - 1 && tm.tm_mday == part[DAY] &&
               tm.tm_hour == part[HOUR] && tm.tm_min == part[MINUTE] && tm.tm_sec == part[SECOND],
           ERR_MALFORMED, "time: no such day or time");
    *out = (uint64_t)seconds;
    return OK;
}

struct err when_basic(uint64_t *out, struct bytes text)
{
    return when_read(out, text, "YYYYMMDDThhmmssZ");
}

static struct bytes when_skip_fraction(struct bytes text)
{
    size_t n = 1;

    if (text.n < 2 || text.p[0] != '.')
        return text;
    while (n < text.n && text.p[n] >= '0' && text.p[n] <= '9')
        n++;
    return n > 1 ? bytes_skip(text, n) : text;
}

struct err when_rfc3339(uint64_t *out, struct bytes text)
{
    struct bytes zone = when_skip_fraction(bytes_skip(text, 19));
    bool is_east = zone.n > 0 && zone.p[0] == '+';
    int part[PARTS];
    uint64_t ahead_s, local_s;

    TRY(when_read(&local_s, bytes_take(text, 19), "YYYY-MM-DDThh:mm:ss"));
    *out = local_s;
    if (bytes_equal_str(zone, "Z"))
        return OK;
    ENSURE(when_scan(part, zone, is_east ? "+hh:mm" : "-hh:mm") && part[HOUR] <= 23 &&
               part[MINUTE] <= 59,
           ERR_MALFORMED, "time: expected Z or an offset");
    ahead_s = (uint64_t)part[HOUR] * 3600 + (uint64_t)part[MINUTE] * 60;
    ENSURE(!is_east || ahead_s <= local_s, ERR_MALFORMED, "time: before 1970");
    *out = is_east ? local_s - ahead_s : local_s + ahead_s;
    return OK;
}

struct err when_http(uint64_t *out, struct bytes text)
{
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    static const char numbers[] = "010203040506070809101112";
    uint8_t space[20];
    struct wr wr = WR_OF(space);

    ENSURE(text.n == 29 && memcmp(text.p + 3, ", ", 2) == 0, ERR_MALFORMED, "time: not of HTTP");
    wr_bytes(&wr, bytes_take(bytes_skip(text, 5), 3));
    for (size_t i = 0; i < 12; i++)
        if (memcmp(text.p + 8, months + 3 * i, 3) == 0)
            wr_bytes(&wr, bytes_of(numbers + 2 * i, 2));
    wr_bytes(&wr, bytes_take(bytes_skip(text, 11), 14));
    ENSURE(bytes_equal_str(bytes_skip(text, 25), " GMT"), ERR_MALFORMED, "time: not of HTTP");
    return when_read(out, wr_done(&wr), "DD MM YYYY hh:mm:ss");
}
