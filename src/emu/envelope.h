// SPDX-License-Identifier: Apache-2.0
// The other side of crypto/cms.h: CMS EnvelopedData (RFC 5652) as KMS answers it.
#pragma once

#include "base/bytes.h"
#include "base/err.h"
#include "base/wr.h"

// What KMS would answer for this plaintext, at most 4111 bytes, and recipient (SubjectPublicKeyInfo
// DER). `chunked` chooses the content form.
FALLIBLE envelope_seal(struct wr *out, struct bytes spki, struct bytes plaintext, bool chunked);
