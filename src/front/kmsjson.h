// SPDX-License-Identifier: Apache-2.0
// Bodies of KMS requests and answers (PROTOCOL.md section 3). Who may include it: front.
#pragma once

#include "base/wr.h"
#include "proto/id.h"
#include "proto/limits.h"
#include "proto/msg.h"

#define KMSJSON_TYPE_MAX 64U // an error's name

// Bytes of a call in space of their own.
struct kmsjson_blob {
    size_t n;
    uint8_t b[KMS_BLOB_MAX];
};

struct kmsjson_request {
    enum msg_step_kind kind; // MSG_STEP_GENERATE or MSG_STEP_DECRYPT
    struct bytes cmk;        // full ARN
    struct id deployment;
    struct bytes keyset; // its name
    struct bytes blob;   // MSG_STEP_DECRYPT
    struct bytes document;
};

// Writes the body. Sizes are the writer's to bound.
void kmsjson_write(struct wr *wr, const struct kmsjson_request *request);
// "TrentService.GenerateDataKey" or "TrentService.Decrypt".
const char *kmsjson_target(enum msg_step_kind kind);

struct kmsjson_answer {
    struct kmsjson_blob blob; // GenerateDataKey: CiphertextBlob
    struct kmsjson_blob cms;  // CiphertextForRecipient
};
// Reads the body of a 200 (which is changed). ERR_MALFORMED; ERR_UNTRUSTED when KMS answered in
// clear; ERR_MISMATCH when it used another key.
FALLIBLE kmsjson_read(struct kmsjson_answer *out, const struct kmsjson_request *request,
                      struct bytes body);
// Reads the body of an error (which is changed): `type` receives its name without prefix, `wr` the
// sentence for people, "NAME: message", printable, cut at WHAT_BYTES_MAX.
void kmsjson_read_error(char type[static KMSJSON_TYPE_MAX], struct wr *wr, struct bytes body);
