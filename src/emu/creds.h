// SPDX-License-Identifier: Apache-2.0
// Temporary credentials: issued by the emulated IMDS, known to the emulated KMS, kept in
// DIR/credentials (mode 0600, the last sixteen), so that those issued before a restart stay valid.
#pragma once

#include "base/ct.h"
#include "base/err.h"

#define CREDS_ACCESS_MAX 32
#define CREDS_SECRET_MAX 64
#define CREDS_TOKEN_MAX  512
#define CREDS_ROLE_MAX   256

struct creds {
    char access_key[CREDS_ACCESS_MAX];
    char secret_key[CREDS_SECRET_MAX];
    char token[CREDS_TOKEN_MAX];
    char role[CREDS_ROLE_MAX]; // the role's ARN
    uint64_t issued_s, expires_s;
};

void creds_wipe(struct creds *creds);
// The ARN of the caller's session, as sts writes it into policies and messages:
// arn:aws:sts::ACCOUNT:assumed-role/NAME/i-development. Empty when the role is no role ARN.
void creds_session(char out[static CREDS_ROLE_MAX], const struct creds *creds);
// The credentials of `role` at this time: those issued last while more than half of their life is
// left, else new ones that are valid for `life_s`.
FALLIBLE creds_current(struct creds *out, const char *dir, const char *role, uint64_t now_s,
                       uint64_t life_s);
// Those with this access key, expired or not. ERR_NOT_FOUND.
FALLIBLE creds_find(struct creds *out, const char *dir, struct bytes access_key);
