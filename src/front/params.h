// SPDX-License-Identifier: Apache-2.0
// Parameters that several methods take. Who may include it: front.
#pragma once

#include "net/json.h"
#include "proto/id.h"
#include "proto/limits.h"

// A client's attestation nonce: at most 64 bytes.
struct params_nonce {
    uint8_t b[NONCE_BYTES_MAX];
    size_t n;
};

// "nonce"?: 0x and hex. Absent: empty.
FALLIBLE params_read_nonce(struct params_nonce *out, const struct json *params);
struct bytes params_nonce_bytes(const struct params_nonce *nonce);
// "record_b64": base64 into `space`; *record is the view of it. ERR_MALFORMED or ERR_TOO_LARGE.
FALLIBLE params_read_record(struct bytes *record, uint8_t space[static RECORD_BYTES_MAX],
                            const struct json *params);
