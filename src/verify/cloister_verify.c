// SPDX-License-Identifier: Apache-2.0
// libcloister-verify: the verifying side as a library for other programs. It turns the public
// structures into ours and back, and holds the checks that an outsider makes: every comparison is
// against bytes that are computed here, never against what the parent says. A caller that pins
// nothing is refused, since a verdict that no pin stands behind would only look like one. Nothing
// global is kept or set, in libcrypto neither: the host program may use it at the same time.
#include <cloister/verify.h>

#include "base/must.h"
#include "crypto/attest.h"
#include "crypto/ecdsa.h"
#include "crypto/openssl/sha2.h"
#include "eth/address.h"
#include "proto/receipt.h"
#include "proto/tag.h"
#include "verify/userdata.h"

#include <string.h>

#define FLAGS_KNOWN \
    (CLOISTER_VERIFY_ALLOW_DEBUG | CLOISTER_VERIFY_ANY_IMAGE | CLOISTER_VERIFY_ANY_CONFIGURATION)
#define SHA256_BYTES 32U
#define NONCE_LEAST  16U        // of a document that is asked for over TLS: nobody has it in store
#define USAGE        ERR_DENIED // the caller's own mistakes: no check below answers it

// AWS_NitroEnclaves_Root-G1, as published with the "Attestation process" document.
static const uint8_t aws_root_sha256[SHA256_BYTES] = {
    0x64, 0x1a, 0x03, 0x21, 0xa3, 0xe2, 0x44, 0xef, 0xe4, 0x56, 0x46, 0x31, 0x95, 0xd6, 0x06, 0x31,
    0x7e, 0xd7, 0xcd, 0xcc, 0x3c, 0x17, 0x56, 0xe0, 0x98, 0x93, 0xf3, 0xc6, 0x8f, 0x79, 0xbb, 0x5b,
};

static const struct kind {
    const char *tag;
    int kind; // enum cloister_verify_kind
} kinds[] = {
    { TAG_RECEIPT, CLOISTER_VERIFY_ACCOUNT }, { TAG_KEYSET, CLOISTER_VERIFY_KEYSET },
    { TAG_STATUS, CLOISTER_VERIFY_STATUS },   { TAG_UNCONFIGURED, CLOISTER_VERIFY_UNCONFIGURED },
    { TAG_IMPORT, CLOISTER_VERIFY_IMPORT },   { TAG_TLS, CLOISTER_VERIFY_TLS },
};

static int code_of(enum err_code code)
{
    switch (code) {
    case ERR_NONE:
        return CLOISTER_VERIFY_OK;
    case USAGE:
        return CLOISTER_VERIFY_USAGE;
    case ERR_MALFORMED:
    case ERR_TOO_LARGE:
        return CLOISTER_VERIFY_MALFORMED;
    case ERR_UNSUPPORTED:
        return CLOISTER_VERIFY_UNSUPPORTED;
    case ERR_EXPIRED:
        return CLOISTER_VERIFY_EXPIRED;
    case ERR_INTERNAL:
        return CLOISTER_VERIFY_INTERNAL;
    default:
        return CLOISTER_VERIFY_UNTRUSTED;
    }
}

static int answer(struct cloister_verify_error *error, struct err err)
{
    int code = code_of(err.code);

    if (!error)
        return code;
    memset(error, 0, sizeof(*error));
    error->code = code;
    if (!bytes_to_str(bytes_str(err_text(err)), error->message, sizeof(error->message)))
        (void)bytes_to_str(bytes_str(err_name(err.code)), error->message, sizeof(error->message));
    return code;
}

static struct bytes in(struct cloister_verify_bytes b)
{
    return bytes_of(b.data, b.size);
}

// Inside the document, so data is NULL only when the field is null or absent.
static struct cloister_verify_bytes out_bytes(struct bytes b, bool is_present)
{
    return (struct cloister_verify_bytes) { is_present ? b.p : NULL, is_present ? b.n : 0 };
}

static FALLIBLE check_input(struct cloister_verify_bytes b)
{
    ENSURE(b.data || b.size == 0, USAGE, "bytes: data is NULL");
    return OK;
}

