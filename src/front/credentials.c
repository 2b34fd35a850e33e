// SPDX-License-Identifier: Apache-2.0
// AWS credentials. They are the parent's own and open no key by themselves (the key policy asks for
// the attestation, too), but they are somebody's: kept in one locked page that no core dump shows,
// wiped at their expiry, and never handed out, only used to sign.
#include "front/credentials.h"

#include "base/arena.h"
#include "base/ct.h"
#include "base/must.h"
#include "base/rd.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES_MAX   128U
#define TOKEN_BYTES_MAX 8192U
#define YEAR_MIN        2020U
#define YEAR_MAX        2199U

struct secret {
    uint64_t expires_s; // 0: none
    size_t access_len, secret_len, token_len;
    uint8_t access[KEY_BYTES_MAX];
    uint8_t secret[KEY_BYTES_MAX];
    uint8_t token[TOKEN_BYTES_MAX];
};

struct credentials {
    pthread_mutex_t lock; // the KMS worker signs, the loop sets
    struct arena page;
    struct secret *secret;
};

struct err credentials_new(struct credentials **out)
{
    struct credentials *credentials = calloc(1, sizeof(*credentials));
    struct err err;

    *out = NULL;
    ENSURE(credentials, ERR_FULL, "credentials: out of memory");
    (void)pthread_mutex_init(&credentials->lock, NULL);
    err = arena_init(&credentials->page, sizeof(struct secret));
    if (!err.code)
        credentials->secret = arena_take(&credentials->page, sizeof(struct secret), 16);
    *out = credentials;
    if (err.code)
        credentials_free(out);
    return err;
}

void credentials_free(struct credentials **credentials)
{
    if (!*credentials)
        return;
    arena_done(&(*credentials)->page);
    (void)pthread_mutex_destroy(&(*credentials)->lock);
    free(*credentials);
    *credentials = NULL;
}

// What AWS issues is printable; a line break would end the HTTP header it stands in.
static bool credentials_printable(struct bytes b)
{
    for (size_t i = 0; i < b.n; i++)
        if (b.p[i] <= ' ' || b.p[i] > '~')
            return false;
    return true;
}

static struct err credentials_check_form(const struct sigv4_credentials *given)
{
    ENSURE(given->access_key.n >= 1 && given->access_key.n <= KEY_BYTES_MAX &&
               credentials_printable(given->access_key),
           ERR_MALFORMED, "aws_access_key_id: expected 1 to 128 printable characters");
    ENSURE(given->secret_key.n >= 1 && given->secret_key.n <= KEY_BYTES_MAX &&
               credentials_printable(given->secret_key),
           ERR_MALFORMED, "aws_secret_access_key: expected 1 to 128 printable characters");
    ENSURE(given->token.n <= TOKEN_BYTES_MAX && credentials_printable(given->token), ERR_MALFORMED,
           "aws_session_token: expected at most 8192 printable characters");
    return OK;
}

static void credentials_copy(uint8_t *to, size_t *len, struct bytes from)
{
    if (from.n)
        memcpy(to, from.p, from.n);
    *len = from.n;
}

struct err credentials_set(struct credentials *credentials, const struct sigv4_credentials *given,
                           uint64_t expires_s, uint64_t now_s)
{
    struct secret *secret = credentials->secret;

    TRY(credentials_check_form(given));
    ENSURE(expires_s > now_s, ERR_EXPIRED, "expiration: lies in the past");
    (void)pthread_mutex_lock(&credentials->lock);
    ct_wipe(secret, sizeof(*secret));
    credentials_copy(secret->access, &secret->access_len, given->access_key);
    credentials_copy(secret->secret, &secret->secret_len, given->secret_key);
    credentials_copy(secret->token, &secret->token_len, given->token);
    secret->expires_s = expires_s;
    (void)pthread_mutex_unlock(&credentials->lock);
    return OK;
}

// Under the lock.
static uint64_t credentials_age(struct secret *secret, uint64_t now_s)
{
    if (secret->expires_s != 0 && now_s >= secret->expires_s)
        ct_wipe(secret, sizeof(*secret));
    return secret->expires_s;
}

uint64_t credentials_expires(struct credentials *credentials, uint64_t now_s)
{
    uint64_t expires_s;

    (void)pthread_mutex_lock(&credentials->lock);
    expires_s = credentials_age(credentials->secret, now_s);
    (void)pthread_mutex_unlock(&credentials->lock);
    return expires_s;
}

