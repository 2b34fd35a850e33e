// SPDX-License-Identifier: Apache-2.0
// Attestation documents with chosen fields, by the emulated NSM under a PKI in a directory. Include
// it after cmocka.h.
#pragma once

#include "base/cbor.h"
#include "emu/nsmdev.h"
#include "expect.h"

#define DOCUMENTS_INSTANCE "i-0123456789abcdef0"
#define DOCUMENTS_MODULE   "i-0123456789abcdef0-enc0123456789abcdef"

struct documents_fields {
    struct bytes user_data, nonce, public_key; // p NULL: null
};

// A module whose PCR0 is 48 times `pcr0`, after ExtendPCR(16) with `digest` and
// LockPCR(16) (none: PCR16 is left alone).
static inline struct nsmdev *documents_module(const char *pki, uint8_t pcr0, struct bytes digest)
{
    static uint8_t answer[NSMDEV_RESPONSE_MAX];
    uint8_t request[256];
    struct nsmdev_options options = { .pki = pki,
                                      .region = "eu-west-1",
                                      .instance_id = DOCUMENTS_INSTANCE,
                                      .module_id = DOCUMENTS_MODULE };
    struct nsmdev *dev = NULL;
    struct wr out = WR_OF(answer);
    struct wr wr = WR_OF(request);

    memset(options.pcrs.image, pcr0, sizeof(options.pcrs.image));
    options.debug = pcr0 == 0;
    expect_ok("module", nsmdev_new(&dev, &options));
    if (!digest.p)
        return dev;
    cbor_put_map(&wr, 1);
    cbor_put_text(&wr, "ExtendPCR");
    cbor_put_map(&wr, 2);
    cbor_put_text(&wr, "index");
    cbor_put_uint(&wr, 16);
    cbor_put_text(&wr, "data");
    cbor_put_bytes(&wr, digest);
    nsmdev_answer(dev, &out, wr_done(&wr));
    wr = WR_OF(request);
    out = WR_OF(answer);
    cbor_put_map(&wr, 1);
    cbor_put_text(&wr, "LockPCR");
    cbor_put_map(&wr, 1);
    cbor_put_text(&wr, "index");
    cbor_put_uint(&wr, 16);
    nsmdev_answer(dev, &out, wr_done(&wr));
    return dev;
}

// The document, inside buf[NSMDEV_RESPONSE_MAX].
static inline struct bytes documents_make(struct nsmdev *dev, uint8_t *buf,
                                          const struct documents_fields *fields)
{
    uint8_t request[4096];
    struct wr wr = WR_OF(request);
    struct wr out = wr_of(buf, NSMDEV_RESPONSE_MAX);
    struct bytes document;
    struct rd rd;

    cbor_put_map(&wr, 1);
    cbor_put_text(&wr, "Attestation");
    cbor_put_map(&wr, 3);
    cbor_put_text(&wr, "user_data");
    cbor_put_bytes_or_null(&wr, fields->user_data);
    cbor_put_text(&wr, "nonce");
    cbor_put_bytes_or_null(&wr, fields->nonce);
    cbor_put_text(&wr, "public_key");
    cbor_put_bytes_or_null(&wr, fields->public_key);
    nsmdev_answer(dev, &out, wr_done(&wr));
    rd = rd_of(wr_done(&out));
    (void)cbor_map(&rd);
    assert_true(bytes_equal_str(cbor_text(&rd), "Attestation"));
    (void)cbor_map(&rd);
    (void)cbor_text(&rd);
    document = cbor_bytes(&rd);
    expect_ok("document", cbor_end(&rd));
    return document;
}
