// SPDX-License-Identifier: Apache-2.0
// Common parameters: text of the client into bytes, strictly, with errors that name the field.
#include "front/params.h"

#include "base/base64.h"
#include "base/hex.h"
#include "base/must.h"

_Static_assert(KEYSET_BYTES_MAX == RECORD_BYTES_MAX, "one limit serves both kinds of records");
const struct params_blob params_record = PARAMS_BLOB("record_b64", RECORD_BYTES_MAX, "40960");

struct err params_read_nonce(struct bytes *out, const struct json *params)
{
    static uint8_t space[NONCE_BYTES_MAX]; // one at a time, in the loop's thread
    const struct json *nonce = json_get(params, "nonce");
    size_t n = 0;

    ENSURE(!nonce || !hex_decode_0x(space, sizeof(space), &n, json_string(nonce)).code,
           ERR_MALFORMED, "nonce: expected 0x and at most 64 bytes of hex");
    *out = bytes_of(space, n);
    return OK;
}

struct err params_read_blob(struct bytes *out, const struct json *params,
                            const struct params_blob *blob)
{
    static uint8_t space[PARAMS_BLOB_MAX]; // as above
    struct err err;
    size_t n = 0;

    must(blob->most <= sizeof(space));
    err = base64_decode(space, blob->most, &n, json_string(json_get(params, blob->name)));
    if (!err.code && n == 0)
        err = FAIL(ERR_MALFORMED, "base64: empty");
    err.what = blob->what;
    *out = bytes_of(space, n);
    return err;
}
