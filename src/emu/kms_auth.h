// SPDX-License-Identifier: Apache-2.0
// Who calls the emulated KMS: AWS Signature Version 4 is verified for real, against credentials
// that the emulated IMDS issued. Errors are ERR_KMS with AWS's error name first in the text.
#pragma once

#include "emu/creds.h"
#include "net/http.h"

#define KMS_AUTH_SKEW_S 300

struct kms_auth {
    const struct http_head *head;
    struct bytes body;
    const char *dir; // where the issued credentials are
    uint64_t now_s;
};

// On success *caller are the credentials that signed; *region (a view into the head) is the one of
// the host and of the scope, which must agree. The host, date, target and token headers must be
// part of what was signed. On a refusal everything in *caller is zero.
FALLIBLE kms_auth_verify(struct creds *caller, struct bytes *region,
                         const struct kms_auth *request);
