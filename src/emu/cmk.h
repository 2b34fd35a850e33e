// SPDX-License-Identifier: Apache-2.0
// Customer master keys of the emulated KMS: files in DIR/keys, written whole, mode 0600.
// ID.key (JSON: ARN, state, dates, description, secret) and ID.policy (the key policy as given).
// Nothing is cached: every request reads them, so that a change counts at once. A key without
// policy allows nothing.
#pragma once

#include "base/seckey.h"
#include "emu/kms_policy.h"
#include "proto/arn.h"

#define CMK_ARN_MAX         128
#define CMK_ID_BYTES        36 // a UUID as text
#define CMK_POLICY_MAX      KMS_POLICY_MAX
#define CMK_DESCRIPTION_MAX 8192 // bytes
#define CMK_LIST_MAX        1024 // keys in one directory
#define CMK_DAY_S           86400

enum cmk_state { CMK_ENABLED, CMK_DISABLED, CMK_PENDING_DELETION };

struct cmk {
    char arn[CMK_ARN_MAX];
    enum cmk_state state;
    uint64_t created_s;  // Unix seconds
    uint64_t deletion_s; // with CMK_PENDING_DELETION: from then on there is no such key
    uint64_t window_days;
    char description[CMK_DESCRIPTION_MAX + 1];
    struct seckey secret; // 256 bits
};

void cmk_wipe(struct cmk *cmk);
// "Enabled", "Disabled", "PendingDeletion", as KMS writes them.
const char *cmk_state_name(enum cmk_state state);
// The key id at the end of the ARN.
struct bytes cmk_id(const struct cmk *cmk);
// A new enabled key without policy and description; its ARN is in cmk->arn.
FALLIBLE cmk_create(struct cmk *cmk, const char *dir, const char *region, const char *account);
// By full ARN, or by key id alone (36 characters). ERR_NOT_FOUND; ERR_CORRUPT when its file is
// not as cmk_create writes it.
FALLIBLE cmk_load(struct cmk *cmk, const char *dir, struct bytes arn_or_id);
// Writes the key's file again, after a change of state or description.
FALLIBLE cmk_save(const char *dir, const struct cmk *cmk);
// ERR_DENIED for a key that waits for its deletion.
FALLIBLE cmk_set_enabled(const char *dir, struct bytes arn_or_id, bool enabled);
// The policy's text. Setting it checks it first (emu/kms_policy.h).
FALLIBLE cmk_set_policy(const char *dir, const struct cmk *cmk, struct bytes policy);
// *n is 0 when the key has no policy.
FALLIBLE cmk_policy(const char *dir, const struct cmk *cmk, uint8_t *out, size_t cap, size_t *n);

struct cmk_list {
    char id[CMK_LIST_MAX][CMK_ID_BYTES + 1]; // in the order of their bytes
    size_t n;
};

// The ids of all keys of the directory. ERR_FULL when there are more than CMK_LIST_MAX.
FALLIBLE cmk_list(struct cmk_list *out, const char *dir);
