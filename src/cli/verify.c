// SPDX-License-Identifier: Apache-2.0
// Receipts are checked off the parent. Nothing of the service's answer is believed: its `address`
// is not even read. An address that a hostile parent made up, or that an enclave of another program
// or another configuration made, ends as the word UNVERIFIED.
#include "cli/verify.h"

#include "base/base64.h"
#include "proto/policy.h"

#include <string.h>

static FALLIBLE read_b64(uint8_t *out, size_t cap, struct bytes *view, struct bytes text)
{
    size_t n = 0;

    TRY(base64_decode(out, cap, &n, text));
    *view = bytes_of(out, n);
    return OK;
}

// Who took over the enclave's front can have accounts created in a keyset whose key he knows, and
// their receipts are genuine (SECURITY.md): a user who pins the keysets does not take them.
static bool keyset_is_trusted(const struct trust *trust, const struct id *keyset)
{
    for (size_t i = 0; i < trust->keyset_len; i++)
        if (id_equal(&trust->keyset[i], keyset))
            return true;
    return trust->keyset_len == 0;
}

// The record belongs to this deployment and is what the service says it is.
static FALLIBLE check_record(const struct record *record, const struct trust *trust,
                             const struct json *account)
{
    struct id claimed;

    ENSURE(id_equal(&record->deployment, &trust->config.deployment), ERR_UNTRUSTED,
           "record: belongs to another deployment");
    TRY(id_parse(&claimed, json_string(json_get(account, "account"))));
    ENSURE(id_equal(&record->id, &claimed), ERR_UNTRUSTED, "record: belongs to another account");
    TRY(id_parse(&claimed, json_string(json_get(account, "keyset"))));
    ENSURE(id_equal(&record->keyset, &claimed), ERR_UNTRUSTED, "record: belongs to another keyset");
    ENSURE(keyset_is_trusted(trust, &record->keyset), ERR_UNTRUSTED,
           "record: its keyset is not one of the trust file");
    return policy_check_authorisers(record->authorisers);
}

static FALLIBLE verify(struct verify *out, const struct trust *trust, const struct json *account,
                       struct bytes nonce)
{
    static uint8_t record_bytes[RECORD_BYTES_MAX];
    static uint8_t receipt_bytes[DOCUMENT_MAX];
    struct bytes record_b64 = json_string(json_get(account, "record_b64"));
    struct bytes receipt_b64 = json_string(json_get(account, "receipt_b64"));
    struct proof_trust pins;
    struct bytes stored = BYTES_NONE;
    struct bytes receipt = BYTES_NONE;
    struct cloister_verify_account found;
    struct record record;
    struct policy policy;

    TRY(trust_receipts(&pins, trust));
    ENSURE(record_b64.n > 0, ERR_UNTRUSTED, "the service sent no record");
    ENSURE(receipt_b64.n > 0, ERR_UNTRUSTED, "the service sent no receipt");
    TRY(read_b64(record_bytes, sizeof(record_bytes), &stored, record_b64));
    TRY(read_b64(receipt_bytes, sizeof(receipt_bytes), &receipt, receipt_b64));
    TRY(proof_check_account(&pins, stored, receipt, nonce, &found));
    TRY(record_read(&record, stored));
    TRY(check_record(&record, trust, account));
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
