// SPDX-License-Identifier: Apache-2.0
// Who may do what with which key: key, account, Region, state and policy, in this order, so that
// nobody without permission learns whether a ciphertext opens.
#pragma once

#include "emu/kms_call.h"

// AWS KMS Developer Guide, "Key states of AWS KMS keys".
enum kms_admit_state {
    KMS_ADMIT_ENABLED,     // for cryptographic operations
    KMS_ADMIT_NOT_PENDING, // Enabled or Disabled
    KMS_ADMIT_PENDING,     // waiting for its deletion
    KMS_ADMIT_ANY
};

struct kms_admit {
    struct bytes key;           // ARN, or the id of a key of the caller's own account
    const char *action;         // as policies name it
    const struct json *context; // encryption context
    enum kms_admit_state state;
    bool from_blob;   // `key` is what a ciphertext names: its account does not matter
    bool own_account; // the API Reference says "Cross-account use: No"
    bool bypass;      // BypassPolicyLockoutSafetyCheck
};

// Loads the key into *cmk when the caller may do this with it.
FALLIBLE kms_admit(struct kms_call *call, struct cmk *cmk, const struct kms_admit *want);
// Asks this policy (not the key's) whether the caller could put another one after it. Used as the
// lockout safety check of PutKeyPolicy and CreateKey.
bool kms_admit_could_put(const struct kms_call *call, const struct cmk *cmk, struct bytes policy);
