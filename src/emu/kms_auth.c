// SPDX-License-Identifier: Apache-2.0
// Verifying AWS Signature Version 4 (AWS General Reference, "Signing AWS API requests"). It trusts
// nothing in the request until the signature is right, and never says what it would have been.
#include "emu/kms_auth.h"

#include "base/must.h"
#include "net/sigv4.h"
#include "net/when.h"

#include <string.h>

#define SIGNED_MAX    32
#define CANONICAL_MAX 8192
#define ALGORITHM     "AWS4-HMAC-SHA256 "

struct authorization {
    struct bytes access_key, day, region, service, closing;
    struct bytes signed_headers, signature;
};

static FALLIBLE parse_authorization(struct authorization *out, struct bytes text);
static FALLIBLE check_signed(const struct authorization *auth, bool has_token);
static FALLIBLE check_scope(const struct authorization *auth, const struct http_head *head);
static FALLIBLE check_signature(const struct authorization *auth, const struct creds *creds,
                                const struct kms_auth *request);
static FALLIBLE check_time(const struct authorization *auth, struct bytes date, uint64_t now_s);

static FALLIBLE auth_check(const struct authorization *auth, const struct creds *caller,
                           const struct kms_auth *request)
{
    struct bytes token = http_field_get(request->head, "X-Amz-Security-Token");

    TRY(check_signed(auth, token.p != NULL));
    TRY(check_scope(auth, request->head));
    TRY(check_time(auth, http_field_get(request->head, "X-Amz-Date"), request->now_s));
    ENSURE(ct_equal(token, bytes_str(caller->token)), ERR_KMS,
           "UnrecognizedClientException: The security token included in the request is invalid.");
    TRY(check_signature(auth, caller, request));
    ENSURE(request->now_s < caller->expires_s, ERR_KMS,
           "ExpiredTokenException: The security token included in the request is expired");
    return OK;
}

struct err kms_auth_verify(struct creds *caller, struct bytes *region,
                           const struct kms_auth *request)
{
    struct authorization auth;
    struct err e;

    TRY(parse_authorization(&auth, http_field_get(request->head, "Authorization")));
    e = creds_find(caller, request->dir, auth.access_key);
    ENSURE(e.code != ERR_NOT_FOUND, ERR_KMS,
           "UnrecognizedClientException: The security token included in the request is invalid.");
    TRY(e);
    e = auth_check(&auth, caller, request);
    if (e.code)
        creds_wipe(caller);
    *region = auth.region;
    return e;
}

// The bytes before the next `stop`, which is taken too; the rest when there is none.
static struct bytes split(struct bytes *text, uint8_t stop)
{
    const uint8_t *at = text->n ? memchr(text->p, stop, text->n) : NULL;
    size_t n = at ? (size_t)(at - text->p) : text->n;
    struct bytes part = bytes_take(*text, n);

    *text = bytes_skip(*text, at ? n + 1 : n);
    return part;
}

static bool take_prefix(struct bytes *text, const char *prefix)
{
    size_t n = strlen(prefix);

    if (text->n < n || memcmp(text->p, prefix, n) != 0)
        return false;
    *text = bytes_skip(*text, n);
    return true;
}

static struct bytes trim(struct bytes text)
{
    while (text.n && (text.p[0] == ' ' || text.p[0] == '\t'))
        text = bytes_skip(text, 1);
    while (text.n && (text.p[text.n - 1] == ' ' || text.p[text.n - 1] == '\t'))
        text.n--;
    return text;
}

static struct err parse_authorization(struct authorization *out, struct bytes text)
{
    struct bytes credential, signed_headers, signature;

    ENSURE(text.p, ERR_KMS,
           "MissingAuthenticationTokenException: Request is missing Authentication Token");
    ENSURE(take_prefix(&text, ALGORITHM), ERR_KMS,
           "IncompleteSignatureException: Authorization: expected AWS4-HMAC-SHA256");
    credential = trim(split(&text, ','));
    signed_headers = trim(split(&text, ','));
    signature = trim(text);
    ENSURE(take_prefix(&credential, "Credential=") &&
               take_prefix(&signed_headers, "SignedHeaders=") &&
               take_prefix(&signature, "Signature=") && signature.n == 64,
           ERR_KMS,
           "IncompleteSignatureException: Authorization: expected Credential, SignedHeaders and "
           "Signature");
    out->access_key = split(&credential, '/');
    out->day = split(&credential, '/');
    out->region = split(&credential, '/');
    out->service = split(&credential, '/');
    out->closing = credential;
    out->signed_headers = signed_headers;
    out->signature = signature;
    return OK;
}

static bool is_signed(struct bytes list, const char *name)
{
    while (list.n) {
        if (bytes_equal_str(split(&list, ';'), name))
            return true;
    }
    return false;
}