static FALLIBLE check_configuration_pin(const struct cloister_verify_trust *trust)
{
    bool is_pinned = trust->pcr16 || trust->configuration.data;

    ENSURE(!trust->pcr16 || !trust->configuration.data, USAGE,
           "trust: give pcr16 or configuration, not both");
    ENSURE(trust->configuration.size <= CONFIG_BYTES_MAX, USAGE,
           "trust: configuration: expected at most 16384 bytes");
    ENSURE(!is_pinned || !(trust->flags & CLOISTER_VERIFY_ANY_CONFIGURATION), USAGE,
           "trust: a configuration is pinned and any is allowed");
    return OK;
}

static FALLIBLE check_trust(const struct cloister_verify_trust *trust)
{
    ENSURE(trust && trust->struct_size == sizeof(*trust), USAGE,
           "trust: struct_size: expected sizeof(struct cloister_verify_trust)");
    ENSURE(!(trust->flags & ~FLAGS_KNOWN), USAGE, "trust: flags: a flag is not known");
    ENSURE(!trust->root_sha256 || !trust->root_der.data, USAGE,
           "trust: give root_sha256 or root_der, not both");
    ENSURE(trust->pcr0 || trust->pcr0_count == 0, USAGE, "trust: pcr0 is NULL");
    ENSURE((trust->pcr0_count > 0) != ((trust->flags & CLOISTER_VERIFY_ANY_IMAGE) != 0), USAGE,
           "trust: say which image you trust: pcr0");
    ENSURE(!trust->nonce.data || (trust->nonce.size > 0 && trust->nonce.size <= ATTEST_NONCE_MAX),
           USAGE, "trust: nonce: expected 1 to 512 bytes");
    TRY(check_input(trust->root_der));
    TRY(check_input(trust->configuration));
    TRY(check_input(trust->nonce));
    return check_configuration_pin(trust);
}

// The root as bytes: the caller's, or the document's own first certificate when it is the one with
// the pinned fingerprint.
static FALLIBLE find_root(struct bytes *out, const struct cloister_verify_trust *trust,
                          struct bytes document)
{
    const uint8_t *pinned = trust->root_sha256 ? trust->root_sha256 : aws_root_sha256;
    uint8_t found[SHA256_BYTES];
    struct attest doc;

    *out = in(trust->root_der);
    if (out->p)
        return OK;
    TRY(attest_parse(&doc, document));
    sha2_256(found, doc.bundle[0]);
    ENSURE(bytes_equal(BYTES_OF(found), bytes_of(pinned, SHA256_BYTES)), ERR_UNTRUSTED,
           "certificate path: does not begin at the pinned root");
    *out = doc.bundle[0];
    return OK;
}

static bool pcr_is(const struct attest *doc, unsigned index, const uint8_t *expected)
{
    return (doc->pcr_present & 1U << index) != 0 &&
           bytes_equal(BYTES_OF(doc->pcr[index]), bytes_of(expected, ATTEST_PCR_BYTES));
}

static FALLIBLE check_image(const struct cloister_verify_trust *trust, const struct attest *doc)
{
    if (trust->flags & CLOISTER_VERIFY_ANY_IMAGE)
        return OK;
    for (size_t i = 0; i < trust->pcr0_count; i++)
        if (pcr_is(doc, 0, trust->pcr0[i]))
            return OK;
    return FAIL(ERR_UNTRUSTED, "PCR0: another program than the trusted ones");
}

static FALLIBLE check_configuration(const struct cloister_verify_trust *trust,
                                    const struct attest *doc)
{
    uint8_t measured[ATTEST_PCR_BYTES];
    const uint8_t *pcr16 = trust->pcr16;

    if (trust->configuration.data) {
        config_pcr16(measured, in(trust->configuration));
        pcr16 = measured;
    }
    ENSURE(!pcr16 || pcr_is(doc, 16, pcr16), ERR_UNTRUSTED,
           "PCR16: another configuration than the trusted one");
    return OK;
}

static FALLIBLE verify_document(struct attest *doc, const struct cloister_verify_trust *trust,
                                struct cloister_verify_bytes document)
{
    bool allow_debug;
    struct bytes root;

