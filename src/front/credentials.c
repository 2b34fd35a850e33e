// SPDX-License-Identifier: Apache-2.0
// AWS credentials. They are the parent's own and open no key by themselves (the key policy asks for
// the attestation, too), but they are somebody's: kept in one locked page that no core dump shows,
// wiped at their expiry, and never handed out, only used to sign.
#include "front/credentials.h"

#include "base/arena.h"
#include "base/ct.h"
#include "net/http.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define KEY_BYTES_MAX   128U
#define TOKEN_BYTES_MAX 8192U

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
static struct err credentials_check_form(const struct sigv4_credentials *given)
{
    ENSURE(given->access_key.n <= KEY_BYTES_MAX && http_is_visible(given->access_key, ""),
           ERR_MALFORMED, "aws_access_key_id: expected 1 to 128 printable characters");
    ENSURE(given->secret_key.n <= KEY_BYTES_MAX && http_is_visible(given->secret_key, ""),
           ERR_MALFORMED, "aws_secret_access_key: expected 1 to 128 printable characters");
    ENSURE(given->token.n <= TOKEN_BYTES_MAX &&
               (given->token.n == 0 || http_is_visible(given->token, "")),
           ERR_MALFORMED, "aws_session_token: expected at most 8192 printable characters");
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
