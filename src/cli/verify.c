// SPDX-License-Identifier: Apache-2.0
// Receipts are checked off the parent. Nothing of the service's answer is believed: its `address`
// or fingerprint is not even read. An address that a hostile parent made up, or that an enclave of
// another program or another configuration made, ends as the word UNVERIFIED.
#include "cli/verify.h"

#include "base/base64.h"
#include "base/hex.h"
#include "crypto/openssl/p256.h"
#include "crypto/openssl/sha2.h"
#include "proto/policy.h"

#include <string.h>

// What the service keeps of a key, as bytes in static memory.
struct stored {
    struct bytes record, receipt;
};

static FALLIBLE read_b64(uint8_t *out, size_t cap, struct bytes *view, struct bytes text)
{
    size_t n = 0;

    TRY(base64_decode(out, cap, &n, text));
    *view = bytes_of(out, n);
    return OK;
}

static FALLIBLE read_stored(struct stored *out, const struct json *from)
{
    static uint8_t record_bytes[RECORD_BYTES_MAX];
    static uint8_t receipt_bytes[DOCUMENT_MAX];
    struct bytes record_b64 = json_string(json_get(from, "record_b64"));
    struct bytes receipt_b64 = json_string(json_get(from, "receipt_b64"));

    ENSURE(record_b64.n > 0, ERR_UNTRUSTED, "the service sent no record");
    ENSURE(receipt_b64.n > 0, ERR_UNTRUSTED, "the service sent no receipt");
    TRY(read_b64(record_bytes, sizeof(record_bytes), &out->record, record_b64));
    return read_b64(receipt_bytes, sizeof(receipt_bytes), &out->receipt, receipt_b64);
}

// Who took over the enclave's front can have keys created in a keyset whose key he knows, and
// their receipts are genuine (SECURITY.md): a user who pins the keysets does not take them.
static bool keyset_is_trusted(const struct trust *trust, const struct id *keyset)
{
    for (size_t i = 0; i < trust->keyset_len; i++)
        if (id_equal(&trust->keyset[i], keyset))
            return true;
    return trust->keyset_len == 0;
}

// The record belongs to this deployment and is what the service says it is, under the name of
// `id_field`.
static FALLIBLE check_record(const struct record *record, const struct trust *trust,
                             const struct json *from, const char *id_field)
{
    struct id claimed;

    ENSURE(id_equal(&record->deployment, &trust->config.deployment), ERR_UNTRUSTED,
           "record: belongs to another deployment");
    TRY(id_parse(&claimed, json_string(json_get(from, id_field))));
    ENSURE(id_equal(&record->id, &claimed), ERR_UNTRUSTED,
           "record: belongs to another account or key");
    TRY(id_parse(&claimed, json_string(json_get(from, "keyset"))));
    ENSURE(id_equal(&record->keyset, &claimed), ERR_UNTRUSTED, "record: belongs to another keyset");
    ENSURE(keyset_is_trusted(trust, &record->keyset), ERR_UNTRUSTED,
           "record: its keyset is not one of the trust file");
    return policy_check_authorisers(record->authorisers);
}

static FALLIBLE verify(struct verify *out, const struct trust *trust, const struct json *account,
                       struct bytes nonce)
{
    struct proof_trust pins;
    struct stored stored = { BYTES_NONE, BYTES_NONE };
    struct cloister_verify_account found;
    struct record record;
    struct policy policy;

    TRY(trust_receipts(&pins, trust));
    TRY(read_stored(&stored, account));
    TRY(proof_check_account(&pins, stored.record, stored.receipt, nonce, &found));
    TRY(record_read(&record, stored.record));
    TRY(check_record(&record, trust, account, "account"));
    TRY(policy_read(&policy, record.policy));
    memcpy(out->raw_address, found.address_bytes, sizeof(out->raw_address));
    memcpy(out->address, found.address, sizeof(out->address));
    out->account = record.id;
    out->keyset = record.keyset;
    out->created_ms = record.created_ms;
    out->policy = policy_kind_name(policy.kind);
    return OK;
}

void verify_account(struct verify *out, const struct trust *trust, const struct json *account,
                    const struct id *id, struct bytes nonce)
{
    struct verify result = { .policy = "unknown" };

    result.reason = verify(&result, trust, account, nonce);
    if (!result.reason.code && id && !id_equal(&result.account, id))
        result.reason = FAIL(ERR_UNTRUSTED, "the service answered another account");
    result.is_verified = result.reason.code == 0;
    if (!result.is_verified)
        result = (struct verify) { .address = VERIFY_UNVERIFIED,
                                   .policy = "unknown",
                                   .reason = result.reason };
    *out = result;
}

static const char *provenance_name(enum record_provenance provenance)
{
    static const char *const names[] = { [RECORD_GENERATED] = "generated",
                                         [RECORD_IMPORTED] = "imported",
                                         [RECORD_EXPOSED] = "exposed" };

    return names[provenance];
}

static FALLIBLE verify_tls(struct verify_tls *out, const struct trust *trust,
                           const struct json *key, struct bytes nonce)
{
    struct proof_trust pins;
    struct stored stored = { BYTES_NONE, BYTES_NONE };
    struct record record;
    struct policy policy;
    uint8_t spki[P256_SPKI_BYTES];

    TRY(trust_receipts(&pins, trust));
    TRY(read_stored(&stored, key));
    TRY(record_read(&record, stored.record));
    TRY(proof_check_record(&pins, &record, stored.receipt, nonce));
    TRY(check_record(&record, trust, key, "key"));
    TRY(policy_read(&policy, record.policy));
    ENSURE(record.key_type == RECORD_P256 && record.purpose == RECORD_TLS &&
               policy.kind == POLICY_NOTHING,
           ERR_UNTRUSTED, "record: is not a TLS key's");
    TRY(p256_spki(spki, record.public_key.p));
    sha2_256(out->spki_sha256, BYTES_OF(spki));
    hex_encode(out->spki, BYTES_OF(out->spki_sha256));
    out->key = record.id;
    out->keyset = record.keyset;
    out->provenance = provenance_name(record.provenance);
    out->created_ms = record.created_ms;
    return OK;
}

void verify_tls_key(struct verify_tls *out, const struct trust *trust, const struct json *key,
                    const struct id *id, struct bytes nonce)
{
    struct verify_tls result = { .spki = "" };

    result.reason = verify_tls(&result, trust, key, nonce);
    if (!result.reason.code && id && !id_equal(&result.key, id))
        result.reason = FAIL(ERR_UNTRUSTED, "the service answered another key");
    result.is_verified = result.reason.code == 0;
    if (!result.is_verified)
        result = (struct verify_tls) { .spki = VERIFY_UNVERIFIED,
                                       .provenance = "unknown",
                                       .reason = result.reason };
    *out = result;
}
