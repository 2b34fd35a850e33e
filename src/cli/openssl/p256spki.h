// SPDX-License-Identifier: Apache-2.0
// How certificates name a key on P-256. Who may include it: cli.
#pragma once

#include "base/err.h"

#include <stdint.h>

// SHA-256 of the SubjectPublicKeyInfo (DER, RFC 5480 2) with the uncompressed point. ERR_MALFORMED
// unless `point` is a compressed point of the curve (SEC 1 2.3.3).
FALLIBLE p256spki_sha256(uint8_t out[static 32], const uint8_t point[static 33]);