    TRY(check_trust(trust));
    TRY(check_input(document));
    allow_debug = trust->flags & CLOISTER_VERIFY_ALLOW_DEBUG;
    TRY(find_root(&root, trust, in(document)));
    TRY(attest_verify(doc, in(document), root, trust->at_ms, allow_debug));
    TRY(check_image(trust, doc));
    TRY(check_configuration(trust, doc));
    ENSURE(!trust->nonce.data || (doc->has_nonce && bytes_equal(doc->nonce, in(trust->nonce))),
           ERR_UNTRUSTED, "nonce: another one than was asked for");
    return OK;
}

// Documents with a public key are for KMS alone.
static FALLIBLE verify_cloister(struct attest *doc, const struct cloister_verify_trust *trust,
                                struct cloister_verify_bytes document)
{
    TRY(check_trust(trust));
    ENSURE(!(trust->flags & CLOISTER_VERIFY_ANY_IMAGE), USAGE,
           "trust: ANY_IMAGE is for documents of other programs");
    ENSURE(trust->pcr16 || trust->configuration.data ||
               trust->flags & CLOISTER_VERIFY_ANY_CONFIGURATION,
           USAGE, "trust: say which configuration you trust: pcr16 or configuration");
    TRY(verify_document(doc, trust, document));
    ENSURE(!doc->has_public_key, ERR_UNTRUSTED, "public_key: expected none in this document");
    return OK;
}

static int kind_of(const struct attest *doc)
{
    const char *tag = userdata_tag(doc->user_data);

    for (size_t i = 0; tag && i < ARRAY_LEN(kinds); i++)
        if (strcmp(tag, kinds[i].tag) == 0)
            return kinds[i].kind;
    return CLOISTER_VERIFY_OTHER;
}

static FALLIBLE check_receipt(const struct attest *doc, const char *tag, const uint8_t *digest)
{
    const char *found = userdata_tag(doc->user_data);

    ENSURE(found && strcmp(found, tag) == 0, ERR_UNTRUSTED,
           "user_data: expected a receipt of this kind");
    ENSURE(bytes_equal(bytes_skip(doc->user_data, strlen(tag) + 1), bytes_of(digest, SHA256_BYTES)),
           ERR_UNTRUSTED, "user_data: the receipt belongs to another record");
    return OK;
}

// The caller's structure must be the one that this library knows: what is larger could not be
// filled.
static FALLIBLE check_out(const size_t *struct_size, size_t expected)
{
    ENSURE(!struct_size || *struct_size == expected, USAGE,
           "out: struct_size: expected the size of the structure");
    return OK;
}

int cloister_verify_document(const struct cloister_verify_trust *trust,
                             struct cloister_verify_bytes document,
                             struct cloister_verify_document *out,
                             struct cloister_verify_error *error)
{
    struct attest doc;
    struct err err = check_out(out ? &out->struct_size : NULL, sizeof(*out));

    if (err.code)
        return answer(error, err);
    err = verify_document(&doc, trust, document);
    if (out)
        *out = (struct cloister_verify_document) { .struct_size = sizeof(*out) };
    if (!out || err.code)
        return answer(error, err);
    out->timestamp_ms = doc.timestamp_ms;
    out->module_id = out_bytes(doc.module_id, true);
    out->public_key = out_bytes(doc.public_key, doc.has_public_key);
    out->user_data = out_bytes(doc.user_data, doc.has_user_data);
    out->nonce = out_bytes(doc.nonce, doc.has_nonce);
    out->pcr_present = doc.pcr_present;
    memcpy(out->pcr, doc.pcr, sizeof(out->pcr));
    out->kind = kind_of(&doc);
    return answer(error, err);
}

