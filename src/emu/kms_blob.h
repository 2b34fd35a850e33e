// SPDX-License-Identifier: Apache-2.0
// CiphertextBlob of the emulated KMS: 152 bytes more than the plaintext and the same first bytes
// as the real one; the rest of the real form is not public. Layout: 01 02 02 00 78, key id (36),
// salt (83), nonce (12), AES-256-GCM ciphertext, tag (16). The ARN and the encryption context,
// sorted by name, are authenticated with it.
#pragma once

#include "emu/cmk.h"
#include "net/json.h"

#define KMS_BLOB_OVERHEAD 152

// `context` is an object of strings or NULL, which is the same as an empty one. ERR_TOO_LARGE when
// the context has over 64 names or over 8 KiB.
FALLIBLE kms_blob_seal(struct wr *out, const struct cmk *cmk, const struct json *context,
                       struct bytes plaintext);
// ERR_CORRUPT for another key, another context or damaged bytes.
FALLIBLE kms_blob_open(struct wr *out, const struct cmk *cmk, const struct json *context,
                       struct bytes blob);
// The key id that a blob names. ERR_CORRUPT when it is no blob of this service.
FALLIBLE kms_blob_key_id(struct bytes *id, struct bytes blob);
