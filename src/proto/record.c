// SPDX-License-Identifier: Apache-2.0
// The sealed record of one key. What is stored is hostile until the AEAD opens: here only form,
// ranges and the two hashes are checked. The public bytes are kept as a view of what was read,
// since they are the AAD verbatim.
#include "proto/record.h"

#include "base/must.h"
#include "proto/policy.h"
#include "proto/tag.h"

#define COMPRESSED_POINT_BYTES 33U
#define BLS_PUBLIC_BYTES       48U

static void read_public(struct record *out, struct rd *rd);
static FALLIBLE check_public(const struct record *record);
static FALLIBLE check_attachments(const struct record *record);

struct err record_read(struct record *out, struct bytes bytes)
{
    struct rd rd = rd_of(bytes);
    uint16_t version = rd_u16(&rd);

    ENSURE(bytes.n <= RECORD_BYTES_MAX, ERR_TOO_LARGE, "record: expected at most 40960 bytes");
    ENSURE(rd.bad || version == RECORD_VERSION, ERR_UNSUPPORTED, "record: expected version 1");
    read_public(out, &rd);
    out->public_bytes = bytes_take(bytes, bytes.n - rd.left.n);
    out->policy = rd_var16(&rd, POLICY_BYTES_MAX);
    out->authorisers = rd_var16(&rd, POLICY_BYTES_MAX);
    out->sealed = rd_var16(&rd, RECORD_SEALED_BYTES);
    TRY(rd_end(&rd));
    TRY(check_public(out));
    return check_attachments(out);
}

static void read_public(struct record *out, struct rd *rd)
{
    out->deployment = id_read(rd);
    out->keyset = id_read(rd);
    out->id = id_read(rd);
    out->key_type = (enum record_key_type)rd_u8(rd);
    out->purpose = (enum record_purpose)rd_u8(rd);
    out->public_key = rd_var8(rd, BLS_PUBLIC_BYTES);
    rd_copy(rd, out->policy_hash, sizeof(out->policy_hash));
    rd_copy(rd, out->authoriser_hash, sizeof(out->authoriser_hash));
    out->provenance = (enum record_provenance)rd_u8(rd);
    out->generation = rd_u32(rd);
    out->created_ms = rd_u64(rd);
}

static FALLIBLE check_public(const struct record *record)
{
    size_t key_bytes =
        record->key_type == RECORD_BLS12381 ? BLS_PUBLIC_BYTES : COMPRESSED_POINT_BYTES;

    ENSURE(!id_is_zero(&record->deployment), ERR_MALFORMED, "record: deployment is zero");
    ENSURE(!id_is_zero(&record->keyset), ERR_MALFORMED, "record: keyset is zero");
    ENSURE(!id_is_zero(&record->id), ERR_MALFORMED, "record: account is zero");
    ENSURE(record->key_type >= RECORD_SECP256K1 && record->key_type <= RECORD_P256, ERR_UNSUPPORTED,
           "record: key type: expected 1 to 3");
    ENSURE(record->purpose >= RECORD_ACCOUNT && record->purpose <= RECORD_TLS, ERR_UNSUPPORTED,
           "record: purpose: expected 1 to 3");
    ENSURE(record->public_key.n == key_bytes, ERR_MALFORMED,
           "record: public key: expected the length of its key type");
    ENSURE(record->provenance >= RECORD_GENERATED && record->provenance <= RECORD_EXPOSED,
           ERR_UNSUPPORTED, "record: provenance: expected 1 to 3");
    ENSURE(record->generation >= 1, ERR_MALFORMED, "record: generation: expected at least 1");
    return OK;
}

static FALLIBLE check_attachments(const struct record *record)
{
    uint8_t hash[32];

    ENSURE(record->sealed.n == RECORD_SEALED_BYTES, ERR_MALFORMED,
           "record: sealed: expected 60 bytes");
    policy_hash(hash, record->policy);
    ENSURE(bytes_equal(BYTES_OF(hash), BYTES_OF(record->policy_hash)), ERR_CORRUPT,
           "record: policy does not have the hash in the public bytes");
    policy_authoriser_hash(hash, record->authorisers);
    ENSURE(bytes_equal(BYTES_OF(hash), BYTES_OF(record->authoriser_hash)), ERR_CORRUPT,
           "record: authorisers do not have the hash in the public bytes");
    return OK;
}

void record_write_public(struct wr *wr, const struct record *record)
{
    wr_u16(wr, RECORD_VERSION);
    id_write(wr, &record->deployment);
    id_write(wr, &record->keyset);
    id_write(wr, &record->id);
    wr_u8(wr, (uint8_t)record->key_type);
    wr_u8(wr, (uint8_t)record->purpose);
    wr_var8(wr, record->public_key);
    wr_bytes(wr, BYTES_OF(record->policy_hash));
    wr_bytes(wr, BYTES_OF(record->authoriser_hash));
    wr_u8(wr, (uint8_t)record->provenance);
    wr_u32(wr, record->generation);
    wr_u64(wr, record->created_ms);
}

void record_write(struct wr *wr, const struct record *record)
{
    must(record->public_bytes.n > 0);
    wr_bytes(wr, record->public_bytes);
    wr_var16(wr, record->policy);
    wr_var16(wr, record->authorisers);
    wr_var16(wr, record->sealed);
}

void record_write_key_info(struct wr *wr, const struct record *record)
{
    wr_str(wr, TAG_RECORD_KEY);
    wr_u8(wr, 0);
    wr_u16(wr, RECORD_VERSION);
    id_write(wr, &record->keyset);
    id_write(wr, &record->id);
    wr_u8(wr, (uint8_t)record->purpose);
    wr_u8(wr, (uint8_t)record->key_type);
}
