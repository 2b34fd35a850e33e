// SPDX-License-Identifier: Apache-2.0
// One call of the emulated KMS while it is being decided: what kms.c, kms_recipient.c and kms_op.c
// hand to each other. Refusals are ERR_KMS with "NameException: message" as their literal text, or
// ERR_DENIED, whose message is in `denial`.
#pragma once

#include "crypto/attest.h"
#include "emu/cmk.h"
#include "emu/creds.h"
#include "emu/kms.h"
#include "net/json.h"

#define KMS_CALL_NODES 512
#define KMS_BLOB_MAX   6144 // KMS's limit for CiphertextBlob
#define KMS_PLAIN_MAX  4096

struct kms_call {
    const struct kms *kms;
    uint64_t now_s;
    struct creds caller;
    char region[32];
    const char *operation; // "Decrypt"; "?" until it is known
    uint8_t text[KMS_REQUEST_MAX];
    struct json nodes[KMS_CALL_NODES];
    const struct json *root;
    const struct json *context; // an object of strings, or NULL
    bool has_recipient;
    uint8_t document[ATTEST_BYTES_MAX];
    struct attest attest;       // verified, when has_recipient
    uint8_t blob[KMS_BLOB_MAX]; // CiphertextBlob of the request
    size_t blob_len;
    size_t data_key_len; // of GenerateDataKey
    struct cmk cmk;
    char denial[768];
};