struct err credentials_check(struct credentials *credentials, uint64_t now_s)
{
    ENSURE(credentials_expires(credentials, now_s) != 0, ERR_EXPIRED,
           "credentials: none, or expired; call set_credentials");
    return OK;
}

struct err credentials_sign(struct credentials *credentials, struct wr *authorization,
                            struct wr *token, const struct sigv4_request *request)
{
    const struct secret *secret = credentials->secret;
    bool alive;

    (void)pthread_mutex_lock(&credentials->lock);
    alive = credentials_age(credentials->secret, request->now_s) != 0;
    if (alive) {
        struct sigv4_credentials view = {
            .access_key = bytes_of(secret->access, secret->access_len),
            .secret_key = bytes_of(secret->secret, secret->secret_len),
            .token = bytes_of(secret->token, secret->token_len),
        };

        sigv4_authorization(authorization, &view, request);
        wr_bytes(token, view.token);
    }
    (void)pthread_mutex_unlock(&credentials->lock);
    ENSURE(alive, ERR_EXPIRED, "credentials: none, or expired; call set_credentials");
    TRY(wr_end(authorization));
    return wr_end(token);
}

// `digits` decimal digits, from low to high.
static uint64_t credentials_number(struct rd *rd, size_t digits, uint64_t low, uint64_t high)
{
    uint64_t value = 0;

    for (size_t i = 0; i < digits; i++) {
        uint8_t c = rd_u8(rd);

        if (c < '0' || c > '9')
            rd_refuse(rd);
        value = value * 10 + (uint64_t)(c & 15);
    }
    if (value < low || value > high)
        rd_refuse(rd);
    return value;
}

static void credentials_expect(struct rd *rd, char c)
{
    if (rd_u8(rd) != (uint8_t)c)
        rd_refuse(rd);
}

// Days since 1970-01-01 in the Gregorian calendar: 400 years have 146097 days, and with years that
// begin in March the leap day is the last one.
static uint64_t credentials_days(uint64_t year, uint64_t month, uint64_t day)
{
    uint64_t y = month <= 2 ? year - 1 : year;
    uint64_t march_based = (month + 9) % 12;
    uint64_t day_of_year = (153 * march_based + 2) / 5 + day - 1;

    return y * 365 + y / 4 - y / 100 + y / 400 + day_of_year - 719468;
}

static uint64_t credentials_month_days(uint64_t year, uint64_t month)
{
    static const uint8_t days[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
    bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

    return month == 2 && leap ? 29 : days[month - 1];
}

// "Z" or "+hh:mm" or "-hh:mm", perhaps after a fraction of a second, which is dropped.
static int64_t credentials_offset(struct rd *rd)
{
    uint8_t c = rd_u8(rd);
    uint64_t hours, minutes;

    if (c == '.') {
        (void)credentials_number(rd, 1, 0, 9);
        while (!rd->bad && (c = rd_u8(rd)) >= '0' && c <= '9')
            ;
    }
    if (c == 'Z')
        return 0;
    if (c != '+' && c != '-')
        rd_refuse(rd);
    hours = credentials_number(rd, 2, 0, 23);
    credentials_expect(rd, ':');
    minutes = credentials_number(rd, 2, 0, 59);
    return (c == '-' ? -60 : 60) * (int64_t)(hours * 60 + minutes);
}

struct err credentials_parse_time(uint64_t *out, struct bytes text)
{
    struct rd rd = rd_of(text);
    uint64_t year = credentials_number(&rd, 4, YEAR_MIN, YEAR_MAX), month, day, seconds;
    int64_t offset;

    credentials_expect(&rd, '-');
    month = credentials_number(&rd, 2, 1, 12);
    ENSURE(!rd.bad, ERR_MALFORMED, "expiration: expected an RFC 3339 time");
    credentials_expect(&rd, '-');
    day = credentials_number(&rd, 2, 1, credentials_month_days(year, month));
    credentials_expect(&rd, 'T');
    seconds = credentials_number(&rd, 2, 0, 23) * 3600;
    credentials_expect(&rd, ':');
    seconds += credentials_number(&rd, 2, 0, 59) * 60;
    credentials_expect(&rd, ':');
    seconds += credentials_number(&rd, 2, 0, 59);
    offset = credentials_offset(&rd);
    ENSURE(!rd_end(&rd).code, ERR_MALFORMED, "expiration: expected an RFC 3339 time");
    *out = (uint64_t)((int64_t)(credentials_days(year, month, day) * 86400 + seconds) - offset);
    return OK;
}
