// SPDX-License-Identifier: Apache-2.0
// AES-256-CBC with PKCS#7 padding (RFC 5652 6.3), as KMS encrypts the content for a recipient.
// There is no authentication in this form: check what comes out before using it.
#pragma once

#include "base/err.h"
#include "base/seckey.h"

// `out` has room for in.n bytes; the text must be exactly n bytes long. ERR_CORRUPT otherwise, with
// one text for every cause. An oracle for the text's last n % 16 bytes alone remains: where `in`
// may be hostile, n is a multiple of 16.
FALLIBLE aescbc_open(uint8_t *out, size_t n, const struct seckey *key, const uint8_t iv[static 16],
                     struct bytes in);
// `out` has room for in.n + 16 bytes; *n is the padded length (the emulator's side).
FALLIBLE aescbc_seal(uint8_t *out, size_t *n, const struct seckey *key, const uint8_t iv[static 16],
                     struct bytes in);
