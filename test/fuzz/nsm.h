// SPDX-License-Identifier: Apache-2.0
// Genuine documents of an emulated NSM, for targets that change them. Who may include it: attest.c,
// hpke.c.
#pragma once

#include "fuzz.h"

#include "base/cbor.h"
#include "base/fd.h"
#include "crypto/attest.h"
#include "emu/nsmdev.h"

// {NAME: {"index": 16}}, with "data" where there is some. A map of one pair answers.
static inline void nsm_pcr16(struct nsmdev *dev, const char *name, const char *data)
{
    static uint8_t space[NSMDEV_RESPONSE_MAX];
    uint8_t request[64];
    struct wr wr = WR_OF(request), answer = WR_OF(space);

    cbor_put_map(&wr, 1);
    cbor_put_text(&wr, name);
    cbor_put_map(&wr, data ? 2 : 1);
    cbor_put_text(&wr, "index");
    cbor_put_uint(&wr, 16);
    if (data) {
        cbor_put_text(&wr, "data");
        cbor_put_bytes(&wr, bytes_str(data));
    }
    nsmdev_answer(dev, &answer, wr_done(&wr));
}

// A document with this user data, the nonce "nonce", and PCR16 measured; it stands in `response`.
static inline struct bytes nsm_document(struct wr *response, struct bytes user_data)
{
    static const struct nsmdev_options options = {
        .pcrs = { .image = { 1 }, .application = { 2 }, .role = { 3 } },
        .pki = PKI_DIR,
        .region = "eu-west-1",
        .instance_id = "i-00000000000000001",
        .module_id = "i-00000000000000001-enc0000000000000001",
    };
    uint8_t request[256];
    struct wr wr = WR_OF(request);
    struct nsmdev *dev = NULL;
    struct bytes document;
    struct rd rd;

    fuzz_ok(nsmdev_new(&dev, &options));
    nsm_pcr16(dev, "ExtendPCR", "configuration");
    nsm_pcr16(dev, "LockPCR", NULL);
    cbor_put_map(&wr, 1);
    cbor_put_text(&wr, "Attestation");
    cbor_put_map(&wr, 3);
    cbor_put_text(&wr, "user_data");
    cbor_put_bytes(&wr, user_data);
    cbor_put_text(&wr, "nonce");
    cbor_put_bytes(&wr, BYTES_LIT("nonce"));
    cbor_put_text(&wr, "public_key");
    cbor_put_null(&wr);
    nsmdev_answer(dev, response, wr_done(&wr));
    rd = rd_of(wr_done(response)); // {"Attestation": {"document": bytes}}
    must(cbor_map(&rd) == 1 && cbor_text(&rd).n == 11 && cbor_map(&rd) == 1);
    must(cbor_text(&rd).n == 8);
    document = cbor_bytes(&rd);
    fuzz_ok(cbor_end(&rd));
    nsmdev_free(&dev);
    return document;
}

// The root of this build directory's development PKI.
static inline struct bytes nsm_root(void)
{
    static uint8_t root[1024];
    size_t len = 0;

    fuzz_ok(fd_read_file(PKI_DIR "/nsm-root.der", root, sizeof(root), &len));
    return bytes_of(root, len);
}
