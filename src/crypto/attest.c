// SPDX-License-Identifier: Apache-2.0
// Nitro attestation documents: a strict reader of the payload map (each known field at most once,
// nothing unknown, every size limited as in AWS's "Attestation process" document 3.2.2) and the
// verification in AWS's order: structure, certificate path, signature. Trusts only the root that
// the caller pins; the copy of the root inside a document is merely compared with it.
#include "crypto/attest.h"

#include "base/cbor.h"
#include "base/ct.h"
#include "base/must.h"
#include "crypto/cose.h"
#include "crypto/openssl/sha2.h"

#include <string.h>

#define MODULE_ID_MAX   256
#define CERTIFICATE_MAX 1024
#define PUBLIC_KEY_MAX  1024
#define SIGNED_OVERHEAD 64 // Sig_structure around the payload
#define FIELDS_REQUIRED 6  // the first ones of the table

struct field {
    const char *name;
    struct err (*read)(struct attest *out, struct rd *rd);
};

static FALLIBLE read_module_id(struct attest *out, struct rd *rd);
static FALLIBLE read_digest(struct attest *out, struct rd *rd);
static FALLIBLE read_timestamp(struct attest *out, struct rd *rd);
static FALLIBLE read_pcrs(struct attest *out, struct rd *rd);
static FALLIBLE read_certificate(struct attest *out, struct rd *rd);
static FALLIBLE read_cabundle(struct attest *out, struct rd *rd);
static FALLIBLE read_public_key(struct attest *out, struct rd *rd);
static FALLIBLE read_user_data(struct attest *out, struct rd *rd);
static FALLIBLE read_nonce(struct attest *out, struct rd *rd);

static const struct field fields[] = {
    { "module_id", read_module_id },
    { "digest", read_digest },
    { "timestamp", read_timestamp },
    { "pcrs", read_pcrs },
    { "certificate", read_certificate },
    { "cabundle", read_cabundle },
    { "public_key", read_public_key },
    { "user_data", read_user_data },
    { "nonce", read_nonce },
};

static FALLIBLE read_field(struct attest *out, struct rd *rd, uint32_t *seen)
{
    struct bytes name = cbor_text(rd);
    size_t i = 0;

    while (i < ARRAY_LEN(fields) && !bytes_equal_str(name, fields[i].name))
        i++;
    ENSURE(i < ARRAY_LEN(fields), ERR_MALFORMED, "attestation: holds a field that is not known");
    ENSURE(!(*seen & 1U << i), ERR_MALFORMED, "attestation: holds a field twice");
    *seen |= 1U << i;
    return fields[i].read(out, rd);
}

static FALLIBLE read_payload(struct attest *out, struct bytes payload)
{
    const uint32_t required = (1U << FIELDS_REQUIRED) - 1;
    struct rd rd = rd_of(payload);
    uint32_t seen = 0;

    for (uint64_t left = cbor_map(&rd); cbor_map_next(&rd, &left);)
        TRY(read_field(out, &rd, &seen));
    ENSURE(cbor_end(&rd).code == ERR_NONE, ERR_MALFORMED,
           "attestation: expected one CBOR map and nothing after it");
    ENSURE((seen & required) == required, ERR_MALFORMED,
           "attestation: a field is missing that every document has");
    return OK;
}

static FALLIBLE parse(struct attest *out, struct cose *cose, struct bytes document)
{
    memset(out, 0, sizeof(*out));
    ENSURE(document.n <= ATTEST_BYTES_MAX, ERR_MALFORMED,
           "attestation: expected at most 16384 bytes");
    TRY(cose_parse(cose, document));
    return read_payload(out, cose->payload);
}

struct err attest_parse(struct attest *out, struct bytes document)
{
    struct cose cose;
    struct err err = parse(out, &cose, document);

    if (err.code)
        memset(out, 0, sizeof(*out));
    return err;
}

static FALLIBLE check_signature(const struct attest *doc, const struct cose *cose)
{
    uint8_t memory[ATTEST_BYTES_MAX + SIGNED_OVERHEAD];
    struct wr wr = WR_OF(memory);

    cose_signed_bytes(&wr, cose);
    TRY(wr_end(&wr));
    return x509_check_es384(doc->certificate, wr_done(&wr), cose->signature);
}

static FALLIBLE verify(struct attest *out, struct bytes document, struct bytes root_der,
                       uint64_t at_ms)
{
    struct x509_path path = { .root = root_der };
    struct cose cose;

    TRY(parse(out, &cose, document));
    memcpy(path.bundle, out->bundle, sizeof(path.bundle));
    path.bundle_len = out->bundle_len;
    path.leaf = out->certificate;
    TRY(x509_check_path(&path, at_ms ? at_ms : out->timestamp_ms));
    return check_signature(out, &cose);
}

// A debug-mode enclave's memory can be read by its parent, and its PCR0 is all zero.
static FALLIBLE check_debug(const struct attest *doc, bool allow_debug)
{
    ENSURE(allow_debug || !attest_pcr_is_zero(doc, 0), ERR_UNTRUSTED,
           "attestation: the enclave runs in debug mode (PCR0 is zero)");
    return OK;
}

struct err attest_verify(struct attest *out, struct bytes document, struct bytes root_der,
                         uint64_t at_ms, bool allow_debug)
{
    struct err err = verify(out, document, root_der, at_ms);

    if (!err.code)
        err = check_debug(out, allow_debug);
    // A caller that forgets to look at the error finds nothing to believe.
    if (err.code)
        memset(out, 0, sizeof(*out));
    return err;
}