static void show_account(struct cloister_verify_account *out, const struct record *record,
                         const uint8_t address[static ADDRESS_BYTES])
{
    address_text(out->address, address);
    memcpy(out->address_bytes, address, ADDRESS_BYTES);
    memcpy(out->public_key, record->public_key.p, sizeof(out->public_key));
    memcpy(out->deployment, record->deployment.b, sizeof(out->deployment));
    memcpy(out->keyset, record->keyset.b, sizeof(out->keyset));
    memcpy(out->account, record->id.b, sizeof(out->account));
    memcpy(out->policy_sha256, record->policy_hash, sizeof(out->policy_sha256));
    memcpy(out->authorisers_sha256, record->authoriser_hash, sizeof(out->authorisers_sha256));
    out->provenance = (uint8_t)record->provenance;
    out->generation = record->generation;
    out->created_ms = record->created_ms;
}

static FALLIBLE verify_account(struct cloister_verify_account *out,
                               const struct cloister_verify_trust *trust,
                               struct cloister_verify_bytes stored,
                               struct cloister_verify_bytes document)
{
    uint8_t digest[SHA256_BYTES];
    uint8_t address[ADDRESS_BYTES];
    struct record record;
    struct attest doc;

    TRY(check_input(stored));
    TRY(verify_cloister(&doc, trust, document));
    TRY(record_read(&record, in(stored)));
    tag_hash(digest, TAG_RECEIPT, &record.public_bytes, 1);
    TRY(check_receipt(&doc, TAG_RECEIPT, digest));
    ENSURE(record.key_type == RECORD_SECP256K1 && record.purpose == RECORD_ACCOUNT, ERR_UNSUPPORTED,
           "record: is not an Ethereum account's");
    TRY(ecdsa_address(address, record.public_key.p));
    show_account(out, &record, address);
    out->timestamp_ms = doc.timestamp_ms;
    return OK;
}

int cloister_verify_account(const struct cloister_verify_trust *trust,
                            struct cloister_verify_bytes record,
                            struct cloister_verify_bytes document,
                            struct cloister_verify_account *out,
                            struct cloister_verify_error *error)
{
    struct cloister_verify_account found = { .struct_size = sizeof(found) };
    struct err err = check_out(out ? &out->struct_size : NULL, sizeof(found));

    if (err.code)
        return answer(error, err);
    err = verify_account(&found, trust, record, document);
    if (err.code)
        found = (struct cloister_verify_account) { .struct_size = sizeof(found) };
    if (out)
        *out = found;
    return answer(error, err);
}

static FALLIBLE verify_keyset(struct cloister_verify_keyset *out,
                              const struct cloister_verify_trust *trust,
                              struct cloister_verify_bytes stored,
                              struct cloister_verify_bytes document)
{
    uint8_t memory[KEYSET_BYTES_MAX];
    struct wr fields = WR_OF(memory);
    struct keyset keyset;
    struct bytes public;
    struct attest doc;

    TRY(check_input(stored));
    TRY(verify_cloister(&doc, trust, document));
    TRY(keyset_read(&keyset, in(stored)));
    keyset_write_public(&fields, &keyset);
    TRY(wr_end(&fields));
    public = wr_done(&fields);
    tag_hash(out->public_sha256, TAG_KEYSET, &public, 1);
    TRY(check_receipt(&doc, TAG_KEYSET, out->public_sha256));
    (void)bytes_to_str(keyset.name, out->name, sizeof(out->name));
    memcpy(out->deployment, keyset.deployment.b, sizeof(out->deployment));
    memcpy(out->keyset, keyset.id.b, sizeof(out->keyset));
    out->purpose = (uint8_t)keyset.purpose;
    out->threshold = keyset.k;
    out->cmks = keyset.n;
    out->created_ms = keyset.created_ms;
    out->timestamp_ms = doc.timestamp_ms;
    return OK;
}

int cloister_verify_keyset(const struct cloister_verify_trust *trust,
                           struct cloister_verify_bytes record,
                           struct cloister_verify_bytes document,
                           struct cloister_verify_keyset *out, struct cloister_verify_error *error)
{
    struct cloister_verify_keyset found = { .struct_size = sizeof(found) };
    struct err err = check_out(out ? &out->struct_size : NULL, sizeof(found));

    if (err.code)
        return answer(error, err);
    err = verify_keyset(&found, trust, record, document);
    if (err.code)
        found = (struct cloister_verify_keyset) { .struct_size = sizeof(found) };
    if (out)
        *out = found;
    return answer(error, err);
}

