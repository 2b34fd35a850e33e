// SPDX-License-Identifier: Apache-2.0
// Customer master keys of the emulated KMS: files in DIR/keys, written whole, mode 0600.
// ID.key (JSON: arn, enabled, secret) and ID.policy (the key policy as given). Nothing is cached:
// every request reads them, so that a change counts at once. A key without policy allows nothing.
#pragma once

#include "base/seckey.h"
#include "proto/arn.h"

#define CMK_ARN_MAX    128
#define CMK_ID_BYTES   36 // a UUID as text
#define CMK_POLICY_MAX 32768

struct cmk {
    char arn[CMK_ARN_MAX];
    bool enabled;
    struct seckey secret; // 256 bits
};

void cmk_wipe(struct cmk *cmk);
// A new enabled key without policy; its ARN is in cmk->arn.
FALLIBLE cmk_create(struct cmk *cmk, const char *dir, const char *region, const char *account);
// By full ARN, or by key id alone (36 characters). ERR_NOT_FOUND; ERR_CORRUPT when its file is
// not as cmk_create writes it.
FALLIBLE cmk_load(struct cmk *cmk, const char *dir, struct bytes arn_or_id);
FALLIBLE cmk_set_enabled(const char *dir, struct bytes arn_or_id, bool enabled);
// The policy's text. Setting it checks it first (emu/kms_policy.h).
FALLIBLE cmk_set_policy(const char *dir, const struct cmk *cmk, struct bytes policy);
// *n is 0 when the key has no policy.
FALLIBLE cmk_policy(const char *dir, const struct cmk *cmk, uint8_t *out, size_t cap, size_t *n);
