// SPDX-License-Identifier: Apache-2.0
// COSE_Sign1 with exactly one algorithm. What was signed is rebuilt from the bytes as received,
// never from a re-encoding, so there is nothing that two parsers could read differently. Trusts
// nothing; says nothing about who signed: that is attest.c's part.
#include "crypto/cose.h"

#include "base/cbor.h"

#define TAG_SIGN1 18 // RFC 9052 2; the Nitro hypervisor leaves it out, the specification allows it

static void skip_tag(struct rd *rd)
{
    struct cbor_head head = cbor_peek(rd);

    if (head.type == CBOR_TAG && head.count == TAG_SIGN1)
        (void)cbor_head(rd);
}

struct err cose_parse(struct cose *cose, struct bytes document)
{
    struct rd rd = rd_of(document);
    struct rd signature = { 0 };

    skip_tag(&rd);
    if (cbor_array(&rd) != 4)
        rd_refuse(&rd);
    cose->protected_header = cbor_bytes(&rd);
    if (cbor_map(&rd) != 0)
        rd_refuse(&rd);
    cose->payload = cbor_bytes(&rd);
    signature = rd_of(cbor_bytes(&rd));
    rd_copy(&signature, cose->signature, sizeof(cose->signature));
    ENSURE(cbor_end(&rd).code == ERR_NONE && rd_end(&signature).code == ERR_NONE, ERR_MALFORMED,
           "COSE: expected a COSE_Sign1 of four items with a signature of 96 bytes");
    // No other encoding of {1: -35} is the shortest one, so a comparison of bytes is enough.
    ENSURE(bytes_equal(cose->protected_header, COSE_HEADER_ES384), ERR_MALFORMED,
           "COSE protected header: expected {1: -35} (ES384)");
    ENSURE(cose->payload.n > 0, ERR_MALFORMED, "COSE payload: expected bytes");
    return OK;
}

void cose_signed_bytes(struct wr *wr, const struct cose *cose)
{
    cbor_put_array(wr, 4);
    cbor_put_text(wr, "Signature1");
    cbor_put_bytes(wr, cose->protected_header);
    cbor_put_bytes(wr, BYTES_NONE); // external_aad
    cbor_put_bytes(wr, cose->payload);
}

void cose_write(struct wr *wr, const struct cose *cose)
{
    cbor_put_array(wr, 4);
    cbor_put_bytes(wr, cose->protected_header);
    cbor_put_map(wr, 0);
    cbor_put_bytes(wr, cose->payload);
    cbor_put_bytes(wr, BYTES_OF(cose->signature));
}
