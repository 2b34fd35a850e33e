// SPDX-License-Identifier: Apache-2.0
// The keyset record. Its bytes come from the parent's store: form and ranges are checked here, the
// shares by their AEAD and the whole by the check value, which only the vault can compute.
#include "proto/keyset.h"

#include "proto/arn.h"
#include "proto/tag.h"

#define SEALED_SHARE_BYTES 60U // nonce (12), share (32), tag (16)
#define CHECK_BYTES        32U
#define RECOVERY_KEY_BYTES 32U
#define RECOVERY_BYTES_MAX 512U // 16 recovery keys

static FALLIBLE check_head(const struct keyset *keyset);
static FALLIBLE check_wrap(const struct keyset *keyset, size_t at);

static void read_wrap(struct keyset_wrap *wrap, struct rd *rd)
{
    wrap->kind = rd_u8(rd);
    wrap->x = rd_u8(rd);
    wrap->cmk = rd_var16(rd, ARN_BYTES_MAX);
    wrap->blob = rd_var16(rd, KMS_BLOB_MAX);
    wrap->sealed = rd_var8(rd, SEALED_SHARE_BYTES);
}

struct err keyset_read(struct keyset *out, struct bytes record)
{
    struct rd rd = rd_of(record);
    uint16_t version = rd_u16(&rd);

    ENSURE(record.n <= KEYSET_BYTES_MAX, ERR_TOO_LARGE, "keyset: expected at most 40960 bytes");
    ENSURE(rd.bad || version == KEYSET_VERSION, ERR_UNSUPPORTED, "keyset: expected version 1");
    out->deployment = id_read(&rd);
    out->id = id_read(&rd);
    out->name = rd_var8(&rd, NAME_BYTES_MAX);
    out->purpose = (enum config_purpose)rd_u8(&rd);
    out->created_ms = rd_u64(&rd);
    out->k = rd_u8(&rd);
    out->n = rd_u8(&rd);
    ENSURE(out->n <= CONFIG_CMKS, ERR_MALFORMED, "keyset: expected at most 5 wrappings");
    for (size_t i = 0; i < out->n; i++)
        read_wrap(&out->wrap[i], &rd);
    out->recovery = rd_var16(&rd, RECOVERY_BYTES_MAX);
    out->check = rd_bytes(&rd, CHECK_BYTES);
    TRY(rd_end(&rd));
    TRY(check_head(out));
    for (size_t i = 0; i < out->n; i++)
        TRY(check_wrap(out, i));
    return OK;
}

static FALLIBLE check_head(const struct keyset *keyset)
{
    ENSURE(!id_is_zero(&keyset->deployment), ERR_MALFORMED, "keyset: deployment is zero");
    ENSURE(!id_is_zero(&keyset->id), ERR_MALFORMED, "keyset: id is zero");
    ENSURE(config_name_ok(keyset->name), ERR_MALFORMED,
           "keyset: name: expected 1 to 32 of a-z 0-9 - _");
    ENSURE(keyset->purpose >= CONFIG_ACCOUNTS && keyset->purpose <= CONFIG_TLS, ERR_UNSUPPORTED,
           "keyset: purpose: expected 1 to 3");
    ENSURE(keyset->k >= 1 && keyset->k <= keyset->n, ERR_MALFORMED,
           "keyset: threshold: expected 1 to the number of wrappings");
    ENSURE(keyset->recovery.n % RECOVERY_KEY_BYTES == 0, ERR_MALFORMED,
           "keyset: recovery: expected 32 bytes for each key");
    return OK;
}

// Coordinates must differ (Shamir interpolation divides by their differences), and so must the
// CMKs: else one KMS key would stand for several of the k that have to agree.
static FALLIBLE check_wrap(const struct keyset *keyset, size_t at)
{
    const struct keyset_wrap *wrap = &keyset->wrap[at];
    struct arn arn;

    ENSURE(wrap->kind == KEYSET_WRAP_DATA_KEY, ERR_UNSUPPORTED, "keyset: wrap kind: expected 1");
    ENSURE(wrap->x >= 1 && wrap->x <= keyset->n, ERR_MALFORMED,
           "keyset: share: expected a coordinate of 1 to n");
    ENSURE(wrap->blob.n > 0, ERR_MALFORMED, "keyset: blob: expected a CiphertextBlob");
    ENSURE(wrap->sealed.n == SEALED_SHARE_BYTES, ERR_MALFORMED,
           "keyset: sealed: expected 60 bytes");
    TRY(arn_parse(&arn, wrap->cmk));
    for (size_t i = 0; i < at; i++) {
        ENSURE(keyset->wrap[i].x != wrap->x, ERR_MALFORMED, "keyset: share coordinate is repeated");
        ENSURE(!bytes_equal(keyset->wrap[i].cmk, wrap->cmk), ERR_MALFORMED,
               "keyset: CMK is repeated");
    }
    return OK;
}

// The record's fields in order; the sealed shares only when `with_sealed`.
static void write_fields(struct wr *wr, const struct keyset *keyset, bool with_sealed)
{
    wr_u16(wr, KEYSET_VERSION);
    id_write(wr, &keyset->deployment);
    id_write(wr, &keyset->id);
    wr_var8(wr, keyset->name);
    wr_u8(wr, (uint8_t)keyset->purpose);
    wr_u64(wr, keyset->created_ms);
    wr_u8(wr, keyset->k);
    wr_u8(wr, keyset->n);
    for (size_t i = 0; i < keyset->n && i < CONFIG_CMKS; i++) {
        wr_u8(wr, keyset->wrap[i].kind);
        wr_u8(wr, keyset->wrap[i].x);
        wr_var16(wr, keyset->wrap[i].cmk);
        wr_var16(wr, keyset->wrap[i].blob);
        if (with_sealed)
            wr_var8(wr, keyset->wrap[i].sealed);
    }
    wr_var16(wr, keyset->recovery);
}

void keyset_write(struct wr *wr, const struct keyset *keyset)
{
    write_fields(wr, keyset, true);
    if (keyset->check.n != CHECK_BYTES)
        wr_refuse(wr);
    wr_bytes(wr, keyset->check);
}

void keyset_write_public(struct wr *wr, const struct keyset *keyset)
{
    write_fields(wr, keyset, false);
}

void keyset_write_share_aad(struct wr *wr, const struct keyset *keyset,
                            const struct keyset_wrap *wrap)
{
    wr_str(wr, TAG_SHARE);
    wr_u8(wr, 0);
    wr_u16(wr, KEYSET_VERSION);
    id_write(wr, &keyset->deployment);
    id_write(wr, &keyset->id);
    wr_var8(wr, keyset->name);
    wr_u8(wr, (uint8_t)keyset->purpose);
    wr_u8(wr, keyset->k);
    wr_u8(wr, keyset->n);
    wr_u8(wr, wrap->x);
    wr_var16(wr, wrap->cmk);
    wr_var16(wr, wrap->blob);
}
