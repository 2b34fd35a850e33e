// SPDX-License-Identifier: Apache-2.0
// Parameters that several methods take. Who may include it: front.
#pragma once

#include "net/json.h"
#include "proto/limits.h"

// "nonce"?: 0x and hex, at most 64 bytes. Absent: none. The view is valid until the next call.
FALLIBLE params_read_nonce(struct bytes *out, const struct json *params);

// A member of base64, and what is said when it is something else.
struct params_blob {
    const char *name;
    size_t most; // bytes, at most PARAMS_BLOB_MAX
    const char *what;
};
#define PARAMS_BLOB_MAX (192U << 10)
#define PARAMS_BLOB(name, most, most_text)                                         \
    {                                                                              \
        name, most, name ": expected a string of base64, 1 to " most_text " bytes" \
    }
extern const struct params_blob params_record;
// Decodes it; the view is valid until the next call. ERR_MALFORMED or ERR_TOO_LARGE.
FALLIBLE params_read_blob(struct bytes *out, const struct json *params,
                          const struct params_blob *blob);
