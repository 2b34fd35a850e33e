// SPDX-License-Identifier: Apache-2.0
// AWS Signature Version 4 for POST to "/" without a query: canonical request, string to sign and
// key derivation of the AWS General Reference. It trusts the caller's clock. Everything derived
// from the secret key is wiped; nothing but the signature leaves.
#include "net/sigv4.h"

#include "base/ct.h"
#include "base/hex.h"
#include "base/must.h"
#include "crypto/openssl/mac.h"
#include "crypto/openssl/sha2.h"
#include "net/http.h"

#include <string.h>
#include <time.h>

#define CONTENT_TYPE "application/x-amz-json-1.1"
#define HEADERS_MAX  12288         // bytes of canonical headers; session tokens take 1 to 3 KiB
#define YEAR_10000   253402300800U // Unix seconds: dates have four digits for the year
#define SCOPE_MAX    64            // bytes of a region or service

void sigv4_date(char out[static SIGV4_DATE], uint64_t now_s)
{
    time_t seconds = (time_t)(now_s < YEAR_10000 ? now_s : YEAR_10000 - 1);
    struct tm tm;

    must(gmtime_r(&seconds, &tm) != NULL);
    must(strftime(out, SIGV4_DATE, "%Y%m%dT%H%M%SZ", &tm) == SIGV4_DATE - 1);
}

// SHA-256 of the canonical request, in hex.
static void sigv4_canonical_hash(char out[static 65], const struct sigv4_scope *scope)
{
    uint8_t body_hash[32], hash[32];
    char body_hex[65];
    struct sha2 sha;

    sha2_256(body_hash, scope->body);
    hex_encode(body_hex, BYTES_OF(body_hash));
    sha2_256_start(&sha);
    sha2_256_add(&sha, BYTES_LIT("POST\n/\n\n"));
    sha2_256_add(&sha, scope->canonical_headers);
    sha2_256_add(&sha, BYTES_LIT("\n"));
    sha2_256_add(&sha, scope->signed_headers);
    sha2_256_add(&sha, BYTES_LIT("\n"));
    sha2_256_add(&sha, bytes_str(body_hex));
    sha2_256_end(&sha, hash);
    hex_encode(out, BYTES_OF(hash));
}

// HMAC under "AWS4" and the secret key. HMAC takes keys over one block by their hash (RFC 2104
// section 2); doing that here keeps the buffer small for secrets of any length.
static void sigv4_hmac_secret(uint8_t out[static 32], struct bytes secret_key, struct bytes in)
{
    uint8_t key[64] = { 'A', 'W', 'S', '4' };
    size_t n = 4 + secret_key.n;
    struct sha2 sha;

    if (n <= sizeof(key)) {
        if (secret_key.n > 0)
            memcpy(key + 4, secret_key.p, secret_key.n);
    } else {
        sha2_256_start(&sha);
        sha2_256_add(&sha, BYTES_LIT("AWS4"));
        sha2_256_add(&sha, secret_key);
        sha2_256_end(&sha, key);
        ct_wipe(&sha, sizeof(sha));
        n = 32;
    }
    mac_hmac256(out, bytes_of(key, n), in);
    ct_wipe(key, sizeof(key));
}

// The scope's parts as they are signed. AWS knows no date, region or service longer than this; a
// longer one is cut, and its signature is then merely a wrong one that nobody can predict.
static struct bytes sigv4_cut(struct bytes part)
{
    return bytes_take(part, SCOPE_MAX);
}

static void sigv4_write_scope(struct wr *wr, const struct sigv4_scope *scope)
{
    wr_bytes(wr, bytes_take(scope->date, 8));
    wr_u8(wr, '/');
    wr_bytes(wr, sigv4_cut(scope->region));
    wr_u8(wr, '/');
    wr_bytes(wr, sigv4_cut(scope->service));
    wr_str(wr, "/aws4_request");
}

void sigv4_signature(char out[static 65], struct bytes secret_key, const struct sigv4_scope *scope)
{
    uint8_t text[512], mac[32];
    char canonical_hash[65];
    struct wr wr = WR_OF(text);

    sigv4_canonical_hash(canonical_hash, scope);
    wr_str(&wr, "AWS4-HMAC-SHA256\n");
    wr_bytes(&wr, bytes_take(scope->date, SIGV4_DATE - 1));
    wr_u8(&wr, '\n');
    sigv4_write_scope(&wr, scope);
    wr_u8(&wr, '\n');
    wr_str(&wr, canonical_hash);
    must(!wr.bad);

    sigv4_hmac_secret(mac, secret_key, bytes_take(scope->date, 8));
    mac_hmac256(mac, BYTES_OF(mac), sigv4_cut(scope->region));
    mac_hmac256(mac, BYTES_OF(mac), sigv4_cut(scope->service));
    mac_hmac256(mac, BYTES_OF(mac), BYTES_LIT("aws4_request"));
    mac_hmac256(mac, BYTES_OF(mac), wr_done(&wr));
    hex_encode(out, BYTES_OF(mac));
    ct_wipe(mac, sizeof(mac));
}

// A value with blanks or line breaks would be signed in another form than it is sent in.
static void sigv4_header(struct wr *wr, const char *name, struct bytes value)
{
    if (value.n > 0 && !http_is_visible(value, ""))
        wr_refuse(wr);
    wr_str(wr, name);
    wr_u8(wr, ':');
    wr_bytes(wr, value);
    wr_u8(wr, '\n');
}

void sigv4_authorization(struct wr *wr, const struct sigv4_credentials *credentials,
                         const struct sigv4_request *request)
{
    bool has_token = credentials->token.n > 0;
    const char *list = has_token ? "content-type;host;x-amz-date;x-amz-security-token;x-amz-target"
                                 : "content-type;host;x-amz-date;x-amz-target";
    char date[SIGV4_DATE], signature[65];
    uint8_t headers[HEADERS_MAX];
    struct wr canonical = WR_OF(headers);
    struct sigv4_scope scope = { .region = request->region, .service = request->service };

    sigv4_date(date, request->now_s);
    sigv4_header(&canonical, "content-type", BYTES_LIT(CONTENT_TYPE));
    sigv4_header(&canonical, "host", request->host);
    sigv4_header(&canonical, "x-amz-date", bytes_str(date));
    if (has_token)
        sigv4_header(&canonical, "x-amz-security-token", credentials->token);
    sigv4_header(&canonical, "x-amz-target", request->target);
    if (canonical.bad)
        wr_refuse(wr);
    scope.date = bytes_str(date);
    scope.canonical_headers = wr_done(&canonical);
    scope.signed_headers = bytes_str(list);
    scope.body = request->body;
    sigv4_signature(signature, credentials->secret_key, &scope);

    wr_str(wr, "AWS4-HMAC-SHA256 Credential=");
    wr_bytes(wr, credentials->access_key);
    wr_u8(wr, '/');
    sigv4_write_scope(wr, &scope);
    wr_str(wr, ", SignedHeaders=");
    wr_str(wr, list);
    wr_str(wr, ", Signature=");
    wr_str(wr, signature);
}
