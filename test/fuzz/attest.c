// SPDX-License-Identifier: Apache-2.0
// crypto/attest.h, cose.h and base/cbor.h: documents as they come ('r'), the parts alone ('c',
// 'p'), and a genuine one of the emulated NSM that was changed ('v'): nothing verifies but the
// payload that was signed.
#include "nsm.h"

#include "crypto/cose.h"
#include "crypto/openssl/libcrypto.h"

static uint8_t genuine[NSMDEV_RESPONSE_MAX];
static struct bytes root_der, document;
static uint64_t made_ms;

static bool is_inside(struct bytes part, struct bytes all)
{
    return part.n == 0 || (part.p >= all.p && part.p + part.n <= all.p + all.n);
}

static void check_views(const struct attest *doc, struct bytes all)
{
    must(doc->bundle_len >= 1 && doc->bundle_len <= X509_CHAIN_MAX);
    must(is_inside(doc->module_id, all) && is_inside(doc->certificate, all));
    must(is_inside(doc->user_data, all) && is_inside(doc->nonce, all));
    must(is_inside(doc->public_key, all));
    must(doc->user_data.n <= ATTEST_USER_MAX && doc->nonce.n <= ATTEST_NONCE_MAX);
    for (size_t i = 0; i < doc->bundle_len; i++)
        must(is_inside(doc->bundle[i], all));
}

static void fuzz_parse(struct bytes in)
{
    static struct attest doc;

    if (attest_parse(&doc, in).code == 0)
        check_views(&doc, in);
}

// One tag may stand before it; everything else has one encoding.
static void fuzz_cose(struct bytes in)
{
    static uint8_t out[ATTEST_BYTES_MAX + 64];
    struct wr wr = WR_OF(out);
    struct cose cose;

    if (in.n > ATTEST_BYTES_MAX || cose_parse(&cose, in).code)
        return;
    must(is_inside(cose.payload, in));
    cose_write(&wr, &cose);
    if (in.p[0] >> 5 == CBOR_TAG)
        in = bytes_skip(in, 1);
    must(bytes_equal(wr_done(&wr), in));
}

// As the payload of a document whose signature nobody looks at.
static void fuzz_payload(struct bytes in)
{
    static uint8_t out[ATTEST_BYTES_MAX];
    struct cose cose = { .protected_header = COSE_HEADER_ES384, .payload = in };
    struct wr wr = WR_OF(out);
    struct rd rd = rd_of(in);

    cbor_skip(&rd);
    must(cbor_end(&rd).code || !rd.bad);
    cose_write(&wr, &cose);
    if (!wr.bad)
        fuzz_parse(wr_done(&wr));
}

static void start(void)
{
    struct wr wr = WR_OF(genuine);
    struct attest doc;

    fuzz_ok(libcrypto_init());
    root_der = nsm_root();
    document = nsm_document(&wr, BYTES_LIT("user"));
    fuzz_ok(attest_parse(&doc, document));
    made_ms = doc.timestamp_ms;
    fuzz_ok(attest_verify(&doc, document, root_der, made_ms, false));
}

static void fuzz_verify(struct bytes changes)
{
    static uint8_t changed[NSMDEV_RESPONSE_MAX];
    struct bytes in = fuzz_change(changed, sizeof(changed), document, changes);
    struct cose signed_one, other;
    struct attest doc;

    if (attest_verify(&doc, in, root_der, made_ms, false).code)
        return;
    check_views(&doc, in);
    fuzz_ok(cose_parse(&signed_one, document));
    fuzz_ok(cose_parse(&other, in));
    must(bytes_equal(signed_one.payload, other.payload));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct bytes in = bytes_skip(bytes_of(data, n), 1);

    if (!document.p)
        start();
    if (n == 0)
        return 0;
    if (data[0] == 'r')
        fuzz_parse(in);
    else if (data[0] == 'c')
        fuzz_cose(in);
    else if (data[0] == 'p')
        fuzz_payload(in);
    else if (data[0] == 'v')
        fuzz_verify(in);
    return 0;
}
