// SPDX-License-Identifier: Apache-2.0
// One call of the emulated KMS while it is being decided: what the modules kms_* hand to each
// other. Refusals are ERR_KMS with "NameException: message" as their literal text, or ERR_DENIED,
// whose name and message are in `refusal` and `detail`.
#pragma once

#include "crypto/attest.h"
#include "emu/cmk.h"
#include "emu/creds.h"
#include "emu/fault.h"
#include "emu/kms.h"
#include "net/json.h"

#define KMS_CALL_NODES 512
#define KMS_BLOB_MAX   6144 // KMS's limit for CiphertextBlob
#define KMS_PLAIN_MAX  4096

struct kms_call {
    const struct kms *kms;
    uint64_t now_s;
    struct creds caller;
    char session[CREDS_ROLE_MAX]; // the caller's, as an ARN
    char region[32];
    const char *operation; // "Decrypt"; "?" until it is known
    uint8_t text[KMS_REQUEST_MAX];
    struct json nodes[KMS_CALL_NODES];
    const struct json *root;
    const struct json *context; // an object of strings, or NULL
    bool has_recipient;
    uint8_t document[ATTEST_BYTES_MAX];
    struct attest attest;        // verified, when has_recipient
    uint8_t input[KMS_BLOB_MAX]; // CiphertextBlob or Plaintext of the request
    size_t input_len;
    size_t random_len;      // of GenerateDataKey and GenerateRandom
    struct cmk cmk;         // of KeyId, or of what KeyId stands for
    struct cmk destination; // of ReEncrypt
    struct fault fault;
    const char *refusal; // AWS's name of an ERR_DENIED
    char detail[768];
};
