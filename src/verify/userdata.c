// SPDX-License-Identifier: Apache-2.0
#include "verify/userdata.h"

#include "base/must.h"
#include "base/rd.h"
#include "proto/config.h"
#include "proto/tag.h"

#include <string.h>

const char *userdata_tag(struct bytes user_data)
{
    static const char *const tags[] = { TAG_RECEIPT,      TAG_KEYSET, TAG_STATUS,
                                        TAG_UNCONFIGURED, TAG_IMPORT, TAG_TLS };

    for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
        struct bytes with_zero = bytes_of(tags[i], strlen(tags[i]) + 1);

        if (bytes_equal(bytes_take(user_data, with_zero.n), with_zero))
            return tags[i];
    }
    return NULL;
}

// The fields of a status, to the end.
static FALLIBLE read_fields(struct receipt_status *out, struct rd *rd, bool unconfigured)
{
    out->phase = rd_u8(rd);
    out->boot = id_read(rd);
    out->sequence = rd_u64(rd);
    rd_copy(rd, out->audit_head, sizeof(out->audit_head));
    out->manifest_serial = rd_u64(rd);
    rd_copy(rd, out->manifest_digest, sizeof(out->manifest_digest));
    out->seals = rd_u32(rd);
    out->anchor = rd_u8(rd);
    out->anchored = rd_bool(rd);
    TRY(rd_end(rd));
    ENSURE(unconfigured ? out->phase == PHASE_UNCONFIGURED
                        : out->phase == PHASE_CONFIGURED || out->phase == PHASE_READY ||
                              out->phase == PHASE_SEALED,
           ERR_UNTRUSTED, "user_data: phase does not fit its tag");
    ENSURE(out->anchor <= CONFIG_ANCHOR_DYNAMODB, ERR_UNSUPPORTED, "user_data: unknown anchor");
    return OK;
}

struct err userdata_read_status(struct receipt_status *out, struct bytes user_data)
{
    const char *tag = userdata_tag(user_data);
    bool unconfigured = tag && strcmp(tag, TAG_UNCONFIGURED) == 0;
    struct rd rd;

    ENSURE(unconfigured || (tag && strcmp(tag, TAG_STATUS) == 0), ERR_UNTRUSTED,
           "user_data: expected a status document");
    rd = rd_of(bytes_skip(user_data, strlen(tag) + 1));
    return read_fields(out, &rd, unconfigured);
}

struct err userdata_read_tls(struct receipt_status *out, struct receipt_tls *key,
                             struct bytes user_data)
{
    const char *tag = userdata_tag(user_data);
    struct rd rd;

    ENSURE(tag && strcmp(tag, TAG_TLS) == 0, ERR_UNTRUSTED,
           "user_data: expected the document of a TLS key");
    rd = rd_of(bytes_skip(user_data, strlen(tag) + 1));
    rd_copy(&rd, key->spki_sha256, sizeof(key->spki_sha256));
    key->keyset = id_read(&rd);
    return read_fields(out, &rd, false);
}