struct err attest_fresh(const struct attest *doc, uint64_t now_ms)
{
    uint64_t apart =
        now_ms > doc->timestamp_ms ? now_ms - doc->timestamp_ms : doc->timestamp_ms - now_ms;

    ENSURE(apart <= ATTEST_FRESH_MS, ERR_EXPIRED,
           "attestation: expected a document of the last five minutes");
    return OK;
}

bool attest_pcr_is_zero(const struct attest *doc, unsigned index)
{
    if (index >= ATTEST_PCRS || !(doc->pcr_present & 1U << index))
        return true;
    return ct_is_zero(BYTES_OF(doc->pcr[index]));
}

void attest_pcr_extend(uint8_t pcr[static ATTEST_PCR_BYTES], struct bytes data)
{
    struct sha2 sha;

    sha2_384_start(&sha);
    sha2_384_add(&sha, bytes_of(pcr, ATTEST_PCR_BYTES));
    sha2_384_add(&sha, data);
    sha2_384_end(&sha, pcr);
}

static FALLIBLE read_module_id(struct attest *out, struct rd *rd)
{
    out->module_id = cbor_text(rd);
    ENSURE(!rd->bad && out->module_id.n > 0 && out->module_id.n <= MODULE_ID_MAX, ERR_MALFORMED,
           "attestation module_id: expected a text of 1 to 256 bytes");
    for (size_t i = 0; i < out->module_id.n; i++)
        ENSURE(out->module_id.p[i] > ' ' && out->module_id.p[i] < 0x7f, ERR_MALFORMED,
               "attestation module_id: expected printable ASCII");
    return OK;
}

static FALLIBLE read_digest(struct attest *out, struct rd *rd)
{
    (void)out;
    ENSURE(bytes_equal_str(cbor_text(rd), "SHA384"), ERR_MALFORMED,
           "attestation digest: expected the text SHA384");
    return OK;
}

static FALLIBLE read_timestamp(struct attest *out, struct rd *rd)
{
    out->timestamp_ms = cbor_uint(rd);
    ENSURE(!rd->bad && out->timestamp_ms > 0 && out->timestamp_ms <= INT64_MAX, ERR_MALFORMED,
           "attestation timestamp: expected Unix milliseconds");
    return OK;
}

static FALLIBLE read_pcr(struct attest *out, struct rd *rd)
{
    uint64_t index = cbor_uint(rd);
    struct bytes value = cbor_bytes(rd);

    ENSURE(!rd->bad && index < ATTEST_PCRS && value.n == ATTEST_PCR_BYTES, ERR_MALFORMED,
           "attestation pcrs: expected indices 0 to 31 and 48 bytes each");
    ENSURE(!(out->pcr_present & 1U << index), ERR_MALFORMED,
           "attestation pcrs: holds an index twice");
    out->pcr_present |= 1U << index;
    memcpy(out->pcr[index], value.p, ATTEST_PCR_BYTES);
    return OK;
}

static FALLIBLE read_pcrs(struct attest *out, struct rd *rd)
{
    for (uint64_t left = cbor_map(rd); cbor_map_next(rd, &left);)
        TRY(read_pcr(out, rd));
    ENSURE(!rd->bad && out->pcr_present, ERR_MALFORMED,
           "attestation pcrs: expected a map of 1 to 32 values");
    return OK;
}

static FALLIBLE read_certificate(struct attest *out, struct rd *rd)
{
    out->certificate = cbor_bytes(rd);
    ENSURE(!rd->bad && out->certificate.n > 0 && out->certificate.n <= CERTIFICATE_MAX,
           ERR_MALFORMED, "attestation certificate: expected 1 to 1024 bytes");
    return OK;
}

static FALLIBLE read_cabundle(struct attest *out, struct rd *rd)
{
    uint64_t n = cbor_array(rd);

    ENSURE(!rd->bad && n > 0 && n <= X509_CHAIN_MAX, ERR_MALFORMED,
           "attestation cabundle: expected 1 to 8 certificates");
    for (; out->bundle_len < n; out->bundle_len++) {
        struct bytes *der = &out->bundle[out->bundle_len];

        *der = cbor_bytes(rd);
        ENSURE(!rd->bad && der->n > 0 && der->n <= CERTIFICATE_MAX, ERR_MALFORMED,
               "attestation cabundle: expected certificates of 1 to 1024 bytes");
    }
    return OK;
}

static FALLIBLE read_public_key(struct attest *out, struct rd *rd)
{
    out->public_key = cbor_bytes_or_null(rd, &out->has_public_key);
    ENSURE(!rd->bad && (!out->has_public_key || out->public_key.n > 0) &&
               out->public_key.n <= PUBLIC_KEY_MAX,
           ERR_MALFORMED, "attestation public_key: expected null or 1 to 1024 bytes");
    return OK;
}

static FALLIBLE read_user_data(struct attest *out, struct rd *rd)
{
    out->user_data = cbor_bytes_or_null(rd, &out->has_user_data);
    ENSURE(!rd->bad && out->user_data.n <= ATTEST_USER_MAX, ERR_MALFORMED,
           "attestation user_data: expected null or at most 512 bytes");
    return OK;
}

static FALLIBLE read_nonce(struct attest *out, struct rd *rd)
{
    out->nonce = cbor_bytes_or_null(rd, &out->has_nonce);
    ENSURE(!rd->bad && out->nonce.n <= ATTEST_NONCE_MAX, ERR_MALFORMED,
           "attestation nonce: expected null or at most 512 bytes");
    return OK;
}
