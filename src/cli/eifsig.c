// SPDX-License-Identifier: Apache-2.0
// Bytes are lists of integers here, because that is what AWS's own program writes. What was signed
// is rebuilt from the bytes as received (crypto/cose.h).
#include "cli/eifsig.h"

#include "base/cbor.h"
#include "base/must.h"
#include "crypto/attest.h"
#include "crypto/openssl/sha2.h"

#include <string.h>

#define PEM_MAX     16384
#define PAYLOAD_MAX 256
#define SIGNED_MAX  512
#define CERTIFICATE "signing_certificate"
#define SIGNATURE   "signature"
#define INDEX       "register_index"
#define VALUE       "register_value"

// A list of integers below 256, as bytes into out[cap].
static struct bytes get_list(struct rd *rd, uint8_t *out, size_t cap)
{
    uint64_t n = cbor_array(rd);

    if (n > cap)
        rd_refuse(rd);
    for (uint64_t i = 0; i < n && !rd->bad; i++) {
        uint64_t value = cbor_uint(rd);

        if (value > UINT8_MAX)
            rd_refuse(rd);
        out[i] = (uint8_t)value;
    }
    return bytes_of(out, rd->bad ? 0 : (size_t)n);
}

static void put_list(struct wr *wr, struct bytes b)
{
    cbor_put_array(wr, b.n);
    for (size_t i = 0; i < b.n; i++)
        cbor_put_uint(wr, b.p[i]);
}

static FALLIBLE read_section(struct bytes section, uint8_t pem[static PEM_MAX],
                             struct bytes *pem_view, struct eifsig *out, struct bytes *cose)
{
    struct rd rd = rd_of(section);
    bool is_single = cbor_array(&rd) == 1;
    uint64_t pairs = cbor_map(&rd);

    ENSURE(rd.bad || is_single, ERR_UNSUPPORTED, "signature section: expected one signature");
    for (uint64_t i = 0; i < pairs && !rd.bad; i++) {
        struct bytes key = cbor_text(&rd);

        if (bytes_equal_str(key, CERTIFICATE) && !pem_view->n)
            *pem_view = get_list(&rd, pem, PEM_MAX);
        else if (bytes_equal_str(key, SIGNATURE) && !cose->n)
            *cose = get_list(&rd, out->cose_buf, sizeof(out->cose_buf));
        else
            rd_refuse(&rd);
    }
    ENSURE(!cbor_end(&rd).code && pem_view->n && cose->n, ERR_MALFORMED,
           "signature section: expected CBOR with signing_certificate and signature, lists of "
           "bytes");
    return OK;
}

static FALLIBLE read_payload(struct eifsig *out)
{
    struct rd rd = rd_of(out->cose.payload);
    uint64_t pairs = cbor_map(&rd);
    bool has_index = false, has_value = false;

    for (uint64_t i = 0; i < pairs && !rd.bad; i++) {
        struct bytes key = cbor_text(&rd);

        if (bytes_equal_str(key, INDEX) && !has_index)
            has_index = cbor_uint(&rd) == 0;
        else if (bytes_equal_str(key, VALUE) && !has_value)
            has_value = get_list(&rd, out->pcr0, EIF_PCR_BYTES).n == EIF_PCR_BYTES;
        else
            rd_refuse(&rd);
    }
    ENSURE(!cbor_end(&rd).code && has_index && has_value, ERR_MALFORMED,
           "signature section: expected a signature over register_index 0 and a register_value of "
           "48 bytes");
    return OK;
}

static void measure(uint8_t pcr8[static EIF_PCR_BYTES], const struct codesign *cert)
{
    uint8_t digest[EIF_PCR_BYTES];

    sha2_384(digest, bytes_of(cert->der, cert->n));
    memset(pcr8, 0, EIF_PCR_BYTES);
    attest_pcr_extend(pcr8, BYTES_OF(digest));
}

struct err eifsig_read(struct eifsig *out, struct bytes section)
{
    uint8_t pem[PEM_MAX];
    struct bytes pem_view = BYTES_NONE;
    struct bytes cose = BYTES_NONE;

    *out = (struct eifsig) { .cert.n = 0 };
    TRY(read_section(section, pem, &pem_view, out, &cose));
    TRY(codesign_read(&out->cert, pem_view));
    measure(out->pcr8, &out->cert);
    TRY(cose_parse(&out->cose, cose));
    return read_payload(out);
}

struct err eifsig_verify(const struct eifsig *sig, const uint8_t pcr0[static EIF_PCR_BYTES])
{
    uint8_t text[SIGNED_MAX];
    struct wr wr = WR_OF(text);

    cose_signed_bytes(&wr, &sig->cose);
    ENSURE(!wr.bad, ERR_UNTRUSTED, "signature: is over more than register_index and value");
    TRY(x509_check_es384(bytes_of(sig->cert.der, sig->cert.n), wr_done(&wr), sig->cose.signature));
    ENSURE(bytes_equal(BYTES_OF(sig->pcr0), bytes_of(pcr0, EIF_PCR_BYTES)), ERR_UNTRUSTED,
           "signature: is over the PCR0 of another image");
    return OK;
}

static void put_payload(struct wr *wr, const uint8_t pcr0[static EIF_PCR_BYTES])
{
    cbor_put_map(wr, 2);
    cbor_put_text(wr, INDEX);
    cbor_put_uint(wr, 0);
    cbor_put_text(wr, VALUE);
    put_list(wr, bytes_of(pcr0, EIF_PCR_BYTES));
}

struct err eifsig_write(struct wr *out, const struct codesign *cert, struct bytes key_pem,
                        const uint8_t pcr0[static EIF_PCR_BYTES])
{
    uint8_t payload[PAYLOAD_MAX], text[SIGNED_MAX], document[SIGNED_MAX], pem[PEM_MAX];
    struct wr payload_wr = WR_OF(payload), text_wr = WR_OF(text);
    struct wr document_wr = WR_OF(document), pem_wr = WR_OF(pem);
    struct cose cose = { .protected_header = COSE_HEADER_ES384 };

    put_payload(&payload_wr, pcr0);
    TRY(wr_end(&payload_wr));
    cose.payload = wr_done(&payload_wr);
    cose_signed_bytes(&text_wr, &cose);
    TRY(wr_end(&text_wr));
    TRY(codesign_sign(cose.signature, cert, key_pem, wr_done(&text_wr)));
    cose_write(&document_wr, &cose);
    TRY(wr_end(&document_wr));
    TRY(codesign_write(&pem_wr, cert));
    cbor_put_array(out, 1);
    cbor_put_map(out, 2);
    cbor_put_text(out, CERTIFICATE);
    put_list(out, wr_done(&pem_wr));
    cbor_put_text(out, SIGNATURE);
    put_list(out, wr_done(&document_wr));
    return wr_end(out);
}
