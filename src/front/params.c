// SPDX-License-Identifier: Apache-2.0
// Common parameters: text of the client into bytes, strictly, with errors that name the field.
#include "front/params.h"

#include "base/base64.h"
#include "base/hex.h"

_Static_assert(KEYSET_BYTES_MAX == RECORD_BYTES_MAX, "one limit serves both kinds of records");

struct err params_read_nonce(struct params_nonce *out, const struct json *params)
{
    const struct json *nonce = json_get(params, "nonce");

    *out = (struct params_nonce) { .n = 0 };
    if (!nonce)
        return OK;
    ENSURE(json_string(nonce).p &&
               !hex_decode_0x(out->b, sizeof(out->b), &out->n, json_string(nonce)).code,
           ERR_MALFORMED, "nonce: expected 0x and at most 64 bytes of hex");
    return OK;
}

struct bytes params_nonce_bytes(const struct params_nonce *nonce)
{
    return bytes_of(nonce->b, nonce->n);
}

struct err params_read_record(struct bytes *record, uint8_t space[static RECORD_BYTES_MAX],
                              const struct json *params)
{
    struct bytes text = json_string(json_get(params, "record_b64"));
    struct err err;
    size_t n = 0;

    ENSURE(text.p, ERR_MALFORMED, "record_b64: expected a string");
    err = base64_decode(space, RECORD_BYTES_MAX, &n, text);
    ENSURE(err.code != ERR_TOO_LARGE, ERR_TOO_LARGE, "record_b64: more than 40960 bytes");
    ENSURE(!err.code && n > 0, ERR_MALFORMED, "record_b64: expected base64");
    *record = bytes_of(space, n);
    return OK;
}
