// SPDX-License-Identifier: Apache-2.0
// Emulated IMDSv2. Session tokens are stateless: expiry and a MAC under a key of this process. A
// request without a token is refused, as it is on instances that demand version 2.
#include "emu/imds.h"

#include "base/base64.h"
#include "base/ct.h"
#include "base/must.h"
#include "base/rd.h"
#include "base/u256.h"
#include "crypto/openssl/mac.h"
#include "emu/creds.h"
#include "emu/journal.h"
#include "net/json.h"

#include <string.h>
#include <time.h>

#define TOKEN_BYTES     40 // u64 expiry, 32 bytes of MAC
#define TOKEN_TTL_MAX_S 21600
#define TOKEN_PATH      "/latest/api/token"
#define ROLE_PATH       "/latest/meta-data/iam/security-credentials/"
#define TTL_HEADER      "x-aws-ec2-metadata-token-ttl-seconds"
#define TOKEN_HEADER    "x-aws-ec2-metadata-token"

static unsigned imds_token(const struct imds *imds, const struct server_request *request,
                           struct server_response *response);
static unsigned imds_get(const struct imds *imds, const struct server_request *request,
                         struct server_response *response);

// RFC 9110 15.5.6: with what the path does take.
static void imds_refuse_method(struct server_response *response, bool is_token)
{
    response->status = 405;
    response->field[response->fields++] =
        (struct http_field) { BYTES_LIT("Allow"),
                              is_token ? BYTES_LIT("PUT") : BYTES_LIT("GET, HEAD") };
}

void imds_handle(const struct server_request *request, struct server_response *response)
{
    const struct imds *imds = request->context;
    const struct http_head *head = request->head;
    bool is_token = bytes_equal_str(head->target, TOKEN_PATH);

    response->content_type = "text/plain";
    // A proxy on the instance must not hand out tokens (the reason for this rule of IMDSv2).
    if (http_field_get(head, "X-Forwarded-For").p)
        response->status = 403;
    else if (bytes_equal_str(head->method, "PUT") && is_token)
        response->status = imds_token(imds, request, response);
    else if (!is_token &&
             (bytes_equal_str(head->method, "GET") || bytes_equal_str(head->method, "HEAD")))
        response->status = imds_get(imds, request, response);
    else
        imds_refuse_method(response, is_token);
    if (response->status != 200)
        journal("imds refused: %u", response->status);
}

static void token_mac(const struct imds *imds, uint8_t mac[static 32], struct bytes expiry)
{
    mac_hmac256(mac, BYTES_OF(imds->token_key), expiry);
}

static unsigned imds_token(const struct imds *imds, const struct server_request *request,
                           struct server_response *response)
{
    struct bytes ttl = http_field_get(request->head, TTL_HEADER);
    uint8_t token[TOKEN_BYTES];
    struct wr wr = WR_OF(token);
    struct u256 number;
    uint64_t seconds;

    if (!ttl.p || u256_parse_decimal(&number, ttl).code || u256_to_u64(&seconds, number).code ||
        seconds < 1 || seconds > TOKEN_TTL_MAX_S)
        return 400;
    wr_u64(&wr, (uint64_t)time(NULL) + seconds);
    token_mac(imds, token + 8, bytes_of(token, 8));
    base64_write(&response->body, BYTES_OF(token));
    response->field[response->fields++] = (struct http_field) { BYTES_LIT(TTL_HEADER), ttl };
    return 200;
}

static bool token_is_valid(const struct imds *imds, struct bytes text)
{
    uint8_t token[TOKEN_BYTES], mac[32];
    struct rd rd;
    size_t n = 0;

    if (!text.p || base64_decode(token, sizeof(token), &n, text).code || n != TOKEN_BYTES)
        return false;
    token_mac(imds, mac, bytes_of(token, 8));
    rd = rd_of(bytes_of(token, 8));
    return ct_equal(BYTES_OF(mac), bytes_of(token + 8, 32)) && rd_u64(&rd) > (uint64_t)time(NULL);
}

// The last part of arn:aws:iam::ACCOUNT:role/PATH/NAME.
static const char *role_name(const char *arn)
{
    const char *slash = strrchr(arn, '/');

    return slash ? slash + 1 : arn;
}

static void write_time(struct jw *jw, const char *key, uint64_t seconds)
{
    time_t at = (time_t)seconds;
    struct tm tm = { 0 };
    char text[32];

    (void)gmtime_r(&at, &tm);
    (void)strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", &tm);
    jw_key(jw, key);
    jw_cstring(jw, text);
}

static unsigned imds_credentials(const struct imds *imds, struct server_response *response)
{
    AUTO(creds_wipe) struct creds creds = { 0 };
    struct jw jw = jw_of(&response->body);
    uint64_t now_s = (uint64_t)time(NULL);

    if (creds_current(&creds, imds->dir, imds->role, now_s, imds->life_s).code)
        return 500;
    jw_object(&jw);
    jw_key(&jw, "Code");
    jw_cstring(&jw, "Success");
    write_time(&jw, "LastUpdated", creds.issued_s);
    jw_key(&jw, "Type");
    jw_cstring(&jw, "AWS-HMAC");
    jw_key(&jw, "AccessKeyId");
    jw_cstring(&jw, creds.access_key);
    jw_key(&jw, "SecretAccessKey");
    jw_cstring(&jw, creds.secret_key);
    jw_key(&jw, "Token");
    jw_cstring(&jw, creds.token);
    write_time(&jw, "Expiration", creds.expires_s);
    jw_object_end(&jw);
    journal("imds credentials %s of role %s, valid for %llu s", creds.access_key,
            role_name(imds->role), (unsigned long long)(creds.expires_s - now_s));
    return 200;
}

static unsigned imds_get(const struct imds *imds, const struct server_request *request,
                         struct server_response *response)
{
    struct bytes target = request->head->target;
    struct bytes name = bytes_skip(target, sizeof(ROLE_PATH) - 1);

    if (!token_is_valid(imds, http_field_get(request->head, TOKEN_HEADER)))
        return 401;
    // With and without the closing slash, as the real service takes the list.
    if (!imds->role || !bytes_equal(bytes_take(target, sizeof(ROLE_PATH) - 2),
                                    bytes_of(ROLE_PATH, sizeof(ROLE_PATH) - 2)))
        return 404;
    if (target.n <= sizeof(ROLE_PATH) - 1) {
        wr_str(&response->body, role_name(imds->role));
        return 200;
    }
    return bytes_equal_str(name, role_name(imds->role)) ? imds_credentials(imds, response) : 404;
}
