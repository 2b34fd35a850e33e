// SPDX-License-Identifier: Apache-2.0
// AES-256-CBC with PKCS#7 padding (RFC 5652 6.3), as KMS encrypts the content for a recipient.
// There is no authentication in this form: check what comes out before using it.
#pragma once

#include "base/err.h"
#include "base/seckey.h"

// `out` has room for in.n bytes; *n is the length without padding. ERR_CORRUPT for bad padding.
FALLIBLE aescbc_open(uint8_t *out, size_t *n, const struct seckey *key, const uint8_t iv[static 16],
                     struct bytes in);
// `out` has room for in.n + 16 bytes; *n is the padded length (the emulator's side).
FALLIBLE aescbc_seal(uint8_t *out, size_t *n, const struct seckey *key, const uint8_t iv[static 16],
                     struct bytes in);
