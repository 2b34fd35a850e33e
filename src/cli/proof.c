// SPDX-License-Identifier: Apache-2.0
// Trusts the pinned root, the PCR values of the trust file and nothing else; every comparison is
// against bytes that it computed itself from the record, never against what the parent says.
#include "cli/proof.h"

#include "base/must.h"
#include "base/rd.h"
#include "proto/config.h"
#include "proto/offer.h"
#include "proto/tag.h"

#include <string.h>

static bool pcr_is(const struct attest *doc, unsigned index, const uint8_t *expected)
{
    return (doc->pcr_present & 1U << index) != 0 &&
           bytes_equal(BYTES_OF(doc->pcr[index]), bytes_of(expected, ATTEST_PCR_BYTES));
}

static FALLIBLE check_code(const struct proof_trust *trust, const struct attest *doc)
{
    for (size_t i = 0; i < trust->pcr0_len; i++)
        if (pcr_is(doc, 0, trust->pcr0[i]))
            return OK;
    return FAIL(ERR_UNTRUSTED, "PCR0: another program than the trusted ones");
}

// What all documents have in common, after their signature.
static FALLIBLE check_identity(const struct proof_trust *trust, const struct attest *doc,
                               struct bytes nonce)
{
    TRY(check_code(trust, doc));
    ENSURE(!trust->pcr16 || pcr_is(doc, 16, trust->pcr16), ERR_UNTRUSTED,
           "PCR16: another configuration than the trusted one");
    ENSURE(!doc->has_public_key, ERR_UNTRUSTED, "public_key: expected none in this document");
    ENSURE(doc->has_user_data && proof_tag(doc->user_data), ERR_UNTRUSTED,
           "user_data: expected a Cloister structure");
    ENSURE(!nonce.p || bytes_equal(nonce, doc->has_nonce ? doc->nonce : BYTES_NONE), ERR_UNTRUSTED,
           "nonce: another one than was asked for");
    return OK;
}

struct err proof_check_document(const struct proof_trust *trust, struct bytes document,
                                struct bytes nonce, struct attest *out)
{
    TRY(attest_verify(out, document, trust->root_der, 0, trust->allow_debug));
    return check_identity(trust, out, nonce);
}

// A receipt, judged at its own time: it stays valid after the certificates of its day expired.
static FALLIBLE check_receipt(const struct proof_trust *trust, struct bytes document,
                              struct bytes nonce, struct bytes user_data)
{
    struct attest doc;

    TRY(proof_check_document(trust, document, nonce, &doc));
    ENSURE(bytes_equal(doc.user_data, user_data), ERR_UNTRUSTED,
           "user_data: the receipt belongs to another record");
    return OK;
}

struct err proof_check_record(const struct proof_trust *trust, const struct record *record,
                              struct bytes document, struct bytes nonce)
{
    uint8_t expected[ATTEST_USER_MAX];
    struct wr wr = WR_OF(expected);

    receipt_write_record(&wr, record->public_bytes);
    TRY(wr_end(&wr));
    return check_receipt(trust, document, nonce, wr_done(&wr));
}

struct err proof_check_keyset(const struct proof_trust *trust, const struct keyset *keyset,
                              struct bytes document, struct bytes nonce)
{
    uint8_t public[KEYSET_BYTES_MAX];
    uint8_t expected[ATTEST_USER_MAX];
    struct wr fields = WR_OF(public);
    struct wr wr = WR_OF(expected);

    keyset_write_public(&fields, keyset);
    TRY(wr_end(&fields));
    receipt_write_keyset(&wr, wr_done(&fields));
    TRY(wr_end(&wr));
    return check_receipt(trust, document, nonce, wr_done(&wr));
}

const char *proof_tag(struct bytes user_data)
{
    static const char *const tags[] = { TAG_RECEIPT, TAG_KEYSET, TAG_STATUS, TAG_UNCONFIGURED,
                                        TAG_IMPORT };

    for (size_t i = 0; i < ARRAY_LEN(tags); i++) {
        struct bytes with_zero = bytes_of(tags[i], strlen(tags[i]) + 1);

        if (bytes_equal(bytes_take(user_data, with_zero.n), with_zero))
            return tags[i];
    }
    return NULL;
}

struct err proof_read_status(struct receipt_status *out, struct bytes user_data)
{
    const char *tag = proof_tag(user_data);
    bool unconfigured = tag && strcmp(tag, TAG_UNCONFIGURED) == 0;
    struct rd rd;

    ENSURE(unconfigured || (tag && strcmp(tag, TAG_STATUS) == 0), ERR_UNTRUSTED,
           "user_data: expected a status document");
    rd = rd_of(bytes_skip(user_data, strlen(tag) + 1));
    out->phase = rd_u8(&rd);
    out->boot = id_read(&rd);
    out->sequence = rd_u64(&rd);
    rd_copy(&rd, out->audit_head, sizeof(out->audit_head));
    out->manifest_serial = rd_u64(&rd);
    out->seals = rd_u32(&rd);
    out->anchor = rd_u8(&rd);
    TRY(rd_end(&rd));
    ENSURE(unconfigured ? out->phase == PHASE_UNCONFIGURED
                        : out->phase == PHASE_CONFIGURED || out->phase == PHASE_READY ||
                              out->phase == PHASE_SEALED,
           ERR_UNTRUSTED, "user_data: phase does not fit its tag");
    ENSURE(out->anchor <= CONFIG_ANCHOR_DYNAMODB, ERR_UNSUPPORTED, "user_data: unknown anchor");
    return OK;
}

struct err proof_check_status(const struct proof_trust *trust, struct bytes document,
                              struct bytes nonce, uint64_t now_ms, struct receipt_status *out)
{
    struct attest doc;

    TRY(attest_verify(&doc, document, trust->root_der, now_ms, trust->allow_debug));
    TRY(attest_fresh(&doc, now_ms));
    TRY(check_identity(trust, &doc, nonce));
    return proof_read_status(out, doc.user_data);
}

struct err proof_check_offer(const struct proof_trust *trust, struct bytes document,
                             struct bytes nonce, uint64_t now_ms, const uint8_t digest[static 32])
{
    uint8_t user_data[64];
    struct wr wr = WR_OF(user_data);
    struct attest doc;

    ENSURE(trust->pcr16, ERR_UNTRUSTED,
           "configuration: a key is sealed only to one that its owner knows");
    TRY(attest_verify(&doc, document, trust->root_der, now_ms, trust->allow_debug));
    TRY(attest_fresh(&doc, now_ms));
    TRY(proof_check_document(trust, document, nonce, &doc));
    offer_write_user_data(&wr, digest);
    ENSURE(bytes_equal(doc.user_data, wr_done(&wr)), ERR_UNTRUSTED,
           "user_data: the import key is not offered for these terms");
    return OK;
}