// What is not signed can be changed on the way: the operation, the host, the time, the caller.
static struct err check_signed(const struct authorization *auth, bool has_token)
{
    struct bytes list = auth->signed_headers;

    ENSURE(is_signed(list, "host") && is_signed(list, "x-amz-date") &&
               is_signed(list, "x-amz-target") &&
               (!has_token || is_signed(list, "x-amz-security-token")),
           ERR_KMS,
           "InvalidSignatureException: host, x-amz-date, x-amz-target and x-amz-security-token "
           "must be signed headers.");
    return OK;
}

// The host kms.REGION.amazonaws.com, with or without a port, and the same region in the scope.
static struct err check_scope(const struct authorization *auth, const struct http_head *head)
{
    struct bytes host = http_field_get(head, "Host");
    struct bytes name = split(&host, ':');

    ENSURE(bytes_equal_str(auth->service, "kms") && bytes_equal_str(auth->closing, "aws4_request"),
           ERR_KMS,
           "InvalidSignatureException: Credential should be scoped to correct service: 'kms'.");
    ENSURE(take_prefix(&name, "kms."), ERR_KMS,
           "InvalidSignatureException: Host: expected kms.REGION.amazonaws.com.");
    ENSURE(bytes_equal(split(&name, '.'), auth->region) && bytes_equal_str(name, "amazonaws.com"),
           ERR_KMS, "InvalidSignatureException: Credential should be scoped to a valid region.");
    return OK;
}

static struct err check_time(const struct authorization *auth, struct bytes date, uint64_t now_s)
{
    uint64_t at_s;

    ENSURE(date.p && !when_basic(&at_s, date).code, ERR_KMS,
           "IncompleteSignatureException: X-Amz-Date: expected YYYYMMDDTHHMMSSZ");
    ENSURE(bytes_equal(auth->day, bytes_take(date, 8)), ERR_KMS,
           "InvalidSignatureException: Date in Credential scope does not match YYYYMMDD from "
           "ISO-8601 version of date from HTTP");
    ENSURE(at_s + KMS_AUTH_SKEW_S >= now_s, ERR_KMS,
           "InvalidSignatureException: Signature expired: X-Amz-Date is more than 5 minutes old");
    ENSURE(at_s <= now_s + KMS_AUTH_SKEW_S, ERR_KMS,
           "InvalidSignatureException: Signature not yet current: X-Amz-Date is more than 5 "
           "minutes ahead");
    return OK;
}

// A value as it is signed: trimmed, runs of blanks as one.
static void write_value(struct wr *wr, struct bytes value)
{
    value = trim(value);
    for (size_t i = 0; i < value.n; i++) {
        if (i == 0 || value.p[i] != ' ' || value.p[i - 1] != ' ')
            wr_u8(wr, value.p[i]);
    }
}

// Canonical headers in the order of the list, which must be sorted and in lower case.
static FALLIBLE write_canonical(struct wr *wr, struct bytes list, const struct http_head *head)
{
    struct bytes previous = BYTES_NONE;
    char text[64];

    for (unsigned i = 0; list.n; i++) {
        struct bytes name = split(&list, ';');
        struct bytes value;

        ENSURE(i < SIGNED_MAX && name.n && bytes_to_str(name, text, sizeof(text)) &&
                   bytes_compare(previous, name) < 0,
               ERR_KMS, "InvalidSignatureException: SignedHeaders: expected sorted names.");
        value = http_field_get(head, text);
        ENSURE(value.p, ERR_KMS, "InvalidSignatureException: a signed header is not there.");
        wr_bytes(wr, name);
        wr_u8(wr, ':');
        write_value(wr, value);
        wr_u8(wr, '\n');
        previous = name;
    }
    return OK;
}

static struct err check_signature(const struct authorization *auth, const struct creds *creds,
                                  const struct kms_auth *request)
{
    uint8_t canonical[CANONICAL_MAX];
    struct wr wr = WR_OF(canonical);
    char expected[65];

    TRY(write_canonical(&wr, auth->signed_headers, request->head));
    ENSURE(!wr.bad, ERR_KMS, "InvalidSignatureException: signed headers are too long.");
    sigv4_signature(expected, bytes_str(creds->secret_key),
                    &(struct sigv4_scope) {
                        .date = http_field_get(request->head, "X-Amz-Date"),
                        .region = auth->region,
                        .service = auth->service,
                        .canonical_headers = wr_done(&wr),
                        .signed_headers = auth->signed_headers,
                        .body = request->body,
                    });
    ENSURE(ct_equal(bytes_str(expected), auth->signature), ERR_KMS,
           "InvalidSignatureException: The request signature we calculated does not match the "
           "signature you provided.");
    return OK;
}
