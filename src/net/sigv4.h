// SPDX-License-Identifier: Apache-2.0
// AWS Signature Version 4 (AWS General Reference, "Create a signed AWS API request") for POST
// requests to "/" without a query, as KMS and DynamoDB take them.
#pragma once

#include "base/err.h"
#include "base/wr.h"

struct sigv4_credentials {
    struct bytes access_key, secret_key;
    struct bytes token; // may be empty
};

struct sigv4_request {
    struct bytes host, region, service; // "kms"
    struct bytes target;                // X-Amz-Target
    struct bytes body;
    uint64_t now_s; // Unix seconds
};

#define SIGV4_DATE 17 // "20260101T000000Z" and NUL

// "20260101T000000Z" of a Unix time; net/when.h reads it.
void sigv4_date(char out[static SIGV4_DATE], uint64_t now_s);
// The value of the Authorization header. Signs content-type (application/x-amz-json-1.1), host,
// x-amz-date, x-amz-security-token (when there is one) and x-amz-target.
void sigv4_authorization(struct wr *wr, const struct sigv4_credentials *credentials,
                         const struct sigv4_request *request);
// The signature in hex for any POST: canonical headers as they must be signed, sorted, one
// "name:value\n" each, and the list "a;b;c". The verifying side (emulator) uses it too.
struct sigv4_scope {
    struct bytes date; // "20260101T000000Z"
    struct bytes region, service;
    struct bytes canonical_headers, signed_headers;
    struct bytes body;
};
void sigv4_signature(char out[static 65], struct bytes secret_key, const struct sigv4_scope *scope);