static FALLIBLE verify_live(struct attest *doc, const struct cloister_verify_trust *trust,
                            struct cloister_verify_bytes document)
{
    TRY(check_trust(trust));
    ENSURE(trust->at_ms, USAGE, "trust: at_ms: expected the time of now");
    TRY(verify_cloister(doc, trust, document));
    return attest_fresh(doc, trust->at_ms);
}

static void show_status(struct cloister_verify_status *out, const struct receipt_status *status,
                        uint64_t timestamp_ms)
{
    out->phase = status->phase;
    memcpy(out->boot, status->boot.b, sizeof(out->boot));
    out->audit_sequence = status->sequence;
    memcpy(out->audit_head, status->audit_head, sizeof(out->audit_head));
    out->manifest_serial = status->manifest_serial;
    memcpy(out->manifest_digest, status->manifest_digest, sizeof(out->manifest_digest));
    out->seals = status->seals;
    out->anchor = status->anchor;
    out->anchored = status->anchored;
    out->timestamp_ms = timestamp_ms;
}

static int give_status(struct cloister_verify_status *out,
                       const struct cloister_verify_status *found,
                       struct cloister_verify_error *error, struct err err)
{
    if (out && !err.code)
        *out = *found;
    else if (out)
        *out = (struct cloister_verify_status) { .struct_size = sizeof(*out) };
    return answer(error, err);
}

static FALLIBLE verify_status(struct cloister_verify_status *out,
                              const struct cloister_verify_trust *trust,
                              struct cloister_verify_bytes document)
{
    struct receipt_status status;
    struct attest doc;

    TRY(verify_live(&doc, trust, document));
    TRY(userdata_read_status(&status, doc.user_data));
    show_status(out, &status, doc.timestamp_ms);
    return OK;
}

int cloister_verify_status(const struct cloister_verify_trust *trust,
                           struct cloister_verify_bytes document,
                           struct cloister_verify_status *out, struct cloister_verify_error *error)
{
    struct cloister_verify_status found = { .struct_size = sizeof(found) };
    struct err err = check_out(out ? &out->struct_size : NULL, sizeof(found));

    if (err.code)
        return answer(error, err);
    return give_status(out, &found, error, verify_status(&found, trust, document));
}

static FALLIBLE verify_tls(struct cloister_verify_status *out,
                           const struct cloister_verify_trust *trust,
                           struct cloister_verify_bytes document, const uint8_t *spki_sha256)
{
    struct receipt_status status;
    struct receipt_tls key;
    struct attest doc;

    TRY(check_trust(trust));
    ENSURE(spki_sha256, USAGE, "spki_sha256: expected the key that the connection has proved");
    ENSURE(trust->nonce.size >= NONCE_LEAST, USAGE,
           "trust: nonce: expected at least 16 bytes that you chose");
    TRY(verify_live(&doc, trust, document));
    TRY(userdata_read_tls(&status, &key, doc.user_data));
    ENSURE(bytes_equal(BYTES_OF(key.spki_sha256), bytes_of(spki_sha256, sizeof(key.spki_sha256))),
           ERR_UNTRUSTED, "user_data: names another TLS key than this connection's");
    show_status(out, &status, doc.timestamp_ms);
    memcpy(out->keyset, key.keyset.b, sizeof(out->keyset));
    return OK;
}

int cloister_verify_tls(const struct cloister_verify_trust *trust,
                        struct cloister_verify_bytes document, const uint8_t *spki_sha256,
                        struct cloister_verify_status *out, struct cloister_verify_error *error)
{
    struct cloister_verify_status found = { .struct_size = sizeof(found) };
    struct err err = check_out(out ? &out->struct_size : NULL, sizeof(found));

    if (err.code)
        return answer(error, err);
    return give_status(out, &found, error, verify_tls(&found, trust, document, spki_sha256));
}

const char *cloister_verify_version(void)
{
    return CLOISTER_VERSION;
}

void cloister_verify_measure(uint8_t pcr16[CLOISTER_VERIFY_PCR_BYTES],
                             struct cloister_verify_bytes configuration)
{
    config_pcr16(pcr16, in(configuration));
}
