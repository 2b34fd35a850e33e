// SPDX-License-Identifier: Apache-2.0
// crypto/cms.h: envelopes as they come ('r'), and a genuine one that was changed ('v'), which
// either does not open or holds 32 bytes.
#include "fuzz.h"

#include "crypto/cms.h"
#include "crypto/openssl/libcrypto.h"
#include "emu/envelope.h"

static struct rsa_key *key;
static uint8_t sealed[CMS_BYTES_MAX];
static struct bytes envelope;

static void fuzz_parse(struct bytes in)
{
    static struct cms cms;

    if (cms_parse(&cms, in).code)
        return;
    must(cms.encrypted_key.n == RSA_MODULUS_BYTES && cms.iv.n == 16);
    must(cms.encrypted_key.p > in.p && cms.encrypted_key.p + RSA_MODULUS_BYTES < in.p + in.n);
    must(cms.iv.p > in.p && cms.iv.p + cms.iv.n < in.p + in.n);
    must(cms.content_len > 0 && cms.content_len <= CMS_CONTENT_MAX && cms.content_len % 16 == 0);
}

static void start(void)
{
    uint8_t spki[RSA_SPKI_BYTES], opened[32];
    struct wr wr = WR_OF(sealed);

    fuzz_ok(libcrypto_init());
    fuzz_ok(rsa_key_new(&key));
    fuzz_ok(rsa_key_spki(key, spki));
    fuzz_ok(
        envelope_seal(&wr, BYTES_OF(spki), BYTES_LIT("0123456789abcdef0123456789abcdef"), true));
    envelope = wr_done(&wr);
    fuzz_ok(cms_open(opened, sizeof(opened), key, envelope));
    must(memcmp(opened, "0123456789abcdef0123456789abcdef", sizeof(opened)) == 0);
}

static void fuzz_open(struct bytes changes)
{
    static uint8_t changed[CMS_BYTES_MAX];
    struct bytes in = fuzz_change(changed, sizeof(changed), envelope, changes);
    uint8_t opened[32];

    fuzz_parse(in);
    if (cms_open(opened, sizeof(opened), key, in).code)
        return;
    must(in.n == envelope.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct bytes in = bytes_skip(bytes_of(data, n), 1);

    if (!key)
        start();
    if (n > 0 && data[0] == 'r')
        fuzz_parse(in);
    else if (n > 0 && data[0] == 'v')
        fuzz_open(in);
    return 0;
}
